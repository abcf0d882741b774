#include "image/codec_limits.h"

#include "image/codec.h"

enum status codec_check_extent(uint64_t width, uint64_t height, uint64_t pixels_a_byte, uint64_t file_bytes,
                               struct error *error)
{
  unsigned long long w = width, h = height;
  if (!width || !height) return fail(error, BAD_DATA, "corrupt: %llu x %llu pixels", w, h);
  if (width > DECODE_SIDE_LIMIT || height > DECODE_SIDE_LIMIT)
    return fail(error, BAD_DATA, "too-large: %llu x %llu pixels, at most %d a side are allowed", w, h,
                DECODE_SIDE_LIMIT);
  if (width * height > DECODE_PIXEL_LIMIT)
    return fail(error, BAD_DATA, "too-large: %llu x %llu pixels, at most %d in all are allowed", w, h,
                DECODE_PIXEL_LIMIT);
  if (width * height / pixels_a_byte > file_bytes)
    return fail(error, BAD_DATA, "truncated: %llu x %llu pixels cannot be in %llu bytes", w, h,
                (unsigned long long)file_bytes);
  return OK;
}
