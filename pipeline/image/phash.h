// Perceptual measures of an image: a 64-bit difference hash, mean brightness, and sharpness. Integer sums
// throughout: the same values on every machine.
//
// dHash (N. Krawetz, "Kind of Like That", 2013): the grey image as 8 rows of 9 cells, each cell the mean of
// its pixels; a bit for each pair of neighbours in a row, 1 where the right one is brighter; the upper left
// pair is the highest bit. Frames that look alike differ in few bits.
#ifndef IMAGE_PHASH_H
#define IMAGE_PHASH_H

#include <stdint.h>

#include "image/image.h"

struct image_measures {
  uint64_t dhash;
  float brightness; // mean grey (Rec. 601 luma), 0..255
  float sharpness;  // variance of the 4-neighbour Laplacian inside the edge; 0 for images of fewer than 3x3
                    // pixels
};

enum status image_measure(const struct image *image, struct image_measures *out, struct error *error);

#endif
