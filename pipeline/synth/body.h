// The hand's flesh: parts, each a capsule whose radius changes along its axis, that melt into their neighbours.
//
// Distances are signed: negative inside. Parts of one group are joined in their order by a smooth minimum (Quilez,
// "Smooth minimum", the quadratic one) as wide as the part's `blend`; groups are joined by the plain minimum, so that
// fingers that touch keep their outlines.
#ifndef SYNTH_BODY_H
#define SYNTH_BODY_H

#include "synth/skeleton.h"

enum part_group { GROUP_PALM, GROUP_FINGER, GROUP_THUMB = GROUP_FINGER + HAND_FINGERS, GROUP_SLEEVE };

// What a part's surface looks like.
enum part_kind {
  PART_PALM,
  PART_ARM,
  PART_ROOT, // a digit's first phalanx, whose skin goes over into the palm's
  PART_PHALANX,
  PART_TIP,
  PART_SLEEVE
};

struct part {
  struct vector a, along;      // its axis begins at a and ends at a + along
  struct vector slope;         // along / |along|^2
  float radius, growth, bulge; // at share h of the axis: radius + h * (growth + bulge * (1 - h))
  float blend;                 // cm over which it melts into its group
  float largest;               // no radius is above it
  enum part_group group;
  enum part_kind kind;
  struct axes axes; // the bone's, at its nearer end (of the palm, the hand's; of arm and sleeve, the forearm's)
  float bone;       // the bone's length
  bool cut;         // flat at its first end: nothing of it lies beyond a, seen from the axis
};

enum { PART_LIMIT = 64 };

struct body {
  int count;
  struct part part[PART_LIMIT]; // by group
};

// In the hand's axes.
void body_of(struct body *body, const struct skeleton *skeleton, const struct hand_shape *shape, float sleeve_start);

// The distance of a point to one part, and to the whole: the plain version of what the renderer computes.
float part_distance(const struct part *part, struct vector point);
float body_distance(const struct body *body, struct vector point);

#endif
