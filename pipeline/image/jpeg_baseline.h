// A fast way through the plainest JPEG files: baseline, one scan, grey or 4:4:4 or 4:2:0 as JFIF has them, no restart
// markers. Its pixels are TurboJPEG's to the bit (accurate DCT, triangle-filter upsampling), in about a third of the
// time: tables are kept from file to file, codes are looked up with their coefficients (image/jpeg_scan.h), and nothing
// is allocated for an image.
//
// It knows no errors: what is unusual or broken in any way is left to TurboJPEG, whose word counts.
#ifndef IMAGE_JPEG_BASELINE_H
#define IMAGE_JPEG_BASELINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct jpeg_baseline; // one thread's tables and buffers

struct jpeg_baseline *jpeg_baseline_new(void); // NULL: out of memory
void jpeg_baseline_free(struct jpeg_baseline *decoder);

// Decodes width x height pixels at 1 / reduction of its sides, which `reduction` divides, into out: [height /
// reduction, width / reduction, 3]. False where the file is for TurboJPEG; what is in `out` is then undefined. The
// sides are those of the frame header, orientation left aside.
bool jpeg_baseline_decode(struct jpeg_baseline *decoder, const uint8_t *bytes, size_t size, int width, int height,
                          int reduction, uint8_t *out);

#endif
