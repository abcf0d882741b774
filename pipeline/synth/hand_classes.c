// The poses of the classes: angles first read off descriptions of the alphabet, then tuned by looking at drawings
// beside photographs. See synth/hand.h for what each angle means.
#include "synth/hand.h"

#define FIST                                                                                                           \
  {                                                                                                                    \
    75, 100, 55, 0                                                                                                     \
  }
#define STRAIGHT                                                                                                       \
  {                                                                                                                    \
    2, 5, 4, 0                                                                                                         \
  }

struct class_pose {
  float finger[HAND_FINGERS][FINGER_ANGLES];     // flexion of the three joints, abduction
  float thumb[WRIST_FLEXION - THUMB_OPPOSITION]; // opposition, radial, twist, MCP, IP
  float wrist[2];                                // flexion, deviation
  float turn[3];                                 // yaw, pitch, roll
};

static const struct class_pose poses[HAND_CLASSES] = {
    /* A */ {{FIST, FIST, FIST, FIST}, {10, 22, 30, 0, 0}, {0, 0}, {0, 0, 0}},
    /* B */ {{STRAIGHT, STRAIGHT, STRAIGHT, STRAIGHT}, {70, 35, 0, 45, 50}, {0, 0}, {0, 0, 0}},
    /* C */
    {{{35, 45, 30, 0}, {35, 45, 30, 0}, {35, 45, 30, 0}, {35, 45, 30, 0}}, {80, 50, 0, 5, 15}, {0, 0}, {65, 0, 0}},
    /* D */ {{STRAIGHT, {60, 60, 35, 0}, {62, 60, 35, 0}, {64, 62, 35, 0}}, {85, 45, 0, 20, 30}, {0, 0}, {55, 0, 0}},
    /* E */
    {{{35, 95, 60, 0}, {35, 95, 60, 0}, {35, 95, 60, 0}, {35, 95, 60, 0}}, {70, 35, 0, 40, 40}, {0, 0}, {0, 0, 0}},
    /* F */ {{{50, 60, 35, 0}, {2, 5, 4, 5}, {0, 5, 4, 10}, {0, 5, 4, 18}}, {75, 40, 0, 20, 30}, {0, 0}, {0, 0, 0}},
    /* G */ {{STRAIGHT, FIST, FIST, FIST}, {60, 20, 0, 0, 5}, {0, 0}, {0, 0, 80}},
    /* H */ {{STRAIGHT, STRAIGHT, FIST, FIST}, {70, 35, 0, 40, 40}, {0, 0}, {0, 0, 75}},
    /* I */ {{FIST, FIST, FIST, STRAIGHT}, {75, 35, 0, 40, 30}, {0, 0}, {0, 0, 0}},
    /* J */ {{FIST, FIST, FIST, STRAIGHT}, {75, 35, 0, 40, 30}, {0, 0}, {0, 0, 50}},
    /* K */ {{{0, 5, 4, 8}, {25, 5, 5, 8}, FIST, FIST}, {55, 30, 0, 10, 0}, {0, 0}, {0, 0, 0}},
    /* L */ {{STRAIGHT, FIST, FIST, FIST}, {5, 65, 20, 0, 0}, {0, 0}, {0, 0, 0}},
    /* M */ {{{90, 35, 15, 0}, {90, 35, 15, 0}, {90, 35, 15, 0}, FIST}, {80, 30, 0, 40, 20}, {60, 0}, {0, 60, 0}},
    /* N */ {{{90, 35, 15, 0}, {90, 35, 15, 0}, FIST, FIST}, {80, 30, 0, 40, 20}, {60, 0}, {0, 60, 0}},
    /* O */
    {{{50, 60, 40, 0}, {50, 60, 40, 0}, {50, 60, 40, 0}, {50, 60, 40, 0}}, {80, 40, 0, 20, 30}, {0, 0}, {65, 0, 0}},
    /* P */ {{STRAIGHT, {65, 5, 5, 8}, FIST, FIST}, {70, 40, 0, 10, 0}, {60, 0}, {-90, 0, 90}},
    /* Q */ {{{30, 20, 10, 0}, FIST, FIST, FIST}, {70, 35, 0, 5, 5}, {60, 0}, {-90, 0, 90}},
    /* R */ {{{10, 5, 5, -8}, {0, 5, 4, -8}, FIST, FIST}, {75, 35, 0, 40, 30}, {0, 0}, {0, 0, 0}},
    /* S */ {{FIST, FIST, FIST, FIST}, {85, 40, 0, 40, 40}, {0, 0}, {0, 0, 0}},
    /* T */ {{{60, 85, 40, 0}, FIST, FIST, FIST}, {40, 25, 20, 10, 0}, {0, 0}, {0, 0, 0}},
    /* U */ {{STRAIGHT, STRAIGHT, FIST, FIST}, {75, 35, 0, 40, 40}, {0, 0}, {0, 0, 0}},
    /* V */ {{{2, 5, 4, 12}, {2, 5, 4, 12}, FIST, FIST}, {75, 35, 0, 40, 40}, {0, 0}, {0, 0, 0}},
    /* W */ {{{2, 5, 4, 12}, STRAIGHT, {2, 5, 4, 12}, {60, 80, 40, 0}}, {90, 40, 0, 40, 40}, {0, 0}, {0, 0, 0}},
    /* X */ {{{10, 75, 55, 0}, FIST, FIST, FIST}, {75, 35, 0, 40, 30}, {0, 0}, {0, 0, 0}},
    /* Y */ {{FIST, FIST, FIST, {2, 5, 4, 22}}, {5, 60, 20, 0, 0}, {0, 0}, {0, 0, 0}},
    /* Z */ {{STRAIGHT, FIST, FIST, FIST}, {75, 35, 0, 40, 30}, {0, 0}, {0, 0, -15}},
    /* del */
    {{{60, 10, 5, 0}, {60, 10, 5, 0}, {60, 10, 5, 0}, {60, 10, 5, 0}}, {70, 35, 0, 5, 5}, {60, 0}, {-90, 0, 90}},
    /* nothing */ {{STRAIGHT, STRAIGHT, STRAIGHT, STRAIGHT}, {5, 50, 20, 0, 0}, {0, 0}, {0, 0, 0}},
    /* space */
    {{{35, 50, 30, 0}, {35, 50, 30, 0}, {35, 50, 30, 0}, {35, 50, 30, 0}}, {60, 60, 0, 0, 0}, {0, 0}, {60, 0, 60}},
};

