// The poses of the classes: angles first read off descriptions of the alphabet, then tuned by looking at drawings
// beside photographs. See synth/hand.h for what each angle means.
#include <string.h>

#include "synth/hand.h"

static const char *const names[HAND_CLASSES] = {"A", "B", "C", "D", "E", "F", "G",   "H",       "I",    "J",
                                                "K", "L", "M", "N", "O", "P", "Q",   "R",       "S",    "T",
                                                "U", "V", "W", "X", "Y", "Z", "del", "nothing", "space"};

const char *hand_class_name(int class)
{
  return names[class];
}

int hand_class_of_name(const char *name)
{
  for (int i = 0; i < HAND_CLASSES; i++)
    if (!strcmp(names[i], name)) return i;
  return -1;
}

#define FIST                                                                                                           \
  {                                                                                                                    \
    82, 108, 40, 0                                                                                                     \
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

// clang-format off
static const struct class_pose poses[HAND_CLASSES] = {
    /* A */ {{{82, 110, 25, 0}, {82, 110, 25, 0}, {82, 110, 25, 0}, {82, 110, 25, 0}}, {19, 34, 11, 20, 11}, {0, 0}, {0, 0, 0}},
    /* B */ {{{2, 5, 4, -2}, STRAIGHT, {2, 5, 4, -1}, {2, 5, 4, -3}}, {36, 47, 30, 70, 78}, {0, 0}, {0, 0, 0}},
    /* C */ {{{38, 48, 28, 0}, {38, 48, 28, 0}, {38, 48, 28, 0}, {38, 48, 28, 0}}, {94, 64, 3, 9, -25}, {0, 0}, {65, 0, 0}},
    /* D */ {{STRAIGHT, {40, 78, -5, 0}, {41, 57, 32, 0}, {52, 19, 35, 0}}, {99, 31, 4, -14, -19}, {0, 0}, {45, 0, 0}},
    /* E */ {{{55, 110, 60, -1}, {55, 110, 60, 0}, {55, 110, 60, -1}, {55, 110, 60, -3}}, {60, 62, 45, 64, 68}, {0, 0}, {0, 0, 0}},
    /* F */ {{{45, 64, -5, 0}, {4, 8, 6, 3}, {2, 8, 6, 9}, {0, 10, 6, 20}}, {79, 39, 3, 3, -25}, {0, 0}, {18, 0, 0}},
    /* G */ {{STRAIGHT, FIST, FIST, FIST}, {45, 39, 6, 27, 16}, {0, -18}, {0, 0, 66}},
    /* H */ {{{2, 5, 4, -3}, STRAIGHT, FIST, FIST}, {60, 53, 60, 60, 34}, {0, -18}, {0, 0, 66}},
    /* I */ {{FIST, FIST, FIST, STRAIGHT}, {61, 60, 51, 50, 49}, {0, 0}, {0, 0, 0}},
    /* J */ {{FIST, FIST, FIST, STRAIGHT}, {61, 60, 51, 50, 48}, {0, -18}, {0, 0, 55}},
    /* K */ {{{0, 5, 4, 8}, {25, 5, 5, 6}, FIST, FIST}, {64, 38, 10, 37, 21}, {0, 0}, {0, 0, 0}},
    /* L */ {{STRAIGHT, FIST, FIST, FIST}, {5, 65, 20, 0, 0}, {0, 0}, {0, 0, 0}},
    /* M */ {{{85, 22, 12, 0}, {85, 22, 12, 0}, {85, 22, 12, 0}, FIST}, {61, 48, 58, 70, 61}, {60, 0}, {0, 60, 0}},
    /* N */ {{{85, 22, 12, 0}, {85, 22, 12, 0}, FIST, FIST}, {39, 54, 44, 70, 77}, {60, 0}, {0, 60, 0}},
    /* O */ {{{38, 58, 38, 0}, {38, 60, 38, 0}, {40, 60, 38, 0}, {42, 58, 38, 0}}, {90, 50, 0, 15, 20}, {0, 0}, {65, 0, 0}},
    /* P */ {{STRAIGHT, {60, 15, 8, 4}, FIST, FIST}, {102, 28, 17, 0, -23}, {50, 0}, {-75, 0, 90}},
    /* Q */ {{{48, 18, 10, 0}, FIST, FIST, FIST}, {84, 62, 0, 2, 6}, {50, 0}, {-75, 0, 90}},
    /* R */ {{{28, 0, 5, -16}, {-3, 45, 4, -4}, FIST, FIST}, {59, 57, 55, 59, 38}, {0, 0}, {0, 0, 0}},
    /* S */ {{FIST, FIST, FIST, FIST}, {77, 55, 55, 35, 53}, {0, 0}, {0, 0, 0}},
    /* T */ {{{40, 82, 54, 28}, FIST, FIST, FIST}, {29, 32, 36, 41, 9}, {0, 0}, {0, 0, 0}},
    /* U */ {{{2, 5, 4, -3}, STRAIGHT, FIST, FIST}, {62, 52, 63, 60, 33}, {0, 0}, {0, 0, 0}},
    /* V */ {{{2, 5, 4, 12}, {2, 5, 4, 12}, FIST, FIST}, {63, 52, 63, 60, 33}, {0, 0}, {0, 0, 0}},
    /* W */ {{{2, 5, 4, 12}, STRAIGHT, {2, 5, 4, 12}, {41, 105, 33, -5}}, {91, 60, 55, 70, -16}, {0, 0}, {0, 0, 0}},
    /* X */ {{{10, 75, 55, 0}, FIST, FIST, FIST}, {54, 59, 54, 57, 44}, {0, 0}, {-5, 0, 0}},
    /* Y */ {{FIST, FIST, FIST, {2, 5, 4, 24}}, {5, 52, 20, 0, -8}, {0, 0}, {0, 0, 0}},
    /* Z */ {{STRAIGHT, FIST, FIST, FIST}, {56, 57, 57, 55, 46}, {0, 0}, {0, 0, -15}},
    /* del */ {{{60, 10, 5, 0}, {60, 10, 5, 0}, {60, 10, 5, 0}, {60, 10, 5, 0}}, {4, 58, 13, 70, -5}, {60, 0}, {-80, 0, 90}},
    /* nothing */ {{STRAIGHT, STRAIGHT, STRAIGHT, STRAIGHT}, {5, 50, 20, 0, 0}, {0, 0}, {0, 0, 0}},
    /* space */ {{{35, 50, 30, 0}, {35, 50, 30, 0}, {35, 50, 30, 0}, {35, 50, 30, 0}}, {85, 74, 19, -15, 50}, {0, 0}, {60, 0, 60}},
};

// The other way in which some classes are signed; what lies between the two is signed too.
static const struct {
  const char *class;
  struct class_pose pose;
} alternates[] = {
    // The thumb upright, a little away from the index finger.
    {"A", {{{82, 110, 25, 0}, {82, 110, 25, 0}, {82, 110, 25, 0}, {82, 110, 25, 0}}, {18, 36, 11, 12, 3}, {0, 0}, {0, 0, -6}}},
    // The ring seen from before the palm.
    {"D", {{STRAIGHT, {40, 78, -5, 0}, {41, 57, 32, 0}, {52, 19, 35, 0}}, {99, 31, 4, -14, -19}, {0, 0}, {5, 0, 0}}},
    // The thumb below the fingertips.
    {"E", {{{50, 110, 50, 0}, {50, 110, 50, 0}, {50, 110, 50, 0}, {50, 110, 50, 0}}, {49, 61, 39, 70, 87}, {0, 0}, {0, 0, 0}}},
    // The other fingers bent, seen from the ring's side.
    {"F", {{{45, 64, -5, 0}, {14, 42, 24, 4}, {10, 38, 24, 9}, {4, 34, 22, 16}}, {79, 39, 3, 3, -25}, {0, 0}, {55, 0, -8}}},
    // The index finger and the thumb seen from the thumb's side.
    {"G", {{{15, 8, 5, 0}, FIST, FIST, FIST}, {62, 38, 10, 4, 4}, {5, -18}, {-70, 0, 85}}},
    // The fingers over the thumb, with a straight wrist.
    {"M", {{{64, 100, 30, 0}, {64, 100, 30, 0}, {64, 100, 30, 0}, FIST}, {50, 22, 58, 58, 73}, {0, 0}, {0, 0, 0}}},
    {"N", {{{64, 100, 30, 0}, {64, 100, 30, 0}, FIST, FIST}, {17, 35, 34, 70, 64}, {0, 0}, {0, 0, 0}}},
    // The thumb and the middle finger closed to a ring, seen from their side.
    {"P", {{STRAIGHT, {72, 38, 15, 4}, FIST, FIST}, {89, 66, -2, 15, 15}, {50, 0}, {-75, 0, 90}}},
    // The tips on the wrong side of each other.
    {"R", {{{29, 0, 1, -20}, {-3, 24, 14, -5}, FIST, FIST}, {59, 57, 55, 59, 38}, {0, 0}, {0, 0, 0}}},
    // The thumb away from a raised, hooked index finger.
    {"T", {{{35, 80, 50, 2}, FIST, FIST, FIST}, {10, 45, 20, 5, 0}, {0, 0}, {0, 0, 0}}},
    // The hook from its side.
    {"X", {{{10, 75, 55, 0}, FIST, FIST, FIST}, {53, 56, 57, 55, 48}, {0, 0}, {-80, 0, 0}}},
};
// clang-format on

enum { ALTERNATES = sizeof alternates / sizeof *alternates };

static struct hand_pose pose_of(const struct class_pose *from)
{
  struct hand_pose pose;
  for (int f = 0; f < HAND_FINGERS; f++)
    for (int a = 0; a < FINGER_ANGLES; a++) pose.angle[f * FINGER_ANGLES + a] = from->finger[f][a];
  for (int a = 0; a < WRIST_FLEXION - THUMB_OPPOSITION; a++) pose.angle[THUMB_OPPOSITION + a] = from->thumb[a];
  for (int a = 0; a < 2; a++) pose.angle[WRIST_FLEXION + a] = from->wrist[a];
  for (int a = 0; a < 3; a++) pose.angle[TURN_YAW + a] = from->turn[a];
  return pose;
}

struct hand_pose hand_pose_of_class(int class)
{
  return pose_of(&poses[class]);
}

struct hand_pose hand_alternate_of_class(int class)
{
  for (int i = 0; i < ALTERNATES; i++)
    if (hand_class_of_name(alternates[i].class) == class) return pose_of(&alternates[i].pose);
  return hand_pose_of_class(class);
}

// Half the ranges, in degrees: of the fingers' flexion and abduction, of the thumb, and of the turns.
struct class_spread {
  const char *classes;
  float flexion, abduction, thumb, yaw, pitch, roll;
};

static const struct class_spread spreads[] = {
    {"DF", 4, 2, 3, 28, 12, 12},        // rings that must stay closed; seen from the palm or from the side
    {"O", 4, 1.5F, 3, 18, 12, 12},      //
    {"BCEMNU", 8, 1.2F, 5, 15, 12, 12}, // fingers side by side
    {"GH", 8, 1.2F, 5, 15, 12, 24},     // point to the side, or half up
    {"R", 4, 1.2F, 5, 15, 12, 12},      // crossed
    {"JZ", 8, 2.5F, 5, 18, 12, 26},     // letters that move
    {"", 8, 2.5F, 5, 18, 12, 12},       // all others
};

static bool names_letter(const char *letters, const char *class)
{
  return !class[1] && strchr(letters, class[0]);
}

struct hand_pose hand_spread_of_class(int class)
{
  const struct class_spread *from = spreads;
  while (*from->classes && !names_letter(from->classes, hand_class_name(class))) from++;
  struct hand_pose spread;
  for (int f = 0; f < HAND_FINGERS; f++) {
    float *finger = spread.angle + f * FINGER_ANGLES;
    finger[INDEX_MCP] = finger[INDEX_PIP] = finger[INDEX_DIP] = from->flexion;
    finger[INDEX_ABDUCTION] = from->abduction;
  }
  for (int a = THUMB_OPPOSITION; a <= THUMB_IP; a++) spread.angle[a] = from->thumb;
  spread.angle[WRIST_FLEXION] = 15, spread.angle[WRIST_DEVIATION] = 10;
  spread.angle[TURN_YAW] = from->yaw, spread.angle[TURN_PITCH] = from->pitch, spread.angle[TURN_ROLL] = from->roll;
  return spread;
}
