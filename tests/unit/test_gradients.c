// Backward against finite differences: of every op by every number it reads, and of a whole net along directions.
#include "engine/net/net.h"
#include "models/seed_cnn.h"
#include "op_harness.h"

// sum y * r: the loss whose gradient by y is r.
static double loss_of(struct rig *rig)
{
  double sum = 0;
  rig_run(rig, false);
  for (size_t i = 0; i < rig->y_count; i++) sum += (double)rig->y[i] * (double)rig->r[i];
  return sum;
}

// Which side of its kinks the op is on: signs after ReLU, places of maxima.
static uint64_t side(const struct rig *rig)
{
  uint64_t hash = 1469598103934665603u;
  for (size_t i = 0; i < rig->y_count; i++) hash = (hash ^ (rig->y[i] > 0)) * 1099511628211u;
  for (size_t i = 0; i < rig->op->saved_bytes; i++) hash = (hash ^ rig->saved[i]) * 1099511628211u;
  return hash;
}

// Returns how many numbers could be checked: those whose change crosses no kink.
static size_t check_numbers(struct rig *rig, float *numbers, size_t count, const float *gradient, const char *what)
{
  const float step = 0x1p-6f;
  size_t checked = 0;
  for (size_t i = 0; i < count; i++) {
    float before = numbers[i];
    numbers[i] = before + step;
    double above = loss_of(rig), width = (double)numbers[i];
    uint64_t side_above = side(rig);
    numbers[i] = before - step;
    double below = loss_of(rig);
    width -= (double)numbers[i];
    bool crossed = side(rig) != side_above;
    numbers[i] = before;
    if (crossed) continue;
    double slope = (above - below) / width;
    if (fabs(slope - (double)gradient[i]) > 2e-3 * (1 + fabs(slope)))
      fail_msg("kind %d: gradient by %s[%zu] is %g, the slope is %g", (int)rig->trial.kind, what, i,
               (double)gradient[i], slope);
    checked++;
  }
  return checked;
}

static void check_op(const struct ops *ops, struct trial trial)
{
  struct rig rig;
  rig_init(&rig, ops, &trial);
  rig_run(&rig, true);
  const float *dx[OP_INPUTS] = {rig.dx[0], rig.dx[1]};
  for (int i = 0; i < rig.inputs; i++)
    assert_true(check_numbers(&rig, rig.x[i], rig.x_count, dx[i], "x") >= rig.x_count / 2);
  for (size_t p = 0; p < rig.parameters; p++)
    assert_true(check_numbers(&rig, rig.values[p], rig.counts[p], rig.gradients[p], p ? "bias" : "kernel") > 0);
  rig_release(&rig);
}

static void every_op_has_its_slope(void **state)
{
  (void)state;
  static const struct trial trials[] = {
      {.x = {5, 4, 3}, .channels = 4, .size = 3, .stride = 1, .padding = PAD_SAME, .relu = true},
      {.x = {5, 6, 2}, .channels = 3, .size = 3, .stride = 2, .padding = PAD_SAME},
      {.x = {5, 5, 3}, .channels = 2, .size = 2, .stride = 1, .padding = PAD_VALID},
      {.x = {5, 4, 3}, .channels = 4, .size = 1, .stride = 2, .padding = PAD_SAME, .relu = true},
      {.kind = TRIAL_DEPTHWISE, .x = {4, 5, 3}, .channels = 3, .size = 3, .stride = 1, .padding = PAD_SAME},
      {.kind = TRIAL_DEPTHWISE, .x = {5, 5, 2}, .channels = 2, .size = 3, .stride = 2, .padding = PAD_SAME},
      {.kind = TRIAL_POOL, .x = {5, 4, 3}, .channels = 3, .size = 2, .stride = 2, .padding = PAD_SAME},
      {.kind = TRIAL_POOL, .x = {5, 4, 3}, .channels = 3, .size = 2, .stride = 2, .padding = PAD_VALID},
      {.kind = TRIAL_POOL, .x = {6, 5, 2}, .channels = 2, .size = 3, .stride = 2, .padding = PAD_SAME},
      {.kind = TRIAL_POOL, .x = {6, 5, 2}, .channels = 2, .size = 3, .stride = 2, .pad = 1},
      {.x = {7, 8, 3}, .channels = 4, .size = 7, .stride = 2, .pad = 3, .relu = true},
      {.kind = TRIAL_NORM, .x = {3, 4, 5}},
      {.kind = TRIAL_NORM, .x = {3, 4, 5}, .relu = true},
      {.kind = TRIAL_NORM, .x = {3, 4, 5}, .relu = true, .sum = true},
      {.kind = TRIAL_RELU, .x = {3, 4, 5}},
      {.kind = TRIAL_ADD, .x = {3, 2, 4}},
      {.kind = TRIAL_DROPOUT, .x = {3, 4, 5}, .rate = 0.4f},
      {.kind = TRIAL_DENSE, .x = {1, 1, 9}, .channels = 5, .relu = true},
      {.kind = TRIAL_DENSE, .x = {1, 1, 6}, .channels = 3},
  };
  for (size_t i = 0; i < sizeof trials / sizeof *trials; i++) {
    check_op(&ops_reference, trials[i]);
    check_op(&ops_native, trials[i]);
    check_op(&ops_onednn, trials[i]);
  }
}

