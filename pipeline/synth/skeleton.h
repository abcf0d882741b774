// Where a hand's bones are (forward kinematics). Centimetres, in the hand's axes (synth/hand.h).
#ifndef SYNTH_SKELETON_H
#define SYNTH_SKELETON_H

#include "synth/hand.h"
#include "synth/vector.h"

enum { FINGER_BONES = 3 };

// A bone's axes: y along the bone, away from the wrist; z out of its palmar side (the pad's); x is the axis about which
// flexion turns. `at` is its nearer end.
struct bone {
  struct axes axes;
  float length;
};

struct skeleton {
  struct bone finger[HAND_FINGERS][FINGER_BONES]; // proximal, middle, distal (to the tip of the flesh)
  struct bone metacarpal[HAND_FINGERS];           // from the wrist to the knuckle
  struct bone thumb[FINGER_BONES];                // metacarpal, proximal, distal
  struct axes forearm;                            // y from the elbow to the wrist
};

struct skeleton skeleton_of(const struct hand_pose *pose, const struct hand_shape *shape);

// The far end of a bone.
struct vector bone_end(const struct bone *bone);

// The mean of the joints and fingertips: what cameras aim at.
struct vector skeleton_centre(const struct skeleton *skeleton);

#endif
