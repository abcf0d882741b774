// What every decoder checks on the header, before it asks for memory.
#ifndef IMAGE_CODEC_LIMITS_H
#define IMAGE_CODEC_LIMITS_H

#include <stdint.h>

#include "core/status.h"

// Refuses an image without pixels, one beyond DECODE_SIDE_LIMIT or DECODE_PIXEL_LIMIT, and one with more than
// `pixels_a_byte` times as many pixels as its file has bytes: more than the format can express, so a bomb or
// a stump.
enum status codec_check_extent(uint64_t width, uint64_t height, uint64_t pixels_a_byte, uint64_t file_bytes,
                               struct error *error);

#endif
