#include "synth/contact.h"

enum { SAMPLES = 6 };

// The parts of a digit, from its root to its tip.
struct digit {
  const struct part *part[FINGER_BONES];
  int count;
};

static struct digit digit_of(const struct body *body, int which)
{
  struct digit digit = {.count = 0};
  for (int i = 0; i < body->count && digit.count < FINGER_BONES; i++)
    if (body->part[i].group == (enum part_group)(GROUP_FINGER + which)) digit.part[digit.count++] = &body->part[i];
  return digit;
}

static struct vector axis_point(const struct part *part, float share)
{
  return vector_add(part->a, vector_scale(part->along, share));
}

// The share of a digit's first part that belongs to the web; the thumb's only meets the palm.
static float root(int digit, int part)
{
  if (part > 0) return 0;
  return digit < HAND_FINGERS ? 0.45F : 0.3F;
}

static float capsule_depth(const struct part *part, const struct part *other, float from, float other_from)
{
  float deepest = -1e3F;
  for (int i = 0; i < SAMPLES; i++) {
    float h = from + (1 - from) * (float)i / (SAMPLES - 1), radius = part->radius + h * part->growth;
    struct vector at = vector_subtract(axis_point(part, h), other->a);
    float g = vector_dot(at, other->slope); // the nearest point of the other's axis
    g = g > other_from ? (g < 1 ? g : 1) : other_from;
    float apart = vector_length(vector_subtract(at, vector_scale(other->along, g)));
    float depth = radius + other->radius + g * other->growth - apart;
    if (depth > deepest) deepest = depth;
  }
  return deepest;
}

float contact_depth(const struct body *body, int digit, int other)
{
  struct digit a = digit_of(body, digit), b = digit_of(body, other);
  float deepest = -1e3F;
  for (int i = 0; i < a.count; i++)
    for (int j = 0; j < b.count; j++) {
      float from = root(digit, i), other_from = root(other, j);
      float depth = capsule_depth(a.part[i], b.part[j], from, other_from);
      float back = capsule_depth(b.part[j], a.part[i], other_from, from);
      if (back > depth) depth = back;
      if (depth > deepest) deepest = depth;
    }
  return deepest;
}

// What is to become small: the squares of the thumb's overlaps beyond a touch.
static float thumb_overlap(const struct hand_pose *pose, const struct hand_shape *shape)
{
  struct skeleton skeleton = skeleton_of(pose, shape);
  struct body body;
  body_of(&body, &skeleton, shape, HAND_NO_SLEEVE);
  float sum = 0;
  for (int f = 0; f < HAND_FINGERS; f++) {
    float beyond = contact_depth(&body, HAND_FINGERS, f) - CONTACT_ALLOWED;
    if (beyond > 0) sum += beyond * beyond;
  }
  return sum;
}

void contact_settle(struct hand_pose *pose, const struct hand_shape *shape)
{
  enum { ROUNDS = 10 };
  float step = 4, overlap = thumb_overlap(pose, shape);
  for (int round = 0; round < ROUNDS && overlap > 1e-4F; round++) {
    bool better = false;
    for (int a = THUMB_OPPOSITION; a <= THUMB_IP; a++) {
      if (a == THUMB_TWIST) continue;
      for (int way = -1; way <= 1; way += 2) {
        struct hand_pose tried = *pose;
        tried.angle[a] += (float)way * step;
        hand_pose_limit(&tried);
        float now = thumb_overlap(&tried, shape);
        if (now >= overlap) continue;
        *pose = tried, overlap = now, better = true;
        break;
      }
    }
    if (!better) step *= 0.5F;
  }
}