struct hand_pose hand_pose_of_class(int class)
{
  const struct class_pose *from = &poses[class];
  struct hand_pose pose;
  for (int f = 0; f < HAND_FINGERS; f++)
    for (int a = 0; a < FINGER_ANGLES; a++) pose.angle[f * FINGER_ANGLES + a] = from->finger[f][a];
  for (int a = 0; a < WRIST_FLEXION - THUMB_OPPOSITION; a++) pose.angle[THUMB_OPPOSITION + a] = from->thumb[a];
  for (int a = 0; a < 2; a++) pose.angle[WRIST_FLEXION + a] = from->wrist[a];
  for (int a = 0; a < 3; a++) pose.angle[TURN_YAW + a] = from->turn[a];
  return pose;
}

struct hand_pose hand_spread_of_class(int class)
{
  (void)class;
  struct hand_pose spread;
  for (int f = 0; f < HAND_FINGERS; f++) {
    float *finger = spread.angle + f * FINGER_ANGLES;
    finger[INDEX_MCP] = 8, finger[INDEX_PIP] = 8, finger[INDEX_DIP] = 8, finger[INDEX_ABDUCTION] = 3;
  }
  static const float rest[] = {6, 5, 6, 6, 8, 15, 10, 15, 12, 12};
  for (int a = THUMB_OPPOSITION; a < HAND_ANGLES; a++) spread.angle[a] = rest[a - THUMB_OPPOSITION];
  return spread;
}
