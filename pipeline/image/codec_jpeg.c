#include "image/codec_jpeg.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <turbojpeg.h>

#include "core/mem.h"
#include "image/codec.h"
#include "image/codec_limits.h"
#include "image/exif.h"
#include "image/jpeg_baseline.h"

// The accurate DCT gives the same pixels with and without SIMD. A warning means that pixels were guessed: the
// image is refused, so there is no use in going on after the first.
enum { DECODE_FLAGS = TJFLAG_ACCURATEDCT | TJFLAG_LIMITSCANS | TJFLAG_STOPONWARNING };

// Markers (ITU-T T.81, table B.1).
enum {
  MARKER_TEM = 0x01,
  MARKER_SOF0 = 0xC0,
  MARKER_SOF2 = 0xC2,
  MARKER_DHT = 0xC4,
  MARKER_JPG = 0xC8,
  MARKER_SOF9 = 0xC9,
  MARKER_SOF11 = 0xCB,
  MARKER_DAC = 0xCC,
  MARKER_SOF15 = 0xCF,
  MARKER_RST0 = 0xD0,
  MARKER_RST7 = 0xD7,
  MARKER_SOI = 0xD8,
  MARKER_EOI = 0xD9,
  MARKER_SOS = 0xDA,
  MARKER_APP1 = 0xE1
};

struct jpeg_header {
  int width, height, orientation;
};

static int two_bytes(const uint8_t *at)
{
  return at[0] << 8 | at[1];
}

static enum status cut_header(size_t size, struct error *error)
{
  return fail(error, BAD_DATA, "truncated: the file ends inside its header, after %zu bytes", size);
}

static enum status read_frame(int marker, const uint8_t *segment, size_t length, size_t file_bytes,
                              struct jpeg_header *header, struct error *error)
{
  if (marker >= MARKER_SOF9 && marker <= MARKER_SOF11)
    return fail(error, BAD_DATA, "unsupported: an arithmetic-coded JPEG");
  if (marker > MARKER_SOF2)
    return fail(error, BAD_DATA, "unsupported: a lossless or hierarchical JPEG (SOF%d)", marker - MARKER_SOF0);
  if (length < 6) return fail(error, BAD_DATA, "corrupt: a JPEG frame header of %zu bytes", length);
  int components = segment[5];
  if (segment[0] != 8) return fail(error, BAD_DATA, "unsupported: a JPEG of %d bits a sample", segment[0]);
  if (components == 4) return fail(error, BAD_DATA, "unsupported: a JPEG of four colours (CMYK or YCCK)");
  if (components != 1 && components != 3)
    return fail(error, BAD_DATA, "unsupported: a JPEG of %d components", components);
  header->height = two_bytes(segment + 1);
  header->width = two_bytes(segment + 3);
  // An 8x8 block costs at least one bit in some scan.
  return codec_check_extent((uint64_t)header->width, (uint64_t)header->height, 8 * 64, file_bytes, error);
}

// Walks the segments up to the frame header, as strictly as libjpeg does with warnings as errors, so that
// both see the same frame. Needed before TurboJPEG: its own header call leaves the size unwritten for some
// broken files and cannot tell what kind of JPEG it refuses.
static enum status read_header(const uint8_t *bytes, size_t size, struct jpeg_header *header, struct error *error)
{
  *header = (struct jpeg_header){.orientation = 1};
  for (size_t at = 2;;) {
    if (at >= size) return cut_header(size, error);
    if (bytes[at] != 0xFF) return fail(error, BAD_DATA, "corrupt: byte %zu is not a JPEG marker", at);
    while (at < size && bytes[at] == 0xFF) at++; // fill bytes
    if (at >= size) return cut_header(size, error);
    int marker = bytes[at++];
    if (marker == MARKER_TEM || (marker >= MARKER_RST0 && marker <= MARKER_RST7)) continue;
    if (marker == 0 || marker == MARKER_SOI || marker == MARKER_EOI || marker == MARKER_SOS)
      return fail(error, BAD_DATA, "corrupt: marker FF%02X before any frame", (unsigned)marker);
    if (size - at < 2) return cut_header(size, error);
    size_t length = (size_t)two_bytes(bytes + at);
    if (length < 2) return fail(error, BAD_DATA, "corrupt: segment FF%02X has no length", (unsigned)marker);
    if (size - at < length) return cut_header(size, error);
    const uint8_t *segment = bytes + at + 2;
    size_t held = length - 2;
    if (marker >= MARKER_SOF0 && marker <= MARKER_SOF15 && marker != MARKER_DHT && marker != MARKER_JPG &&
        marker != MARKER_DAC)
      return read_frame(marker, segment, held, size, header, error);
    if (marker == MARKER_APP1 && held > 6 && !memcmp(segment, "Exif\0", 6))
      header->orientation = exif_orientation(segment + 6, held - 6);
    at += length;
  }
}

