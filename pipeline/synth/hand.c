#include "synth/hand.h"

#include <string.h>

#define FINGER(finger, name)                                                                                           \
  [finger##_MCP] = {name "_mcp", -20, 95}, [finger##_PIP] = {name "_pip", 0, 112},                                     \
  [finger##_DIP] = {name "_dip", -5, 85}, [finger##_ABDUCTION] = {name "_abduction", -20, 28}

// As far as people's joints go (Kapandji, The physiology of the joints, volume 1); a fist needs a middle joint
// beyond 90.
const struct hand_angle_range hand_angles[HAND_ANGLES] = {
    FINGER(INDEX, "index"),
    FINGER(MIDDLE, "middle"),
    FINGER(RING, "ring"),
    FINGER(PINKY, "pinky"),
    [THUMB_OPPOSITION] = {"thumb_opposition", -20, 130},
    [THUMB_RADIAL] = {"thumb_radial", 0, 75},
    [THUMB_TWIST] = {"thumb_twist", -60, 90},
    [THUMB_MCP] = {"thumb_mcp", -15, 70},
    [THUMB_IP] = {"thumb_ip", -25, 90},
    [WRIST_FLEXION] = {"wrist_flexion", -70, 90},
    [WRIST_DEVIATION] = {"wrist_deviation", -40, 30},
    [TURN_YAW] = {"turn_yaw", -180, 180},
    [TURN_PITCH] = {"turn_pitch", -120, 120},
    [TURN_ROLL] = {"turn_roll", -180, 180},
};

const struct hand_proportion_range hand_proportions[HAND_PROPORTIONS] = {
    [PALM_WIDTH] = {"palm_width", 0.85F, 1.15F},       [PALM_LENGTH] = {"palm_length", 0.88F, 1.12F},
    [FINGER_LENGTH] = {"finger_length", 0.85F, 1.15F}, [FINGER_WIDTH] = {"finger_width", 0.82F, 1.18F},
    [THUMB_LENGTH] = {"thumb_length", 0.88F, 1.12F},   [FOREARM_WIDTH] = {"forearm_width", 0.8F, 1.25F},
    [NAIL_LENGTH] = {"nail_length", 0.85F, 1.3F},
};

struct hand_shape hand_shape_mean(void)
{
  struct hand_shape shape;
  for (int i = 0; i < HAND_PROPORTIONS; i++) shape.factor[i] = 1;
  return shape;
}

void hand_pose_limit(struct hand_pose *pose)
{
  for (int i = 0; i < HAND_ANGLES; i++) {
    float angle = pose->angle[i], low = hand_angles[i].low, high = hand_angles[i].high;
    pose->angle[i] = angle > low ? (angle < high ? angle : high) : low;
  }
}

struct hand_pose hand_pose_at(int class, const float unit[HAND_ANGLES], float reach)
{
  struct hand_pose pose = hand_pose_of_class(class), alternate = hand_alternate_of_class(class);
  struct hand_pose spread = hand_spread_of_class(class);
  float other = unit[WRIST_FLEXION] < 0 ? -8 * unit[WRIST_FLEXION] : 0; // the way it is signed goes with the wrist
  other = reach * (other < 1 ? other : 1);
  for (int i = 0; i < HAND_ANGLES; i++) {
    pose.angle[i] += (alternate.angle[i] - pose.angle[i]) * other;
    pose.angle[i] += unit[i] * spread.angle[i];
  }
  hand_pose_limit(&pose);
  return pose;
}

// Linear RGB of the back of the hand, from the lightest skin to the darkest, and of the palm beside it.
static const struct {
  float skin[3], palm[3];
} tones[] = {
    {{0.74F, 0.49F, 0.39F}, {0.77F, 0.49F, 0.40F}},   {{0.62F, 0.37F, 0.27F}, {0.67F, 0.395F, 0.30F}},
    {{0.45F, 0.23F, 0.14F}, {0.58F, 0.32F, 0.22F}},   {{0.25F, 0.115F, 0.065F}, {0.45F, 0.24F, 0.16F}},
    {{0.11F, 0.050F, 0.030F}, {0.33F, 0.17F, 0.11F}},
};
enum { TONES = sizeof tones / sizeof *tones };

struct hand_look hand_look_of(float tone, float blood)
{
  static const float flush[3] = {0.06F, -0.16F, -0.12F}, rose[3] = {0.05F, -0.06F, -0.02F};
  struct hand_look look = {
      .sleeve = {0.1F, 0.12F, 0.2F}, .sleeve_start = HAND_NO_SLEEVE, .gloss = 0.35F, .creases = 0.6F, .mottle = 0.5F};
  float place = (tone > 0 ? (tone < 1 ? tone : 1) : 0) * (TONES - 1);
  int low = (int)place;
  if (low > TONES - 2) low = TONES - 2;
  float share = place - (float)low;
  for (int c = 0; c < 3; c++) {
    float red = 1 + flush[c] * (2 * blood - 1);
    look.skin[c] = (tones[low].skin[c] * (1 - share) + tones[low + 1].skin[c] * share) * red;
    look.palm[c] = (tones[low].palm[c] * (1 - share) + tones[low + 1].palm[c] * share) * red;
    look.nail[c] = (look.skin[c] * 0.4F + look.palm[c] * 0.6F) * (1.1F + rose[c]) + 0.02F;
  }
  return look;
}
