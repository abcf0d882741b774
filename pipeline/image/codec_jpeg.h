// JPEG by TurboJPEG, and plain files by image/jpeg_baseline.h to the same bits, behind codec.h. Accepted: Huffman-coded
// baseline, extended and progressive files of 8 bits with one (grey) or three components. Whatever follows the end
// marker is ignored: phones put previews and films there.
#ifndef IMAGE_CODEC_JPEG_H
#define IMAGE_CODEC_JPEG_H

#include <stddef.h>
#include <stdint.h>

#include "core/status.h"
#include "image/image.h"

struct jpeg_baseline;

struct jpeg_decoder {
  struct jpeg_baseline *baseline; // likewise made when first needed: the fast way through plain files
  void *handle;                   // TurboJPEG's; made when it is first needed, thrown away after any failure
  struct image sideways;          // a picture that EXIF says is to be turned
};

// `least`: see decode_reduced.
enum status jpeg_decode(struct jpeg_decoder *decoder, const uint8_t *bytes, size_t size, int least, struct image *image,
                        struct error *error);
void jpeg_decoder_release(struct jpeg_decoder *decoder);

#endif
