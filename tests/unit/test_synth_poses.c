// The classes' mean poses: no finger passes through another, and jittered thumbs are moved out.
#include "core/rng.h"
#include "synth/contact.h"

#include "check.h"

static void body_at(struct body *body, const struct hand_pose *pose)
{
  struct hand_shape shape = hand_shape_mean();
  struct skeleton skeleton = skeleton_of(pose, &shape);
  body_of(body, &skeleton, &shape, HAND_NO_SLEEVE);
}

static void test_mean_poses_do_not_overlap(void **state)
{
  (void)state;
  for (int i = 0; i < 2 * HAND_CLASSES; i++) {
    int sign = i / 2;
    struct body body;
    struct hand_pose pose = i % 2 ? hand_alternate_of_class(sign) : hand_pose_of_class(sign);
    body_at(&body, &pose);
    for (int digit = 0; digit <= HAND_FINGERS; digit++)
      for (int other = 0; other < digit; other++) {
        float depth = contact_depth(&body, digit, other);
        if (depth > CONTACT_ALLOWED)
          fail_msg("%s: digits %d and %d overlap by %.2f cm", hand_class_name(sign), digit, other, (double)depth);
      }
  }
}

// The measure itself: a thumb through a finger is seen, and hands that do not touch are apart.
static void test_overlaps_are_seen(void **state)
{
  (void)state;
  struct body body;
  struct hand_pose pose = hand_pose_of_class(hand_class_of_name("L"));
  body_at(&body, &pose);
  assert_true(contact_depth(&body, HAND_FINGERS, PINKY) < -2);
  pose.angle[THUMB_RADIAL] = 9; // from the wrist's side to the index finger's first bone, and into it
  pose.angle[THUMB_MCP] = pose.angle[THUMB_IP] = 0;
  body_at(&body, &pose);
  assert_true(contact_depth(&body, HAND_FINGERS, INDEX) > 2 * CONTACT_ALLOWED);
  assert_float_equal(contact_depth(&body, INDEX, HAND_FINGERS), contact_depth(&body, HAND_FINGERS, INDEX), 1e-5);
}

static void test_thumbs_are_moved_out(void **state)
{
  (void)state;
  struct hand_shape shape = hand_shape_mean();
  struct rng rng = rng_at(5, RNG_TEST, 0, 0);
  int deep = 0, settled = 0, draws = 0;
  for (int sign = 0; sign < HAND_CLASSES; sign++)
    for (int i = 0; i < 20; i++, draws++) {
      float unit[HAND_ANGLES];
      for (int a = 0; a < HAND_ANGLES; a++) unit[a] = rng_uniform(&rng, -1, 1);
      struct hand_pose pose = hand_pose_at(sign, unit, 1), limited;
      struct body body;
      for (int pass = 0; pass < 2; pass++) {
        body_at(&body, &pose);
        float worst = -1;
        for (int f = 0; f < HAND_FINGERS; f++) {
          float depth = contact_depth(&body, HAND_FINGERS, f);
          if (depth > worst) worst = depth;
        }
        if (worst > CONTACT_ALLOWED + 0.1F) pass ? settled++ : deep++;
        if (!pass) contact_settle(&pose, &shape);
      }
      limited = pose;
      hand_pose_limit(&limited);
      for (int a = 0; a < HAND_ANGLES; a++) assert_true(limited.angle[a] == pose.angle[a]);
    }
  assert_true(deep > draws / 20); // else this test shows nothing
  if (settled > draws / 50) fail_msg("%d of %d thumbs were inside, %d still are", deep, draws, settled);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_mean_poses_do_not_overlap),
      cmocka_unit_test(test_overlaps_are_seen),
      cmocka_unit_test(test_thumbs_are_moved_out),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
