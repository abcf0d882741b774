// What the surface looks like at a point: skin, nails, creases, cloth.
#ifndef SYNTH_SKIN_H
#define SYNTH_SKIN_H

#include "synth/draw.h"

struct surface {
  float albedo[3];
  float gloss; // strength of the highlight
  float tight; // 0 broad highlight (skin) .. 1 narrow (nails)
  float soft;  // how far light wraps around (skin 1, cloth 0)
};

// `part` is the part whose surface the point is on; point and normal in the view's axes.
void surface_at(struct surface *surface, const struct view *view, const struct part *part, struct vector point,
                struct vector normal);

#endif
