// A right hand as numbers: joint angles (a pose), proportions (a shape), colours (a look), and the poses of the 29
// classes.
//
//   struct hand_pose pose = hand_pose_of_class(hand_class_of_name("K"));
//   pose.angle[INDEX_MCP] += 5;
//   hand_pose_limit(&pose);
//
// Centimetres and degrees. The hand's axes: x to the thumb's side (radial), y along the fingers (distal), z out of the
// palm (palmar); its origin is the wrist. With every TURN_ angle 0 they are the picture's axes: x right, y up, z to the
// camera, so that the palm is seen, the fingers point up, and the thumb is at the right.
#ifndef SYNTH_HAND_H
#define SYNTH_HAND_H

#include <stdbool.h>

enum hand_finger { INDEX, MIDDLE, RING, PINKY, HAND_FINGERS };

// The classes in the order of their names: A ... Z, del, nothing, space.
enum { HAND_CLASSES = 29, HAND_CLASS_NOTHING = 27 };
const char *hand_class_name(int class);
int hand_class_of_name(const char *name); // -1: there is no such class

// --- pose ------------------------------------------------------------------------------------------------------------

enum hand_angle {
  // Flexion of the knuckle, the middle and the last joint; 0 is straight. Abduction: away from the middle finger (of
  // the
  // middle finger itself: towards the pinky). In the order of enum hand_finger, FINGER_ANGLES apart.
  INDEX_MCP,
  INDEX_PIP,
  INDEX_DIP,
  INDEX_ABDUCTION,
  MIDDLE_MCP,
  MIDDLE_PIP,
  MIDDLE_DIP,
  MIDDLE_ABDUCTION,
  RING_MCP,
  RING_PIP,
  RING_DIP,
  RING_ABDUCTION,
  PINKY_MCP,
  PINKY_PIP,
  PINKY_DIP,
  PINKY_ABDUCTION,
  // The thumb's metacarpal leaves the long axis of the hand by RADIAL, in a plane that OPPOSITION turns about that
  // axis:
  // from that of the palm (0) to one that stands upright on it (90), and on across the palm. TWIST turns the thumb
  // about
  // its metacarpal; 0: its pad faces the fingers (opposition 0) or the palm (opposition 90).
  THUMB_OPPOSITION,
  THUMB_RADIAL,
  THUMB_TWIST,
  THUMB_MCP,
  THUMB_IP,
  // The hand against the forearm: towards the palm, towards the thumb.
  WRIST_FLEXION,
  WRIST_DEVIATION,
  // The whole hand before the camera: first about the vertical (positive: the picture's right side of it moves away),
  // then
  // about the horizontal (positive: its top comes nearer), then in the picture (positive: counter-clockwise).
  TURN_YAW,
  TURN_PITCH,
  TURN_ROLL,
  HAND_ANGLES
};
enum { FINGER_ANGLES = MIDDLE_MCP - INDEX_MCP };

struct hand_pose {
  float angle[HAND_ANGLES]; // degrees
};

// What an angle is called where it is recorded, and how far it goes.
struct hand_angle_range {
  const char *name; // "index_mcp"
  float low, high;
};
extern const struct hand_angle_range hand_angles[HAND_ANGLES];

// The mean pose of a class (of `nothing`: an open hand, which nobody draws), within the limits.
struct hand_pose hand_pose_of_class(int class);

// The other way in which some classes are signed (A with the thumb away, E with the thumb lower, F with bent fingers, M
// and N with a straight wrist and the fingers over the thumb, P with a ring of thumb and middle finger, R with the
// fingers far across, T with the thumb away from the hook) or seen (D from before the palm, G and X from the side); the
// mean pose of a class that has none.
struct hand_pose hand_alternate_of_class(int class);

// How far each angle of a class may leave the mean, either way.
struct hand_pose hand_spread_of_class(int class);

// mean + unit * spread, limited; `unit` in [-1, 1]. A walk through `unit` is a walk through the class's poses. The mean
// goes over to what lies `reach` (0..1) of the way to the alternate as unit[WRIST_FLEXION] goes from 0 to -1/8.
struct hand_pose hand_pose_at(int class, const float unit[HAND_ANGLES], float reach);

void hand_pose_limit(struct hand_pose *pose);

// --- shape -----------------------------------------------------------------------------------------------------------

// Factors of a mean adult's hand.
enum hand_proportion {
  PALM_WIDTH,
  PALM_LENGTH,
  FINGER_LENGTH,
  FINGER_WIDTH,
  THUMB_LENGTH,
  FOREARM_WIDTH,
  NAIL_LENGTH, // 1: to the fingertip
  HAND_PROPORTIONS
};

struct hand_shape {
  float factor[HAND_PROPORTIONS];
};

struct hand_proportion_range {
  const char *name;
  float low, high;
};
extern const struct hand_proportion_range hand_proportions[HAND_PROPORTIONS];

struct hand_shape hand_shape_mean(void); // all 1

// --- look ------------------------------------------------------------------------------------------------------------

// Colours are linear RGB in [0, 1].
struct hand_look {
  float skin[3]; // albedo of the back of the hand
  float palm[3]; // and of the palm
  float nail[3];
  float sleeve[3];
  float sleeve_start; // cm from the wrist to the cuff; HAND_NO_SLEEVE or more: a bare arm
  float gloss;        // 0 dull .. 1 moist
  float creases;      // 0 none .. 1 deep
  float mottle;       // 0 even skin .. 1 blotched
  unsigned mottle_seed;
};
#define HAND_NO_SLEEVE 30.0f

// A look by tone (0 the lightest skin .. 1 the darkest) and blood (0 pale .. 1 flushed); the rest has usual values.
struct hand_look hand_look_of(float tone, float blood);

#endif
