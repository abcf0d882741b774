// The hand: where joint angles put its bones, the classes' poses, and that every way to draw gives the same bits.
#include <omp.h>
#include <stdlib.h>
#include <string.h>

#include "synth/draw.h"
#include "synth/hand.h"
#include "synth/scene.h"
#include "synth/skeleton.h"

#include "check.h"

static struct hand_pose straight(void)
{
  struct hand_pose pose = {.angle = {0}};
  return pose;
}

static struct vector tip_of(const struct hand_pose *pose, int finger)
{
  struct hand_shape shape = hand_shape_mean();
  struct skeleton skeleton = skeleton_of(pose, &shape);
  return bone_end(&skeleton.finger[finger][FINGER_BONES - 1]);
}

static void check_vector(struct vector got, float x, float y, float z)
{
  assert_float_equal(got.x, x, 1e-4);
  assert_float_equal(got.y, y, 1e-4);
  assert_float_equal(got.z, z, 1e-4);
}

static void test_turns(void **state)
{
  (void)state;
  for (float degrees = -720; degrees <= 720; degrees += 0.37F) {
    struct turn turn = turn_of(degrees);
    assert_float_equal(turn.sine, sin((double)degrees * 0.017453292519943295), 1e-6);
    assert_float_equal(turn.cosine, cos((double)degrees * 0.017453292519943295), 1e-6);
  }
}

static void test_fingers_bend(void **state)
{
  (void)state;
  struct hand_pose pose = straight();
  struct hand_shape shape = hand_shape_mean();
  struct skeleton skeleton = skeleton_of(&pose, &shape);
  struct vector knuckle = skeleton.finger[MIDDLE][0].axes.at;
  const struct bone *bones = skeleton.finger[MIDDLE];
  float length[3] = {bones[0].length, bones[1].length, bones[2].length};
  check_vector(tip_of(&pose, MIDDLE), knuckle.x, knuckle.y + length[0] + length[1] + length[2], knuckle.z);

  pose.angle[MIDDLE_MCP] = 90; // out of the palm
  check_vector(tip_of(&pose, MIDDLE), knuckle.x, knuckle.y, knuckle.z + length[0] + length[1] + length[2]);
  pose.angle[MIDDLE_PIP] = 90; // and back to the wrist
  check_vector(tip_of(&pose, MIDDLE), knuckle.x, knuckle.y - length[1] - length[2], knuckle.z + length[0]);
  pose.angle[MIDDLE_DIP] = 90; // and to the palm
  check_vector(tip_of(&pose, MIDDLE), knuckle.x, knuckle.y - length[1], knuckle.z + length[0] - length[2]);
}

static void test_fingers_spread(void **state)
{
  (void)state;
  struct hand_pose pose = straight(), spread = straight();
  for (int f = 0; f < HAND_FINGERS; f++) spread.angle[f * FINGER_ANGLES + INDEX_ABDUCTION] = 20;
  assert_true(tip_of(&spread, INDEX).x > tip_of(&pose, INDEX).x + 2);
  for (int f = MIDDLE; f <= PINKY; f++) assert_true(tip_of(&spread, f).x < tip_of(&pose, f).x - 2);
}

static void test_thumb_turns(void **state)
{
  (void)state;
  struct hand_shape shape = hand_shape_mean();
  struct hand_pose pose = straight();
  pose.angle[THUMB_RADIAL] = 90;
  struct skeleton skeleton = skeleton_of(&pose, &shape);
  struct vector along = skeleton.thumb[2].axes.y, pad = skeleton.thumb[2].axes.z;
  check_vector(along, 1, 0, 0);
  check_vector(pad, 0, 1, 0); // to the fingers
  pose.angle[THUMB_OPPOSITION] = 90, pose.angle[THUMB_RADIAL] = 0;
  skeleton = skeleton_of(&pose, &shape);
  check_vector(skeleton.thumb[2].axes.y, 0, 1, 0);
  check_vector(skeleton.thumb[2].axes.z, 0, 0, -1); // to the palm
}

static void test_axes_stay_square(void **state)
{
  (void)state;
  struct hand_shape shape = hand_shape_mean();
  for (int sign = 0; sign < HAND_CLASSES; sign++) {
    struct hand_pose pose = hand_pose_of_class(sign);
    struct skeleton skeleton = skeleton_of(&pose, &shape);
    for (int b = 0; b < (HAND_FINGERS + 1) * FINGER_BONES; b++) {
      const struct bone *bone =
          b < FINGER_BONES ? &skeleton.thumb[b] : &skeleton.finger[b / FINGER_BONES - 1][b % FINGER_BONES];
      const struct axes *a = &bone->axes;
      assert_float_equal(vector_dot(a->x, a->y), 0, 1e-5);
      assert_float_equal(vector_dot(a->y, a->z), 0, 1e-5);
      struct vector cross = {a->x.y * a->y.z - a->x.z * a->y.y, a->x.z * a->y.x - a->x.x * a->y.z,
                             a->x.x * a->y.y - a->x.y * a->y.x};
      assert_float_equal(vector_dot(cross, a->z), 1, 1e-5); // right-handed
    }
  }
}

