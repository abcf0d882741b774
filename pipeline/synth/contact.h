// Where fingers press on one another, and how a thumb that would pass through them is moved out.
//
// Depths are of the digits' parts as capsules, bulges left out: how far the surfaces of two digits overlap, in cm.
// Flesh gives way, so that CONTACT_ALLOWED is a touch. The beginnings of neighbouring fingers are one flesh (the web)
// and do not count.
#ifndef SYNTH_CONTACT_H
#define SYNTH_CONTACT_H

#include "synth/body.h"

#define CONTACT_ALLOWED 0.25F

// The overlap of two digits (0..3 the fingers as in enum hand_finger, 4 the thumb), negative where they are apart.
float contact_depth(const struct body *body, int digit, int other);

// Moves the thumb out of the fingers and the palm, and what else must give (neighbouring fingers are left alone), by
// small steps against the overlap. The pose keeps its limits. Does nothing to a pose without overlaps.
void contact_settle(struct hand_pose *pose, const struct hand_shape *shape);

#endif
