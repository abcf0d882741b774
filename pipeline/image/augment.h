// Augmentation of hand photographs: what is drawn (a pure function of seed, image, variant), what is recorded, and how it is
// applied. The same code serves the augment stage, training on the fly, and replay: equal parameters give equal pixels.
//
//   struct augment_parameters p = augment_draw(&recipe, seed, image_id, epoch);
//   augment_apply(&p, source, width, height, out, scratch);
//   augment_to_json(&p, text);        // recorded per row; augment_from_json reads it back
//
// Horizontal flips are off by default: a mirrored hand is another signer's hand at best. Rotation is capped at 30 degrees,
// because some letters differ by little else.
#ifndef IMAGE_AUGMENT_H
#define IMAGE_AUGMENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/status.h"

// Ranges; 0 (or 0 probability) switches an operation off.
struct augment_recipe {
  float rotate;      // degrees, either way; at most 30
  float translate;   // share of the side, either way; 0..0.5
  float zoom;        // scale in [1 - zoom, 1 + zoom]; 0..0.9
  float shear;       // degrees, either way; at most 20
  float brightness;  // factor in [1 - b, 1 + b]; 0..0.9
  float contrast;    // factor in [1 - c, 1 + c]
  float saturation;  // factor in [1 - s, 1 + s]
  float noise;       // standard deviation of grey levels, drawn in [0, noise]; 0..64
  float flip;        // probability of a horizontal flip
};

struct augment_parameters {
  float rotate, translate_x, translate_y, zoom, shear; // degrees, pixels of the unit square, factor, degrees
  float brightness, contrast, saturation, noise;       // factors; standard deviation
  int flip;
  uint64_t noise_seed;
};

enum { AUGMENT_JSON_LIMIT = 512 };

bool augment_recipe_is_off(const struct augment_recipe *recipe);
struct augment_parameters augment_draw(const struct augment_recipe *recipe, uint64_t seed, uint64_t image,
                                       uint64_t variant);
void augment_to_json(const struct augment_parameters *parameters, char text[AUGMENT_JSON_LIMIT]);
enum status augment_from_json(struct augment_parameters *parameters, const char *text, struct error *error);

// source and out are [height, width, 3] and do not overlap. Outside the source the edge is reflected. No allocation:
// safe in a training thread.
void augment_apply(const struct augment_parameters *parameters, const uint8_t *source, int width, int height,
                   uint8_t *out);

#endif
