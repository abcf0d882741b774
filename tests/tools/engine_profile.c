// Where an engine's time goes: engine_profile [fp32|bf16] [native|onednn|reference] [threads] [batch]
// Trains seed-cnn on noise for a few seconds and prints images/s, then the microseconds per image of each step, on one
// thread.
#include <omp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "core/rng.h"
#include "engine/net.h"
#include "engine/net_parts.h"
#include "engine/optimizer.h"
#include "models/models.h"

enum { CLASSES = 29, PIXELS = 100 * 100 * 3 };

static double seconds(void)
{
  struct timespec now;
  (void)clock_gettime(CLOCK_MONOTONIC, &now);
  return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

static void fetch(void *self, size_t index, void *pixels)
{
  memcpy(pixels, (uint8_t *)self + index % 64 * PIXELS, PIXELS);
}

static void check(enum status status, const struct error *error)
{
  if (!status) return;
  fprintf(stderr, "engine_profile: %s\n", error->text);
  exit(1);
}

// The best of many times of one step's forward or backward, on buffers that this thread has just used as training does.
static void profile_steps(struct net *net)
{
  double total = 0;
  size_t count = net->step_count;
  double *best = calloc(2 * count, sizeof *best);
  if (!best) exit(1);
  const struct worker *worker = &net->workers[0];
  for (int round = 0; round < 40; round++)
    for (size_t moment = 0; moment < 2 * count; moment++) {
      size_t s = moment < count ? moment : 2 * count - 1 - moment;
      const struct step *step = &net->steps[s];
      if (moment >= count && !net->values[step->output].wants_gradient) continue;
      struct op_run run = {.y = worker->arena + net->values[step->output].offset,
                           .dy = worker->arena + net->values[step->output].gradient_offset,
                           .saved = worker->arena + step->saved_offset,
                           .scratch = worker->scratch,
                           .lane = net->lanes + step->lane_offset,
                           .step = 1,
                           .training = true};
      for (int i = 0; i < step->input_count; i++) {
        const struct value *x = &net->values[step->inputs[i]];
        run.x[i] = worker->arena + x->offset;
        run.dx[i] = x->wants_gradient ? worker->arena + x->gradient_offset : NULL;
        run.add[i] = step->add[i];
      }
      double start = seconds();
      if (moment < count)
        step->op->kind->forward(step->op, &run);
      else
        step->op->kind->backward(step->op, &run);
      double took = seconds() - start;
      if (round == 0 || took < best[moment]) best[moment] = took;
    }
  printf("%-12s %-10s %-28s %10s %10s\n", "layer", "op", "implementation", "forward us", "backward us");
  for (size_t s = 0; s < count; s++) {
    const struct step *step = &net->steps[s];
    printf("%-12s %-10s %-28s %10.0f %10.0f\n", step->layer->name, step->op->kind->name, step->op->implementation,
           best[s] * 1e6, best[2 * count - 1 - s] * 1e6);
    total += best[s] + best[2 * count - 1 - s];
  }
  printf("sum %.0f us/image\n", total * 1e6);
  free(best);
}

static int number(int argc, char **argv, int place, int otherwise)
{
  return argc > place ? (int)strtol(argv[place], NULL, 10) : otherwise;
}

int main(int argc, char **argv)
{
  struct error error = {0};
  struct net *net = NULL;
  struct net_options options = {.precision = argc > 1 && strcmp(argv[1], "bf16") == 0 ? NET_BF16 : NET_FP32,
                                .kernels = KERNELS_NATIVE,
                                .threads = number(argc, argv, 3, 2),
                                .batch = number(argc, argv, 4, 64),
                                .training = true};
  if (argc > 2 && strcmp(argv[2], "onednn") == 0) options.kernels = KERNELS_ONEDNN;
  if (argc > 2 && strcmp(argv[2], "reference") == 0) options.kernels = KERNELS_REFERENCE;
  size_t batch = (size_t)options.batch;
  check(model_build("seed-cnn", CLASSES, 0.3f, &net, &error), &error);
  check(net_plan(net, &options, &error), &error);
  net_initialise(net, 1);
  struct optimizer *optimizer = NULL;
  struct optimizer_options adam = {.kind = OPTIMIZER_ADAM, .beta1 = 0.9f, .beta2 = 0.999f, .epsilon = 1e-7f};
  check(optimizer_new(&optimizer, net, &adam, &error), &error);

  uint8_t *pixels = malloc((size_t)64 * PIXELS);
  int32_t *labels = malloc(batch * sizeof *labels);
  float *logits = malloc(batch * CLASSES * sizeof *logits);
  if (!pixels || !labels || !logits) exit(1);
  struct rng rng = rng_at(1, RNG_TEST, 0, 0);
  for (size_t i = 0; i < (size_t)64 * PIXELS; i++) pixels[i] = (uint8_t)rng_bits(&rng);
  for (size_t i = 0; i < batch; i++) labels[i] = (int32_t)(i % CLASSES);
  struct net_input input = {pixels, fetch};
  struct net_target target = {labels, 0};

  double loss, best_train = 1e9, best_update = 1e9, best_infer = 1e9;
  for (uint64_t step = 1; step <= 12; step++) {
    double start = seconds();
    check(net_train(net, &input, &target, batch, step, &loss, NULL, &error), &error);
    double middle = seconds();
    check(optimizer_step(optimizer, step, 1e-4f, options.threads, &error), &error);
    double end = seconds();
    check(net_infer(net, &input, batch, logits, &error), &error);
    double last = seconds();
    if (middle - start < best_train) best_train = middle - start;
    if (end - middle < best_update) best_update = end - middle;
    if (last - end < best_infer) best_infer = last - end;
  }
  printf("%s %s, %d threads, batch %d, memory %.1f MB, arena %.1f MB\n", options.precision ? "bf16" : "fp32",
         net->ops->name, options.threads, options.batch, (double)net_memory(net) / 1e6, (double)net->arena_bytes / 1e6);
  printf("train %.1f images/s (step %.1f ms + update %.1f ms), infer %.1f images/s\n",
         (double)batch / (best_train + best_update), best_train * 1e3, best_update * 1e3, (double)batch / best_infer);
  omp_set_num_threads(1);
  profile_steps(net);
  optimizer_free(optimizer);
  net_free(net);
  free(pixels);
  free(labels);
  free(logits);
  return 0;
}
