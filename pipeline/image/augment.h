// Augmentation of hand photographs: what is drawn (a pure function of seed, image, variant), what is
// recorded, and how it is applied. The same code serves the augment stage, training on the fly, and replay:
// equal parameters give equal pixels, on every machine (pixels are computed in integers).
//
//   struct augment_parameters p = augment_draw(&recipe, seed, image_id, epoch);
//   augment_apply(&p, source, width, height, out);
//   augment_to_json(&p, text);        // recorded per row; augment_from_json reads it back
//
// Horizontal flips are off by default: a mirrored hand is another signer's hand at best. Rotation is capped
// at 30 degrees, because some letters differ by little else.
//
// To add an operation: a range in the recipe, a field in the parameters with a value that does nothing, a
// draw at the END of augment_draw (earlier draws keep their numbers), a row in the table of augment.c, its
// pixels in augment_apply.c, a key in config/keys_table.c, and a test.
#ifndef IMAGE_AUGMENT_H
#define IMAGE_AUGMENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/status.h"

// Ranges; 0 (or 0 probability) switches an operation off.
struct augment_recipe {
  float rotate;     // degrees, either way; at most 30
  float translate;  // share of the side, either way; 0..0.5
  float zoom;       // scale in [1 - zoom, 1 + zoom]; 0..0.9
  float shear;      // degrees, either way; at most 20
  float brightness; // factor in [1 - b, 1 + b]; 0..0.9
  float contrast;   // factor in [1 - c, 1 + c]; 0..0.9
  float saturation; // factor in [1 - s, 1 + s]; 0..0.9
  float noise;      // standard deviation of grey levels, drawn in [0, noise]; 0..64
  float flip;       // probability of a horizontal flip
};

// Applied in this order: flip, zoom, shear, rotate (about the centre), translate; saturation, brightness,
// contrast; noise.
struct augment_parameters {
  float rotate;                   // degrees, counter-clockwise
  float translate_x, translate_y; // shares of width and height, to the right and down
  float zoom;                     // factor; above 1 enlarges
  float shear;                    // degrees: a pixel moves right by tan(shear) times its distance below the centre
  float brightness, contrast,
      saturation;      // factors; contrast about mid-grey 127.5, saturation about Rec. 601 luma
  float noise;         // standard deviation, in levels of 0..255
  int flip;            // 1: mirrored left to right
  uint64_t noise_seed; // below 2^53, so that every reader of JSON keeps it
};

enum { AUGMENT_JSON_LIMIT = 512 };

// Parameters that change nothing.
struct augment_parameters augment_identity(void);

bool augment_recipe_is_off(const struct augment_recipe *recipe);

// Every operation takes its own number of the stream (seed, RNG_AUGMENT, image, variant) whether it is on or
// off, so that switching one on does not change another's draw.
struct augment_parameters augment_draw(const struct augment_recipe *recipe, uint64_t seed, uint64_t image,
                                       uint64_t variant);

void augment_to_json(const struct augment_parameters *parameters, char text[AUGMENT_JSON_LIMIT]);

// Reads what augment_to_json wrote, to the same bits. BAD_DATA for anything missing, unknown or beyond the
// recipe's limits.
enum status augment_from_json(struct augment_parameters *parameters, const char *text, struct error *error);

// source and out are [height, width, 3] and do not overlap; sides up to 16,384. Bilinear sampling; outside
// the source the picture is mirrored at its edge. Parameters within the recipe's limits. No allocation: safe
// in a training thread.
void augment_apply(const struct augment_parameters *parameters, const uint8_t *source, int width, int height,
                   uint8_t *out);

#endif
