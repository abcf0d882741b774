#include "synth/skeleton.h"

// A mean adult's hand, in cm. Lengths of the phalanges: Buryanov and Kotiuk, "Proportions of hand segments", Int. J.
// Morphol. 28(3), 2010; the distal ones to the end of the flesh. Where the bones begin: from photographs.
static const struct {
  struct vector carpal, knuckle;
  float phalanx[FINGER_BONES];
} fingers[HAND_FINGERS] = {
    [INDEX] = {{1.3F, 1.3F, 0.1F}, {2.85F, 8.8F, 0.0F}, {4.3F, 2.55F, 2.3F}},
    [MIDDLE] = {{0.45F, 1.2F, 0.0F}, {0.88F, 9.0F, -0.15F}, {4.8F, 2.95F, 2.4F}},
    [RING] = {{-0.4F, 1.2F, 0.0F}, {-1.05F, 8.55F, -0.05F}, {4.45F, 2.75F, 2.4F}},
    [PINKY] = {{-1.2F, 1.3F, 0.15F}, {-2.82F, 7.75F, 0.25F}, {3.5F, 2.05F, 2.15F}},
};
static const struct vector thumb_base = {1.75F, 1.9F, 0.75F};
static const float thumb_bones[FINGER_BONES] = {4.5F, 3.4F, 2.95F};

static void flex(struct axes *axes, float degrees)
{
  turn_axes(&axes->y, &axes->z, turn_of(degrees));
}

struct vector bone_end(const struct bone *bone)
{
  return vector_add(bone->axes.at, vector_scale(bone->axes.y, bone->length));
}

static const struct axes hand_axes = {{1, 0, 0}, {0, 1, 0}, {0, 0, 1}, {0, 0, 0}};

static struct vector palm_place(struct vector v, const struct hand_shape *shape)
{
  return (struct vector){v.x * shape->factor[PALM_WIDTH], v.y * shape->factor[PALM_LENGTH],
                         v.z * shape->factor[PALM_WIDTH]};
}

// From the knuckle on: abduction in the palm's plane, then flexion joint by joint.
static void place_finger(struct skeleton *skeleton, int f, const struct hand_pose *pose, const struct hand_shape *shape)
{
  const float *angle = pose->angle + f * FINGER_ANGLES;
  struct axes axes = hand_axes;
  axes.at = palm_place(fingers[f].knuckle, shape);

  struct vector carpal = palm_place(fingers[f].carpal, shape), along = vector_subtract(axes.at, carpal);
  struct bone *metacarpal = &skeleton->metacarpal[f];
  *metacarpal = (struct bone){hand_axes, vector_length(along)};
  metacarpal->axes.at = carpal;
  metacarpal->axes.y = vector_unit(along); // a few degrees from the hand's: the others may stay

  float outwards = f == INDEX ? angle[INDEX_ABDUCTION] : -angle[INDEX_ABDUCTION];
  turn_axes(&axes.y, &axes.x, turn_of(outwards));
  // turn_axes keeps x's handedness by turning it towards -y: y to x is a clockwise turn in the palm.
  for (int b = 0; b < FINGER_BONES; b++) {
    flex(&axes, angle[INDEX_MCP + b]);
    skeleton->finger[f][b] = (struct bone){axes, fingers[f].phalanx[b] * shape->factor[FINGER_LENGTH]};
    axes.at = bone_end(&skeleton->finger[f][b]);
  }
}

static void place_thumb(struct skeleton *skeleton, const struct hand_pose *pose, const struct hand_shape *shape)
{
  struct turn radial = turn_of(pose->angle[THUMB_RADIAL]), opposed = turn_of(pose->angle[THUMB_OPPOSITION]);
  // In the palm's plane, the pad to the fingers; flexion then turns about the palm's normal.
  struct axes axes = {
      {0, 0, 1}, {radial.sine, radial.cosine, 0}, {-radial.cosine, radial.sine, 0}, palm_place(thumb_base, shape)};
  struct vector *each[] = {&axes.x, &axes.y, &axes.z};
  for (int i = 0; i < 3; i++) { // about the hand's long axis
    struct vector v = *each[i];
    *each[i] =
        (struct vector){v.x * opposed.cosine - v.z * opposed.sine, v.y, v.x * opposed.sine + v.z * opposed.cosine};
  }
  turn_axes(&axes.z, &axes.x, turn_of(pose->angle[THUMB_TWIST]));
  static const int joint[FINGER_BONES] = {-1, THUMB_MCP, THUMB_IP};
  for (int b = 0; b < FINGER_BONES; b++) {
    if (joint[b] >= 0) flex(&axes, pose->angle[joint[b]]);
    skeleton->thumb[b] = (struct bone){axes, thumb_bones[b] * shape->factor[THUMB_LENGTH]};
    axes.at = bone_end(&skeleton->thumb[b]);
  }
}

struct skeleton skeleton_of(const struct hand_pose *pose, const struct hand_shape *shape)
{
  struct skeleton skeleton;
  for (int f = 0; f < HAND_FINGERS; f++) place_finger(&skeleton, f, pose, shape);
  place_thumb(&skeleton, pose, shape);
  skeleton.forearm = hand_axes; // the hand stands still, and the forearm turns the other way
  flex(&skeleton.forearm, -pose->angle[WRIST_FLEXION]);
  turn_axes(&skeleton.forearm.y, &skeleton.forearm.x, turn_of(-pose->angle[WRIST_DEVIATION]));
  return skeleton;
}

struct vector skeleton_centre(const struct skeleton *skeleton)
{
  struct vector sum = {0, 0, 0};
  int count = 1; // the wrist
  for (int f = 0; f < HAND_FINGERS; f++)
    for (int b = 0; b < FINGER_BONES; b++, count += 2)
      sum = vector_add(sum, vector_add(skeleton->finger[f][b].axes.at, bone_end(&skeleton->finger[f][b])));
  for (int b = 0; b < FINGER_BONES; b++, count++) sum = vector_add(sum, bone_end(&skeleton->thumb[b]));
  return vector_scale(sum, 1 / (float)count);
}