static void test_classes_and_limits(void **state)
{
  (void)state;
  for (int sign = 0; sign < HAND_CLASSES; sign++) {
    assert_int_equal(hand_class_of_name(hand_class_name(sign)), sign);
    struct hand_pose pose = hand_pose_of_class(sign), limited = pose;
    hand_pose_limit(&limited);
    for (int i = 0; i < HAND_ANGLES; i++) assert_true(pose.angle[i] == limited.angle[i]);
    for (int other = 0; other < sign; other++) {
      struct hand_pose before = hand_pose_of_class(other);
      bool other_pose = false;
      for (int i = 0; i < HAND_ANGLES; i++) other_pose = other_pose || pose.angle[i] != before.angle[i];
      assert_true(other_pose);
    }
    float unit[HAND_ANGLES];
    for (int i = 0; i < HAND_ANGLES; i++) unit[i] = 1;
    struct hand_pose jittered = hand_pose_at(sign, unit, 1);
    for (int i = 0; i < HAND_ANGLES; i++)
      assert_true(jittered.angle[i] >= hand_angles[i].low && jittered.angle[i] <= hand_angles[i].high);
  }
  assert_int_equal(hand_class_of_name("a"), -1);
  assert_string_equal(hand_class_name(HAND_CLASS_NOTHING), "nothing");
  struct hand_pose wild = straight();
  for (int i = 0; i < HAND_ANGLES; i++) wild.angle[i] = 1000;
  hand_pose_limit(&wild);
  for (int i = 0; i < HAND_ANGLES; i++) assert_true(wild.angle[i] == hand_angles[i].high);
}

enum { SIDE = 96, VALUES = SIDE * SIDE * 4 };

static void draw(const struct draw_kernels *kernels, int sign, float *out)
{
  struct synth_scene scene = synth_scene_of_class(sign);
  scene.look.sleeve_start = 6;
  for (int i = 0; i < VALUES; i++) out[i] = 0.25F;
  draw_by(kernels, &scene, SIDE, SIDE, out, out + SIDE * SIDE * 3);
}

// Half of a walk's range is the mean pose, a quarter and more the alternate.
static void test_alternates(void **state)
{
  (void)state;
  int alternates = 0;
  for (int sign = 0; sign < HAND_CLASSES; sign++) {
    struct hand_pose mean = hand_pose_of_class(sign), alternate = hand_alternate_of_class(sign);
    bool differs = false;
    for (int a = 0; a < HAND_ANGLES; a++) differs = differs || mean.angle[a] != alternate.angle[a];
    alternates += differs;
    static const float units[] = {0.3F, 0, -0.0625F, -0.125F, -0.7F}, shares[] = {0, 0, 0.5F, 1, 1};
    for (size_t i = 0; i < 2 * (sizeof units / sizeof *units); i++) {
      float unit[HAND_ANGLES] = {0}, reach = i % 2 ? 1 : 0.3F;
      unit[WRIST_FLEXION] = units[i / 2];
      struct hand_pose pose = hand_pose_at(sign, unit, reach);
      for (int a = 0; a < HAND_ANGLES; a++) {
        float expected = mean.angle[a] + reach * shares[i / 2] * (alternate.angle[a] - mean.angle[a]);
        if (a != WRIST_FLEXION) assert_float_equal(pose.angle[a], expected, 1e-4);
      }
    }
  }
  assert_true(alternates > 5);
}

static void test_same_bits_everywhere(void **state)
{
  (void)state;
  const struct draw_kernels *kernels[8];
  size_t count = draw_kernels_available(kernels, 8);
  float *plain = malloc(VALUES * sizeof *plain), *other = malloc(VALUES * sizeof *other);
  assert_true(plain && other);
  for (int sign = 0; sign < HAND_CLASSES; sign += 4) {
    draw(kernels[0], sign, plain);
    for (size_t k = 1; k < count; k++) {
      draw(kernels[k], sign, other);
      assert_memory_equal(plain, other, VALUES * sizeof *plain);
    }
  }
  free(plain);
  free(other);
}

static bool differs(const float *picture, const float *other)
{
  int count = 0;
  for (int i = 0; i < VALUES; i++) count += fabsf(picture[i] - other[i]) > 0.1F;
  return count > 100;
}

