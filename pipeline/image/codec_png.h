// PNG by libspng, behind codec.h. Every kind becomes 8-bit RGB: grey and palettes are spread out, of 16 bits
// the upper 8 are kept, and transparency (alpha or tRNS) is laid over white, which is what a viewer's page
// shows behind it; gamma and colour profiles are not applied. All checksums must be right and the end chunk
// must be there. Animated PNG is refused.
#ifndef IMAGE_CODEC_PNG_H
#define IMAGE_CODEC_PNG_H

#include <stddef.h>
#include <stdint.h>

#include "core/status.h"
#include "image/image.h"

struct png_decoder {
  struct image sideways; // a picture that EXIF says is to be turned
  uint8_t *rgba;         // a picture with transparency
  size_t capacity;       // bytes at `rgba`
};

enum status png_decode(struct png_decoder *decoder, const uint8_t *bytes, size_t size, struct image *image,
                       struct error *error);
void png_decoder_release(struct png_decoder *decoder);

#endif
