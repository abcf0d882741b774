#include "synth/body.h"

#include <assert.h>

// How far the flesh between the fingers reaches along their first bones.
static const float web = 0.40F;

static struct part *add(struct body *body, enum part_group group, enum part_kind kind, const struct axes *axes,
                        struct vector from, struct vector to, float radius, float end_radius, float blend)
{
  assert(body->count < PART_LIMIT);
  struct part *part = &body->part[body->count++];
  struct vector along = vector_subtract(to, from);
  float squared = vector_dot(along, along);
  *part = (struct part){.a = from,
                        .along = along,
                        .slope = vector_scale(along, squared > 0 ? 1 / squared : 0),
                        .radius = radius,
                        .growth = end_radius - radius,
                        .blend = blend,
                        .largest = radius > end_radius ? radius : end_radius,
                        .group = group,
                        .kind = kind,
                        .axes = *axes,
                        .bone = vector_length(along)};
  return part;
}

// The largest radius of h * (growth + bulge * (1 - h)) is below both parts' sum.
static void bulge(struct part *part, float by)
{
  part->bulge = 4 * by;
  if (by > 0) part->largest += by;
}

static const float finger_radius[HAND_FINGERS][FINGER_BONES + 1] = {
    [INDEX] = {1.04F, 0.98F, 0.90F, 0.76F},
    [MIDDLE] = {1.05F, 1.00F, 0.91F, 0.77F},
    [RING] = {1.02F, 0.96F, 0.87F, 0.73F},
    [PINKY] = {0.93F, 0.85F, 0.78F, 0.66F},
};

static void add_finger(struct body *body, const struct bone bones[FINGER_BONES], enum part_group group,
                       const float radius[FINGER_BONES + 1], float width)
{
  int first = group == GROUP_THUMB; // whose metacarpal is the palm's
  for (int b = first; b < FINGER_BONES; b++) {
    const struct bone *bone = &bones[b];
    bool tip = b == FINGER_BONES - 1;
    float far_radius = radius[b + 1] * width;
    struct vector end = bone_end(bone);
    if (tip) end = vector_subtract(end, vector_scale(bone->axes.y, far_radius)); // the flesh ends where the bone does
    struct part *part = add(body, group, tip ? PART_TIP : (b == first ? PART_ROOT : PART_PHALANX), &bone->axes,
                            bone->axes.at, end, radius[b] * width, far_radius, 0.12F);
    part->bone = bone->length;
    bulge(part, tip ? 0.05F * width : (b == 1 ? 0.05F : 0.0F) * width);
  }
}

static struct vector palm_point(const struct hand_shape *shape, float x, float y, float z)
{
  return (struct vector){x * shape->factor[PALM_WIDTH], y * shape->factor[PALM_LENGTH], z * shape->factor[PALM_WIDTH]};
}

static void add_palm(struct body *body, const struct skeleton *skeleton, const struct hand_shape *shape)
{
  static const float head[HAND_FINGERS] = {1.0F, 1.0F, 0.97F, 0.9F};
  static const struct axes hand = {{1, 0, 0}, {0, 1, 0}, {0, 0, 1}, {0, 0, 0}};
  float width = shape->factor[FINGER_WIDTH];
  for (int f = 0; f < HAND_FINGERS; f++) {
    const struct bone *bone = &skeleton->metacarpal[f];
    add(body, GROUP_PALM, PART_PALM, &hand, bone->axes.at, bone_end(bone), 1.2F, head[f] * width, 0.7F);
  }
  // The pads below the fingers, the ball of the little finger's side, the hollow, the ball of the thumb.
  add(body, GROUP_PALM, PART_PALM, &hand, palm_point(shape, -2.5F, 7.0F, 0.5F), palm_point(shape, 2.2F, 7.9F, 0.5F),
      0.9F, 0.9F, 0.6F);
  add(body, GROUP_PALM, PART_PALM, &hand, palm_point(shape, -1.9F, 2.0F, 0.6F), palm_point(shape, -2.8F, 5.4F, 0.45F),
      1.35F, 1.1F, 0.8F);
  add(body, GROUP_PALM, PART_PALM, &hand, palm_point(shape, -0.4F, 2.6F, 0.2F), palm_point(shape, 0.2F, 6.4F, 0.2F),
      1.3F, 1.25F, 0.8F);
  const struct bone *thumb = &skeleton->thumb[0];
  add(body, GROUP_PALM, PART_PALM, &hand, thumb->axes.at, bone_end(thumb), 1.5F, 1.12F * width, 0.8F);
  add(body, GROUP_PALM, PART_PALM, &hand, palm_point(shape, 0.8F, 2.3F, 0.7F),
      vector_between(thumb->axes.at, bone_end(thumb), 0.62F), 1.2F, 1.25F, 0.8F);
  // The web between thumb and palm.
  add(body, GROUP_PALM, PART_PALM, &hand, vector_between(thumb->axes.at, bone_end(thumb), 0.7F),
      vector_between(skeleton->metacarpal[INDEX].axes.at, bone_end(&skeleton->metacarpal[INDEX]), 0.65F), 0.6F, 0.7F,
      1.1F);
  // The beginnings of the fingers: they join the palm and one another.
  for (int f = 0; f < HAND_FINGERS; f++) {
    const struct bone *bone = &skeleton->finger[f][0];
    float from = finger_radius[f][0] * width, to = finger_radius[f][1] * width;
    add(body, GROUP_PALM, PART_PALM, &hand, bone->axes.at, vector_between(bone->axes.at, bone_end(bone), web),
        from - 0.06F, from + (to - from) * web - 0.1F, 0.35F);
  }
  const struct bone *proximal = &skeleton->thumb[1];
  add(body, GROUP_PALM, PART_PALM, &hand, proximal->axes.at,
      vector_between(proximal->axes.at, bone_end(proximal), 0.3F), 1.12F * width, 1.05F * width, 0.4F);
}