// --- a whole net -----------------------------------------------------------------------------------------------------

enum { SIDE = 8, CLASSES = 4, IMAGES = 3 };

static void fetch(void *self, size_t index, void *pixels)
{
  memcpy(pixels, (uint8_t *)self + index * SIDE * SIDE * 3, SIDE * SIDE * 3);
}

static double net_loss(struct net *net, uint8_t *pixels)
{
  static const int32_t labels[IMAGES] = {1, 3, 0};
  struct error error = {0};
  double loss;
  struct net_input input = {pixels, fetch};
  struct net_target target = {.labels = labels, .label_smoothing = 0.1f};
  net_parameters_changed(net);
  if (net_train(net, &input, &target, IMAGES, 4, &loss, NULL, &error)) fail_msg("%s", error.text);
  return loss;
}

// Along its own gradient a parameter's loss must rise by the gradient's length.
static void a_net_has_its_slope(void **state)
{
  (void)state;
  static uint8_t pixels[IMAGES * SIDE * SIDE * 3];
  struct error error = {0};
  struct rng rng = rng_at(2, RNG_TEST, 0, 0);
  for (size_t i = 0; i < sizeof pixels; i++) pixels[i] = (uint8_t)rng_bits(&rng);
  const enum net_kernels tables[] = {KERNELS_REFERENCE, KERNELS_NATIVE};
  for (int table = 0; table < 2; table++) {
    struct net *net = seed_cnn((struct shape){SIDE, SIDE, 3}, CLASSES, 0.2f);
    struct net_options options = {.kernels = tables[table], .threads = 1, .batch = IMAGES, .training = true};
    if (net_plan(net, &options, &error)) fail_msg("%s", error.text);
    net_initialise(net, 3);
    for (size_t p = 0; p < net_parameter_count(net); p++) {
      struct parameter *parameter = net_parameter(net, p);
      net_loss(net, pixels);
      double length = 0;
      for (size_t i = 0; i < parameter->count; i++)
        length += (double)parameter->gradient[i] * (double)parameter->gradient[i];
      length = sqrt(length);
      float *direction = floats(parameter->count), *before = floats(parameter->count);
      for (size_t i = 0; i < parameter->count; i++) {
        direction[i] = (float)((double)parameter->gradient[i] / length);
        before[i] = parameter->value[i];
      }
      double losses[2];
      for (int sign = 0; sign < 2; sign++) {
        for (size_t i = 0; i < parameter->count; i++)
          parameter->value[i] = before[i] + (sign ? -1 : 1) * 2e-3f * direction[i];
        losses[sign] = net_loss(net, pixels);
      }
      memcpy(parameter->value, before, parameter->count * sizeof *before);
      double slope = (losses[0] - losses[1]) / 4e-3;
      if (fabs(slope - length) > 0.02 * length + 1e-4)
        fail_msg("%s: the gradient's length is %g, the slope along it %g", parameter->name, length, slope);
      free(direction);
      free(before);
    }
    net_free(net);
  }
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(every_op_has_its_slope),
      cmocka_unit_test(a_net_has_its_slope),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
