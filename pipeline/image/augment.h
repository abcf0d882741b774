// Augmentation of hand photographs: what is drawn (a pure function of seed, image, variant), what is
// recorded, and how it is applied. The same code serves the augment stage, training on the fly, and replay:
// equal parameters give equal pixels, on every machine (pixels are computed in integers).
//
//   struct augment_parameters p = augment_draw(&recipe, seed, image_id, epoch);
//   augment_apply(&p, source, NULL, width, height, out);
//   augment_to_json(&p, text);        // recorded per row
//
// Horizontal flips are off by default: a mirrored hand is another signer's hand at best. Rotation is capped
// at 30 degrees, because some letters differ by little else.
//
// To add an operation: a range in the recipe, a field in the parameters with a value that does nothing, a
// draw at the END of augment_draw (earlier draws keep their numbers), a row in the table of augment.c, a term
// in augment_recipe_is_off (without it whoever asks for this operation alone trains unaugmented), its pixels in
// augment_apply.c (augment_geometry.c, augment_camera.c), a key in config/keys_table.c, its line in
// settings_augment (keys/settings.c), and a test.
#ifndef IMAGE_AUGMENT_H
#define IMAGE_AUGMENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/status.h"

// The picture mirrored at its edge; its edge pixels drawn out; a colour, drawn anew each time; one of these, drawn.
enum augment_border { BORDER_MIRROR, BORDER_EDGE, BORDER_COLOUR, BORDER_MIXED };

// The picture's own; a texture; a photograph without a hand.
enum augment_background { BACKGROUND_OWN, BACKGROUND_TEXTURE, BACKGROUND_PICTURE };

// Ranges; 0 (or 0 probability) switches an operation off.
struct augment_recipe {
  float rotate;      // degrees, either way; at most 30
  float translate;   // share of the side, either way; 0..0.5
  float zoom;        // scale in [1 - zoom, 1 + zoom]; 0..0.9
  float shear;       // degrees, either way; at most 20
  float brightness;  // factor in [1 - b, 1 + b]; 0..0.9
  float contrast;    // factor in [1 - c, 1 + c]; 0..0.9
  float saturation;  // factor in [1 - s, 1 + s]; 0..0.9
  float noise;       // standard deviation of grey levels, drawn in [0, noise]; 0..64
  float flip;        // probability of a horizontal flip
  float zoom_out;    // scale down to 1 - zoom_out, where that is below 1 - zoom; half of all draws are below 1; 0..0.9
  float aspect;      // width over height times a factor in [1 / (1 + a), 1 + a], area kept; 0..1
  float perspective; // how much nearer one side is, either way, across and down; 0..0.2
  float hue;         // degrees, either way; at most 180
  float grey;        // probability of a picture without colour
  float gain;        // factor of each channel in [1 - g, 1 + g]: white balance; 0..0.5
  float gamma;       // exponent in [1 / (1 + g), 1 + g]; 0..1
  enum augment_border border; // what is seen outside the picture

  float background;          // probability of another background, where the hand can be told from the old one
  float background_pictures; // share of those that are photographs without a hand, where there are any; 0..1
  float shadow;              // strength, drawn in [0, shadow] for every other picture; 0..0.9
  float erase;               // probability of a rectangle over the picture, of 4 % to 25 % of its area
  float blur;                // Gaussian's standard deviation in pixels, in [0, blur] for every other picture; 0..3
  float motion;              // pixels moved while the shutter was open, likewise; 0..12
  float resolution;          // sides smaller by a factor in [1 - r, 1], and back, for every other picture; 0..0.7
  float jpeg;                // probability of JPEG's losses at a quality of 15 to 85
};

// Applied in this order: flip, zoom with aspect, shear, rotate (about the centre), translate, perspective; gain, hue,
// saturation or grey, brightness, contrast; gamma; noise. Another background takes its place with the first of these; a
// shadow falls before colours, erasing comes after them; resolution, motion and blur before noise; JPEG last.
struct augment_parameters {
  float rotate;                   // degrees, counter-clockwise
  float translate_x, translate_y; // shares of width and height, to the right and down
  float zoom;                     // factor; above 1 enlarges
  float shear;                    // degrees: a pixel moves right by tan(shear) times its distance below the centre
  float brightness, contrast, saturation; // factors; contrast about mid-grey 127.5, saturation about Rec. 601 luma
  float noise;                            // standard deviation, in levels of 0..255
  float aspect;                           // factor of width over height
  float perspective_x,
      perspective_y;            // p: the right (lower) edge is 1 + p times as near as the centre, the other 1 - p times
  float hue;                    // degrees about the grey axis, from red to yellow
  float gain_r, gain_g, gain_b; // factors
  float gamma;                  // exponent of levels in 0..1: above 1 darkens what is between black and white
  float shadow;                 // 0..1: darkness where it is whole
  float shadow_angle, shadow_at;   // degrees its edge is turned; where it begins, in half diagonals from the centre
  float shadow_soft;               // how wide its edge is, in half diagonals
  float erase_x, erase_y;          // left upper corner, shares of the sides
  float erase_width, erase_height; // shares of the sides
  float blur;                      // standard deviation in pixels
  float motion;                    // pixels
  float resolution;                // factor of the sides
  int flip;                        // 1: mirrored left to right
  int grey;                        // 1: luma alone
  int border;                      // BORDER_MIRROR, BORDER_EDGE or BORDER_COLOUR
  int border_colour;               // 0xRRGGBB, for BORDER_COLOUR
  int background;                  // BACKGROUND_OWN, _TEXTURE or _PICTURE
  int background_seed;             // which, and how it lies
  int erase;                       // 1: with one colour, 2: with a texture
  int erase_colour;                // 0xRRGGBB; the texture's seed
  int motion_direction;            // 0: across, 1: down, 2: down to the right, 3: down to the left
  int jpeg;                        // quality; 0: none
  uint64_t noise_seed;             // below 2^53, so that every reader of JSON keeps it
};

enum { AUGMENT_JSON_LIMIT = 2048, AUGMENT_SOFT_SIDE = 256 };

// Parameters that change nothing.
struct augment_parameters augment_identity(void);

// True if every picture stays what it is: a border, or what backgrounds are taken from, switches nothing on.
bool augment_recipe_is_off(const struct augment_recipe *recipe);

// Every operation takes its own number of the stream (seed, RNG_AUGMENT, image, variant) whether it is on or
// off, so that switching one on does not change another's draw.
struct augment_parameters augment_draw(const struct augment_recipe *recipe, uint64_t seed, uint64_t image,
                                       uint64_t variant);

void augment_to_json(const struct augment_parameters *parameters, char text[AUGMENT_JSON_LIMIT]);

// Reads what augment_to_json wrote, to the same bits. BAD_DATA for anything missing, unknown or beyond the
// recipe's limits. The promise that a recorded picture can be made again rests on it: tests replay pictures from
// their JSON alone.
enum status augment_from_json(struct augment_parameters *parameters, const char *text, struct error *error);

// source and out are [height, width, 3] and do not overlap; sides up to 16,384. Bilinear sampling. Parameters within
// the recipe's limits. No allocation: safe in a training thread.
//
// behind: [height, width, 3], a photograph to stand behind the hand for BACKGROUND_PICTURE; NULL where there is none: a
// texture stands in. Where no hand can be told from the background, it stays the picture's own. Blur, motion and
// resolution are skipped, though drawn and recorded, where a side is above AUGMENT_SOFT_SIDE.
void augment_apply(const struct augment_parameters *parameters, const uint8_t *source, const uint8_t *behind, int width,
                   int height, uint8_t *out);

#endif