// TurboJPEG's words as ours.
static enum status refused(const char *message, struct error *error)
{
  static const struct {
    const char *part, *word;
  } words[] = {
      {"Premature end", "truncated"}, {"scans", "too-large"},           {"Unsupported", "unsupported"},
      {"Sorry", "unsupported"},       {"not supported", "unsupported"},
  };
  if (strstr(message, "nsufficient memory")) return fail(error, OUT_OF_MEMORY, "TurboJPEG: %s", message);
  const char *word = "corrupt";
  for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
    if (!strstr(message, words[i].part)) continue;
    word = words[i].word;
    break;
  }
  return fail(error, BAD_DATA, "%s: %s", word, message);
}

// The inverse DCTs of 4, 2 and 1 pixels a side give the means of what the one of 8 gives (jidctred.c of libjpeg), at a
// quarter of the arithmetic; sizes between (5/8, 3/4, ...) are neither means nor fast.
static int reduction_of(const struct jpeg_header *header, int least)
{
  int by = 1, shorter = header->width < header->height ? header->width : header->height;
  if (least <= 0) return 1;
  while (by < 8 && header->width % (2 * by) == 0 && header->height % (2 * by) == 0 && shorter / (2 * by) >= least)
    by *= 2;
  return by;
}

static enum status decode_pixels(struct jpeg_decoder *decoder, const uint8_t *bytes, size_t size,
                                 const struct jpeg_header *header, int least, struct image *image, struct error *error)
{
  int reduction = reduction_of(header, least), width = header->width / reduction, height = header->height / reduction;
  enum status status = image_reshape(image, width, height, error);
  if (status) return status;
  if (!decoder->baseline) decoder->baseline = jpeg_baseline_new();
  if (decoder->baseline &&
      jpeg_baseline_decode(decoder->baseline, bytes, size, header->width, header->height, reduction, image->pixels))
    return OK;
  if (!decoder->handle) decoder->handle = tjInitDecompress();
  if (!decoder->handle) return fail(error, OUT_OF_MEMORY, "out of memory: a JPEG decoder");
  if (!tjDecompress2(decoder->handle, bytes, size, image->pixels, width, width * IMAGE_CHANNELS, height, TJPF_RGB,
                     DECODE_FLAGS))
    return OK;
  status = refused(tjGetErrorStr2(decoder->handle), error);
  tjDestroy(decoder->handle); // 2.1.5 may refuse good files after a bad one
  decoder->handle = NULL;
  return status;
}

enum status jpeg_decode(struct jpeg_decoder *decoder, const uint8_t *bytes, size_t size, int least, struct image *image,
                        struct error *error)
{
  struct jpeg_header header;
  enum status status = read_header(bytes, size, &header, error);
  if (status) return status;
  if (header.orientation == 1) return decode_pixels(decoder, bytes, size, &header, least, image, error);
  status = decode_pixels(decoder, bytes, size, &header, least, &decoder->sideways, error);
  return status ? status : exif_turn(&decoder->sideways, header.orientation, image, error);
}

void jpeg_decoder_release(struct jpeg_decoder *decoder)
{
  if (decoder->handle) tjDestroy(decoder->handle);
  jpeg_baseline_free(decoder->baseline);
  image_release(&decoder->sideways);
  *decoder = (struct jpeg_decoder){0};
}

enum status encode_jpeg(const struct image *image, int quality, uint8_t **bytes, size_t *size, struct error *error)
{
  *bytes = NULL;
  *size = 0;
  unsigned long limit = tjBufSize(image->width, image->height, TJSAMP_420), length = limit;
  if (limit == (unsigned long)-1)
    return fail(error, BAD_DATA, "cannot encode %d x %d pixels as JPEG", image->width, image->height);
  void *buffer = NULL;
  enum status status = mem_zeroed(&buffer, limit, 1, "an encoded image", error);
  if (status) return status;
  tjhandle handle = tjInitCompress();
  unsigned char *out = buffer;
  if (!handle) {
    status = fail(error, OUT_OF_MEMORY, "out of memory: a JPEG encoder");
  } else if (tjCompress2(handle, image->pixels, image->width, image->width * IMAGE_CHANNELS, image->height, TJPF_RGB,
                         &out, &length, TJSAMP_420, quality, TJFLAG_ACCURATEDCT | TJFLAG_NOREALLOC)) {
    status = fail(error, FAILED, "cannot encode a JPEG: %s", tjGetErrorStr2(handle));
  }
  if (handle) tjDestroy(handle);
  if (status) {
    free(buffer);
    return status;
  }
  *bytes = buffer;
  *size = length;
  return OK;
}