static struct vector arm_point(const struct skeleton *skeleton, const struct hand_shape *shape, float x, float y)
{
  return axes_point(&skeleton->forearm, (struct vector){x * shape->factor[FOREARM_WIDTH], y, 0});
}

static void add_arm(struct body *body, const struct skeleton *skeleton, const struct hand_shape *shape)
{
  const struct axes *arm = &skeleton->forearm;
  float width = shape->factor[FOREARM_WIDTH];
  for (int side = -1; side <= 1; side += 2) {
    float s = (float)side;
    add(body, GROUP_PALM, PART_ARM, arm, arm_point(skeleton, shape, 1.1F * s, 0.7F),
        arm_point(skeleton, shape, 1.5F * s, -34), 1.5F * width, 3.1F * width, 1.2F);
  }
}

static void add_sleeve(struct body *body, const struct skeleton *skeleton, const struct hand_shape *shape, float start)
{
  float width = shape->factor[FOREARM_WIDTH];
  for (int side = -1; side <= 1; side += 2) {
    float s = (float)side;
    struct part *part =
        add(body, GROUP_SLEEVE, PART_SLEEVE, &skeleton->forearm, arm_point(skeleton, shape, 1.2F * s, -start),
            arm_point(skeleton, shape, 1.7F * s, -40), 2.7F * width, 4.2F * width, 1.2F);
    part->cut = true;
  }
}

void body_of(struct body *body, const struct skeleton *skeleton, const struct hand_shape *shape, float sleeve_start)
{
  static const float thumb_radius[FINGER_BONES + 1] = {1.4F, 1.13F, 1.08F, 0.86F};
  float width = shape->factor[FINGER_WIDTH];
  body->count = 0;
  add_palm(body, skeleton, shape);
  add_arm(body, skeleton, shape);
  for (int f = 0; f < HAND_FINGERS; f++)
    add_finger(body, skeleton->finger[f], (enum part_group)(GROUP_FINGER + f), finger_radius[f], width);
  add_finger(body, skeleton->thumb, GROUP_THUMB, thumb_radius, width);
  if (sleeve_start < HAND_NO_SLEEVE) add_sleeve(body, skeleton, shape, sleeve_start);
}

float part_distance(const struct part *part, struct vector point)
{
  struct vector from = vector_subtract(point, part->a);
  float share = vector_dot(from, part->slope);
  float h = share > 0 ? (share < 1 ? share : 1) : 0;
  struct vector off = vector_subtract(from, vector_scale(part->along, h));
  float distance = vector_length(off) - (part->radius + h * (part->growth + part->bulge * (1 - h)));
  if (part->cut) {
    float beyond = -share * part->bone;
    if (beyond > distance) distance = beyond;
  }
  return distance;
}

float body_distance(const struct body *body, struct vector point)
{
  float all = 1e3F, group = 1e3F;
  for (int i = 0; i < body->count; i++) {
    const struct part *part = &body->part[i];
    if (i && part->group != body->part[i - 1].group) {
      all = all < group ? all : group;
      group = 1e3F;
    }
    float distance = part_distance(part, point), gap = group - distance;
    float melt = part->blend - (gap < 0 ? -gap : gap);
    if (melt < 0) melt = 0;
    group = (gap < 0 ? group : distance) - melt * melt * (0.25F / part->blend);
  }
  return all < group ? all : group;
}
