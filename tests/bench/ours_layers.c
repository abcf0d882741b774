// Each step of the network by itself on one thread, forward and backward, against the roof: the time that its
// multiply-adds need in registers, or that its maps and weights need to be read and written once, whichever is longer.
#include <omp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/mem.h"
#include "core/progress.h"
#include "engine/net_parts.h"
#include "median.h"
#include "ours.h"

enum { ROUNDS = 31, L2 = 1 << 20 };

struct roofs {
  double product, fp32; // operations per second: of the net's precision; of depthwise sums
  double near, far;     // bytes per second: what fits a cache of a core, what does not
};

// What one image costs at least.
struct work {
  double product, depthwise; // operations
  double bytes;
};

static struct work step_work(const struct net *net, const struct step *step, bool backward)
{
  struct work work = {.bytes = (double)net->values[step->output].bytes};
  double positions = (double)step->layer->shape.h * step->layer->shape.w;
  bool wants = true;
  for (int i = 0; i < step->input_count; i++) {
    work.bytes += (double)net->values[step->inputs[i]].bytes;
    wants = wants && net->values[step->inputs[i]].wants_gradient;
  }
  // Backward computes gradients by the input, where it is wanted, and by the weights; a dense layer's weights wait for
  // the whole batch.
  double share = backward ? (step->op->kind->batch_gradient ? 0 : 1) + (wants ? 1 : 0) : 1;
  for (size_t p = 0; p < step->parameter_count; p++) {
    const struct parameter *parameter = &net->parameters[step->first_parameter + p];
    if (parameter->rank < 2) continue;
    bool depthwise = parameter->rank == 4 && parameter->shape[3] == 1;
    *(depthwise ? &work.depthwise : &work.product) += share * 2 * positions * (double)parameter->count;
    if (!depthwise) work.bytes += (double)parameter->count * (double)dtype_size(net->context.dtype);
  }
  return work;
}

static double roof_seconds(const struct work *work, const struct roofs *roofs)
{
  double arithmetic = work->product / roofs->product + work->depthwise / roofs->fp32;
  double traffic = work->bytes / (work->bytes > L2 ? roofs->far : roofs->near);
  return arithmetic > traffic ? arithmetic : traffic;
}

static double time_step(const struct net *net, const struct step *step, bool backward)
{
  const struct worker *worker = &net->workers[0];
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
  double start = clock_seconds();
  (backward ? step->op->kind->backward : step->op->kind->forward)(step->op, &run);
  return clock_seconds() - start;
}

// Sets *seconds to the time of one image.
static void print_step(const struct net *net, const struct step *step, bool backward, double seconds,
                       const struct roofs *roofs)
{
  struct work work = step_work(net, step, backward);
  const char *moment = backward ? "backward" : "forward";
  bool alone = strcmp(step->op->kind->name, "depthwise") != 0; // a separable convolution in two steps
  char name[64];
  snprintf(name, sizeof name, "layer %s%s %s", step->layer->name, alone ? "" : " depthwise", moment);
  double best = roof_seconds(&work, roofs);
  printf("row=%s|%.3f|us/image|roof|%.3f\n", name, seconds * 1e6, best * 1e6);
  double operations = work.product + work.depthwise;
  if (operations > 0)
    printf("row=%s|%.3f|GFLOP/s|roof|%.3f\n", name, operations / seconds * 1e-9, operations / best * 1e-9);
}

// What a pass begins with: an image of noise, or gradients of the logits. The time of backward behind a pool depends on
// what is zero.
static void fill_start(const struct net *net, bool backward)
{
  unsigned char *arena = net->workers[0].arena;
  const struct value *input = &net->values[net->layers[NET_INPUT]->value], *logits = &net->values[net->logits];
  float *gradients = (float *)(void *)(arena + logits->gradient_offset);
  if (!backward) fill_noise(arena + input->offset, input->bytes, 0);
  for (int c = 0; backward && c < net->classes; c++) gradients[c] = c ? 0.03f : -0.9f;
}

// In the order of training, so that a step finds in the caches what it would find there.
static enum status time_steps(const struct net *net, const struct roofs *roofs, struct error *error)
{
  size_t count = net->step_count;
  double *times = NULL;
  enum status status = mem_zeroed((void **)&times, 2 * count * ROUNDS, sizeof *times, "times", error);
  if (status) return status;
  for (int round = 0; round < ROUNDS; round++)
    for (size_t moment = 0; moment < 2 * count; moment++) {
      bool backward = moment >= count;
      const struct step *step = &net->steps[backward ? 2 * count - 1 - moment : moment];
      if (moment % count == 0) fill_start(net, backward);
      if (!backward || net->values[step->output].wants_gradient)
        times[moment * ROUNDS + (size_t)round] = time_step(net, step, backward);
    }
  double sum = 0;
  for (size_t moment = 0; moment < 2 * count; moment++) {
    bool backward = moment >= count;
    const struct step *step = &net->steps[backward ? 2 * count - 1 - moment : moment];
    double seconds = median(times + moment * ROUNDS, ROUNDS);
    sum += seconds;
    if (seconds > 0) print_step(net, step, backward, seconds, roofs);
  }
  printf("row=layers, sum|%.1f|us/image||\n", sum * 1e6);
  free(times);
  return OK;
}

enum status ours_layers(const struct ours *ours, struct error *error)
{
  struct ours alone = *ours;
  alone.threads = 1;
  alone.batch = 1;
  struct net *net = NULL;
  enum status status = ours_net(&alone, true, &net, error);
  if (!status) {
    const struct roofs roofs = {.product = machine_flops(ours->precision, 1),
                                .fp32 = machine_flops(NET_FP32, 1),
                                .near = machine_bandwidth(256 << 10, 1),
                                .far = machine_bandwidth(4 << 20, 1)};
    omp_set_num_threads(1);
    status = time_steps(net, &roofs, error);
  }
  net_free(net);
  return status;
}
