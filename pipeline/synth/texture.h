// What surfaces of a room look like: painted walls, wood, carpet, bricks, blinds, books, keys, print, leaves, ...
// All colours are linear light, not sRGB.
#ifndef SYNTH_TEXTURE_H
#define SYNTH_TEXTURE_H

#include <stdint.h>

enum texture {
  TEXTURE_PAINT,  // plaster under paint
  TEXTURE_PLANKS, // along u
  TEXTURE_CARPET,
  TEXTURE_BRICKS, // in running bond
  TEXTURE_TILES,
  TEXTURE_BLINDS,  // slats along u, light between them
  TEXTURE_CURTAIN, // folds along v
  TEXTURE_BOOKS,   // shelves along u
  TEXTURE_KEYS,    // of a keyboard
  TEXTURE_PRINT,   // lines of text along u
  TEXTURE_LEAVES,
  TEXTURE_LAWN,
  TEXTURE_CLOTH,   // woven, with stripes
  TEXTURE_PICTURE, // patches of colours: a poster, a screen, a heap of things
  TEXTURE_OUTSIDE, // what is seen through a window: sky over leaves
  TEXTURE_KINDS
};

struct surface {
  enum texture texture;
  float base[3], other[3]; // two colours, 0..1: of paint and stains, of bricks and mortar, ...
  float scale;             // of the pattern, as a factor of its natural size
  float contrast;          // 0..1
  float glow;              // light of its own, as a factor of its colour; 0: it only reflects
  uint32_t seed;
};

// The colour at (u, v), in metres along the surface (v upwards on a wall), for a pixel that covers `footprint` metres.
// Reflectance where surface->glow is 0.
void texture_at(const struct surface *surface, float u, float v, float footprint, float out[3]);

#endif