static void test_same_bits_on_threads(void **state)
{
  (void)state;
  float *drawn = malloc((size_t)2 * HAND_CLASSES * VALUES * sizeof *drawn);
  assert_non_null(drawn);
  for (int threads = 1; threads <= 2; threads++) {
#pragma omp parallel for num_threads(threads) schedule(dynamic)
    for (int sign = 0; sign < HAND_CLASSES; sign++)
      draw(draw_kernels(), sign, drawn + (size_t)((threads - 1) * HAND_CLASSES + sign) * VALUES);
  }
  assert_memory_equal(drawn, drawn + (size_t)HAND_CLASSES * VALUES, (size_t)HAND_CLASSES * VALUES * sizeof *drawn);

  // Each class is another picture, and every one shows a hand.
  for (int sign = 0; sign < HAND_CLASSES; sign++) {
    const float *picture = drawn + (size_t)sign * VALUES, *coverage = picture + SIDE * SIDE * 3;
    float area = 0;
    for (int i = 0; i < SIDE * SIDE; i++) {
      assert_true(coverage[i] >= 0 && coverage[i] <= 1);
      area += coverage[i];
    }
    assert_in_range((int)area, SIDE * SIDE / 40, SIDE * SIDE / 2);
    for (int i = 0; i < SIDE * SIDE * 3; i++) assert_true(picture[i] >= 0 && picture[i] < 4);
    for (int other = 0; other < sign; other++) assert_true(differs(picture, drawn + (size_t)other * VALUES));
  }
  free(drawn);
}

// How near a ray comes to the hand, in pixels; negative: how deep it goes. Small plain steps over the whole body.
static float ray_distance(const struct view *view, float x, float y)
{
  struct vector to = vector_unit((struct vector){(x - 0.5F * SIDE) / view->scale, (0.5F * SIDE - y) / view->scale, -1});
  float nearest = 1e9F;
  for (float depth = 15; depth < 120;) {
    float distance = body_distance(&view->body, vector_add(view->eye, vector_scale(to, depth)));
    float pixels = distance * view->scale / depth;
    if (pixels < nearest) nearest = pixels;
    depth += distance > 0.2F ? 0.7F * distance : 0.1F;
  }
  return nearest;
}

// What the tiles leave out is not missed: the outline is that of the whole body.
static void test_outline_is_the_bodys(void **state)
{
  (void)state;
  float *out = malloc(VALUES * sizeof *out);
  assert_non_null(out);
  for (int sign = 0; sign < HAND_CLASSES; sign += 3) {
    struct synth_scene scene = synth_scene_of_class(sign);
    scene.look.sleeve_start = 6;
    struct view view;
    view_of(&view, &scene, SIDE, SIDE);
    draw(draw_kernels(), sign, out);
    int inside = 0, outside = 0;
    for (int y = 1; y < SIDE; y += 3)
      for (int x = 1; x < SIDE; x += 3) {
        float distance = ray_distance(&view, (float)x + 0.5F, (float)y + 0.5F),
              covered = out[SIDE * SIDE * 3 + y * SIDE + x];
        if (distance > 1.5F) assert_true(covered == 0), outside++;
        if (distance < -0.7F) assert_true(covered == 1), inside++;
      }
    assert_true(inside > 50 && outside > 400);
  }
  free(out);
}

// Where there is no hand, nothing changes; the box holds the hand.
static void test_background_and_box(void **state)
{
  (void)state;
  float *out = malloc(VALUES * sizeof *out);
  assert_non_null(out);
  for (int sign = 0; sign < HAND_CLASSES; sign++) {
    struct synth_scene scene = synth_scene_of_class(sign);
    draw(draw_kernels(), sign, out);
    const float *coverage = out + SIDE * SIDE * 3;
    for (int i = 0; i < SIDE * SIDE; i++)
      if (coverage[i] == 0) assert_true(out[3 * i] == 0.25F && out[3 * i + 2] == 0.25F);
    struct synth_box box = synth_hand_box(&scene, SIDE, SIDE);
    assert_true(box.left > -0.2F && box.right < 1.2F && box.left < 0.5F && box.right > 0.5F);
    if (sign != hand_class_of_name("B")) continue; // whose forearm is below it
    for (int y = 0; y < (int)(box.top * SIDE) - 1; y++)
      for (int x = 0; x < SIDE; x++) assert_true(coverage[y * SIDE + x] == 0);
  }
  free(out);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_turns),
      cmocka_unit_test(test_fingers_bend),
      cmocka_unit_test(test_fingers_spread),
      cmocka_unit_test(test_thumb_turns),
      cmocka_unit_test(test_axes_stay_square),
      cmocka_unit_test(test_classes_and_limits),
      cmocka_unit_test(test_alternates),
      cmocka_unit_test(test_same_bits_everywhere),
      cmocka_unit_test(test_same_bits_on_threads),
      cmocka_unit_test(test_outline_is_the_bodys),
      cmocka_unit_test(test_background_and_box),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
