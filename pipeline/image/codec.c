#include "image/codec.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "core/mem.h"
#include "image/codec_jpeg.h"
#include "image/codec_png.h"

struct decoder {
  struct jpeg_decoder jpeg;
  struct png_decoder png;
};

// The first bytes of what people mistake for a photograph, so that the reason can name it.
struct magic {
  size_t offset, length;
  const char *bytes, *reason;
};
static const struct magic known[] = {
    {0, 6, "GIF87a", "unsupported: a GIF image"},
    {0, 6, "GIF89a", "unsupported: a GIF image"},
    {8, 4, "WEBP", "unsupported: a WebP image"},
    {0, 4, "II*\0", "unsupported: a TIFF image"},
    {0, 4, "MM\0*", "unsupported: a TIFF image"},
    {0, 2, "BM", "unsupported: a BMP image"},
    {4, 8, "ftypavif", "unsupported: an AVIF image"},
    {4, 7, "ftyphei", "unsupported: a HEIF image"},
    {4, 8, "ftypmif1", "unsupported: a HEIF image"},
    {4, 4, "ftyp", "unsupported: a film or an ISO media file"},
    {0, 2, "\xFF\x0A", "unsupported: a JPEG XL image"},
    {4, 8, "JXL \r\n\x87\n", "unsupported: a JPEG XL image"},
    {4, 8, "jP  \r\n\x87\n", "unsupported: a JPEG 2000 image"},
    {0, 4, "8BPS", "unsupported: a Photoshop image"},
    {0, 4, "\x76\x2F\x31\x01", "unsupported: an OpenEXR image"},
    {128, 4, "DICM", "unsupported: a DICOM image"},
    {0, 4, "%PDF", "not-an-image: a PDF document"},
    {0, 4, "PK\3\4", "not-an-image: a ZIP archive"},
    {0, 2, "\x1F\x8B", "not-an-image: a gzip archive"},
    {0, 4,
     "\x7F"
     "ELF",
     "not-an-image: a program"},
};

const char *image_format_name(enum image_format format)
{
  return format == IMAGE_PNG ? "png" : "jpeg";
}

enum status decoder_new(struct decoder **out, struct error *error)
{
  void *decoder = NULL;
  enum status status = mem_zeroed(&decoder, 1, sizeof **out, "a decoder", error);
  *out = decoder;
  return status;
}

void decoder_free(struct decoder *decoder)
{
  if (!decoder) return;
  jpeg_decoder_release(&decoder->jpeg);
  png_decoder_release(&decoder->png);
  free(decoder);
}

static bool begins_with(const uint8_t *bytes, size_t size, size_t offset, const char *magic, size_t length)
{
  return size >= offset + length && !memcmp(bytes + offset, magic, length);
}

static bool is_text(const uint8_t *bytes, size_t size)
{
  for (size_t i = 0; i < size && i < 512; i++)
    if (bytes[i] == 0x7F || (bytes[i] < ' ' && !memchr("\t\n\f\r\033", bytes[i], 5))) return false;
  return true;
}

static enum status refuse_unknown(const uint8_t *bytes, size_t size, struct error *error)
{
  for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
    const struct magic *magic = &known[i];
    if (begins_with(bytes, size, magic->offset, magic->bytes, magic->length))
      return fail(error, BAD_DATA, "%s", magic->reason);
  }
  if (is_text(bytes, size))
    return fail(error, BAD_DATA, bytes[0] == '<' ? "not-an-image: HTML or XML text" : "not-an-image: text");
  return fail(error, BAD_DATA, "not-an-image: begins with bytes %02x %02x %02x, neither JPEG nor PNG", bytes[0],
              bytes[1], bytes[2]);
}

enum status decode(struct decoder *decoder, const uint8_t *bytes, size_t size, struct image *image,
                   enum image_format *format, struct error *error)
{
  return decode_reduced(decoder, bytes, size, 0, image, format, error);
}

enum status decode_reduced(struct decoder *decoder, const uint8_t *bytes, size_t size, int least, struct image *image,
                           enum image_format *format, struct error *error)
{
  if (!size) return fail(error, BAD_DATA, "empty: 0 bytes");
  if (size < 3) return fail(error, BAD_DATA, "too-small: %zu bytes", size);
  if (size > DECODE_FILE_LIMIT)
    return fail(error, BAD_DATA, "too-large: %zu bytes, at most %d are allowed", size, DECODE_FILE_LIMIT);
  if (begins_with(bytes, size, 0, "\xFF\xD8\xFF", 3)) {
    *format = IMAGE_JPEG;
    return jpeg_decode(&decoder->jpeg, bytes, size, least, image, error);
  }
  if (begins_with(bytes, size, 0, "\x89PNG\r\n\x1A\n", 8)) {
    *format = IMAGE_PNG;
    return png_decode(&decoder->png, bytes, size, image, error);
  }
  return refuse_unknown(bytes, size, error);
}
