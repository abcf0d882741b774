#include "image/codec_png.h"

#include <spng.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "core/mem.h"
#include "image/codec.h"
#include "image/codec_limits.h"
#include "image/exif.h"

enum { SIGNATURE_BYTES = 8, CHUNK_FRAME_BYTES = 12, RGBA_KEPT_BYTES = 16 << 20 };

struct png_header {
  uint32_t width, height;
  bool transparent;
};

static uint32_t four_bytes(const uint8_t *at)
{
  return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

static enum status read_ihdr(const uint8_t *data, uint32_t length, size_t file_bytes, struct png_header *header,
                             struct error *error)
{
  if (length != 13) return fail(error, BAD_DATA, "corrupt: a PNG header chunk of %u bytes", (unsigned)length);
  header->width = four_bytes(data);
  header->height = four_bytes(data + 4);
  header->transparent = data[9] & 4; // colour types 4 and 6 have alpha
  // Deflate packs at most 1,032 to 1, and a byte holds at most eight pixels.
  return codec_check_extent(header->width, header->height, 8 * 1032, file_bytes, error);
}

// Walks all chunks for what libspng does not say early enough (size, transparency) or not at all (animation,
// an end chunk that lacks its last bytes).
static enum status read_chunks(const uint8_t *bytes, size_t size, struct png_header *header, struct error *error)
{
  *header = (struct png_header){0};
  for (size_t at = SIGNATURE_BYTES;;) {
    if (size - at < CHUNK_FRAME_BYTES) break;
    uint32_t length = four_bytes(bytes + at);
    const uint8_t *type = bytes + at + 4;
    bool first = at == SIGNATURE_BYTES;
    if (first != !memcmp(type, "IHDR", 4)) return fail(error, BAD_DATA, "corrupt: a PNG without its header chunk");
    if (!memcmp(type, "acTL", 4)) return fail(error, BAD_DATA, "unsupported: an animated PNG");
    if (!memcmp(type, "tRNS", 4)) header->transparent = true;
    if (length > size - at - CHUNK_FRAME_BYTES) break;
    enum status status = first ? read_ihdr(type + 4, length, size, header, error) : OK;
    if (status) return status;
    if (!memcmp(type, "IEND", 4)) return OK;
    at += (size_t)length + CHUNK_FRAME_BYTES;
  }
  return fail(error, BAD_DATA, "truncated: the file ends before its end chunk, after %zu bytes", size);
}

static enum status refused(int code, struct error *error)
{
  if (code == SPNG_EMEM) return fail(error, OUT_OF_MEMORY, "out of memory: decoding a PNG");
  const char *word = code == SPNG_IO_EOF || code == SPNG_EIDAT_TOO_SHORT ? "truncated" : "corrupt";
  return fail(error, BAD_DATA, "%s: PNG: %s", word, spng_strerror(code));
}

static void lay_over_white(const uint8_t *rgba, uint8_t *rgb, size_t pixels)
{
  for (size_t i = 0; i < pixels; i++) {
    unsigned alpha = rgba[4 * i + 3];
    for (size_t c = 0; c < IMAGE_CHANNELS; c++)
      rgb[3 * i + c] = (uint8_t)((rgba[4 * i + c] * alpha + 255 * (255 - alpha) + 127) / 255);
  }
}

static enum status decode_transparent(struct png_decoder *decoder, spng_ctx *png, struct image *image,
                                      struct error *error)
{
  size_t pixels = (size_t)image->width * (size_t)image->height;
  if (decoder->capacity < 4 * pixels || decoder->capacity > RGBA_KEPT_BYTES) {
    free(decoder->rgba);
    decoder->capacity = 0;
    void *rgba = NULL;
    enum status status = mem_zeroed(&rgba, pixels, 4, "a transparent image", error);
    decoder->rgba = rgba;
    if (status) return status;
    decoder->capacity = 4 * pixels;
  }
  int code = spng_decode_image(png, decoder->rgba, 4 * pixels, SPNG_FMT_RGBA8, SPNG_DECODE_TRNS);
  if (code) return refused(code, error);
  lay_over_white(decoder->rgba, image->pixels, pixels);
  return OK;
}

static enum status decode_pixels(struct png_decoder *decoder, spng_ctx *png, const struct png_header *header,
                                 struct image *image, struct error *error)
{
  enum status status = image_reshape(image, (int)header->width, (int)header->height, error);
  if (status) return status;
  if (header->transparent) {
    status = decode_transparent(decoder, png, image, error);
  } else {
    size_t bytes = (size_t)header->width * header->height * IMAGE_CHANNELS;
    int code = spng_decode_image(png, image->pixels, bytes, SPNG_FMT_RGB8, 0);
    if (code) status = refused(code, error);
  }
  if (status) return status;
  int code = spng_decode_chunks(png); // up to the end chunk, which must be there
  return code ? refused(code, error) : OK;
}

static int orientation_of(spng_ctx *png)
{
  struct spng_exif exif;
  if (spng_get_exif(png, &exif)) return 1;
  return exif_orientation((const uint8_t *)exif.data, exif.length);
}

static enum status decode_with(struct png_decoder *decoder, spng_ctx *png, const uint8_t *bytes, size_t size,
                               const struct png_header *header, struct image *image, struct error *error)
{
  int code = spng_set_crc_action(png, SPNG_CRC_ERROR, SPNG_CRC_ERROR);
  if (!code) code = spng_set_image_limits(png, DECODE_SIDE_LIMIT, DECODE_SIDE_LIMIT);
  if (!code) code = spng_set_chunk_limits(png, DECODE_FILE_LIMIT, DECODE_FILE_LIMIT);
  if (!code) code = spng_set_png_buffer(png, bytes, size);
  int orientation = 1;
  if (!code) orientation = orientation_of(png); // reads the chunks before the pixels
  if (code) return refused(code, error);
  if (orientation == 1) return decode_pixels(decoder, png, header, image, error);
  enum status status = decode_pixels(decoder, png, header, &decoder->sideways, error);
  return status ? status : exif_turn(&decoder->sideways, orientation, image, error);
}

enum status png_decode(struct png_decoder *decoder, const uint8_t *bytes, size_t size, struct image *image,
                       struct error *error)
{
  struct png_header header;
  enum status status = read_chunks(bytes, size, &header, error);
  if (status) return status;
  spng_ctx *png = spng_ctx_new(0);
  if (!png) return fail(error, OUT_OF_MEMORY, "out of memory: a PNG decoder");
  status = decode_with(decoder, png, bytes, size, &header, image, error);
  spng_ctx_free(png);
  return status;
}

void png_decoder_release(struct png_decoder *decoder)
{
  image_release(&decoder->sideways);
  free(decoder->rgba);
  *decoder = (struct png_decoder){0};
}

enum status encode_png(const struct image *image, uint8_t **bytes, size_t *size, struct error *error)
{
  *bytes = NULL;
  *size = 0;
  spng_ctx *png = spng_ctx_new(SPNG_CTX_ENCODER);
  if (!png) return fail(error, OUT_OF_MEMORY, "out of memory: a PNG encoder");
  struct spng_ihdr header = {.width = (uint32_t)image->width,
                             .height = (uint32_t)image->height,
                             .bit_depth = 8,
                             .color_type = SPNG_COLOR_TYPE_TRUECOLOR};
  size_t length = (size_t)image->width * (size_t)image->height * IMAGE_CHANNELS;
  int code = spng_set_option(png, SPNG_ENCODE_TO_BUFFER, 1);
  if (!code) code = spng_set_ihdr(png, &header);
  if (!code) code = spng_encode_image(png, image->pixels, length, SPNG_FMT_PNG, SPNG_ENCODE_FINALIZE);
  if (!code) *bytes = spng_get_png_buffer(png, size, &code);
  enum status status = code ? fail(error, FAILED, "cannot encode a PNG: %s", spng_strerror(code)) : OK;
  spng_ctx_free(png);
  return status;
}
