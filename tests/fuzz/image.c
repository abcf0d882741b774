// JPEG and PNG files: decode() refuses or gives an image whose every pixel can be read. Of what it gives, decoding by
// our own reader of plain JPEG files and by TurboJPEG is compared in test_jpeg_baseline.
#include <string.h>

#include "fuzz.h"
#include "image/codec.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
  struct decoder *decoder = NULL;
  struct image image = {0};
  struct error error = {0};
  enum image_format format = IMAGE_JPEG;
  if (decoder_new(&decoder, &error)) abort();
  for (int least = 0; least <= 100; least += 100) {
    if (decode_reduced(decoder, bytes, size, least, &image, &format, &error)) continue;
    unsigned sum = 0;
    for (size_t i = 0; i < (size_t)image.width * (size_t)image.height * IMAGE_CHANNELS; i++) sum += image.pixels[i];
    if (sum > 255u * (size_t)image.width * (size_t)image.height * IMAGE_CHANNELS) abort();
  }
  image_release(&image);
  decoder_free(decoder);
  return 0;
}
