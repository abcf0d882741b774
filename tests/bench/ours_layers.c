// Each step of the network by itself on one thread, forward and backward, against the roof: the time that its
// multiply-adds need in registers, or that its maps and weights need to be read and written once, whichever is longer.
#include <omp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/mem.h"
#include "core/progress.h"
#include "engine/net/net_parts.h"
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

static double map_bytes(const struct net *net, int value)
{
  return (double)net->values[value].rows * (double)net->values[value].row_bytes;
}

static struct work step_work(const struct net *net, const struct step *step, bool backward)
{
  struct work work = {.bytes = map_bytes(net, step->output)};
  double positions = (double)step->layer->shape.h * step->layer->shape.w;
  bool wants = true;
  for (int i = 0; i < step->input_count; i++) {
    work.bytes += map_bytes(net, step->inputs[i]);
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

static struct op_run wiring(const struct net *net, const struct step *step)
{
  const struct worker *worker = &net->workers[0];
  const struct value *y = &net->values[step->output];
  struct op_run run = {.y = worker->arena + y->offset,
                       .dy = worker->arena + y->gradient_offset,
                       .y_rows = y->ring,
                       .dy_rows = y->gradient_ring,
                       .saved = worker->arena + step->saved_offset,
                       .scratch = worker->scratch,
                       .lane = net->lanes + step->lane_offset,
                       .step = 1,
                       .training = true};
  for (int i = 0; i < step->input_count; i++) {
    const struct value *x = &net->values[step->inputs[i]];
    run.x[i] = worker->arena + x->offset;
    run.dx[i] = x->wants_gradient ? worker->arena + x->gradient_offset : NULL;
    run.x_rows[i] = x->ring;
    run.dx_rows[i] = x->gradient_ring;
    run.add[i] = step->add[i];
  }
  return run;
}

// Adds the time of rows of a step, or of the whole step (NULL).
static void time_band(const struct net *net, size_t s, bool backward, const struct band *band, double *seconds)
{
  const struct op *op = net->steps[s].op;
  const struct op_run run = wiring(net, &net->steps[s]);
  double start = clock_seconds();
  if (band)
    (backward ? op->kind->backward_rows : op->kind->forward_rows)(op, &run, band->first, band->end);
  else
    (backward ? op->kind->backward : op->kind->forward)(op, &run);
  seconds[s] += clock_seconds() - start;
}

// The way there, or back, of one image, in the order of training, so that a step finds in the caches what it would find
// there.
static void time_pass(const struct net *net, bool backward, double *seconds)
{
  const struct streams *streams = backward ? &net->backward_streams : &net->forward_streams;
  for (size_t i = 0; i < net->step_count; i++) {
    size_t s = backward ? net->step_count - 1 - i : i;
    const struct stream *stream = stream_of(streams, s);
    if (!stream) {
      if (!backward || net->values[net->steps[s].output].wants_gradient) time_band(net, s, backward, NULL, seconds);
      continue;
    }
    for (size_t b = stream->first_band; b < stream->end_band; b++)
      time_band(net, streams->bands[b].step, backward, &streams->bands[b], seconds);
    i += stream->end - stream->first - 1;
  }
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
  if (!backward) fill_noise(arena + input->offset, (size_t)input->rows * input->row_bytes, 0);
  for (int c = 0; backward && c < net->classes; c++) gradients[c] = c ? 0.03f : -0.9f;
}

static enum status time_steps(const struct net *net, const struct roofs *roofs, struct error *error)
{
  const size_t count = net->step_count;
  double *times = NULL; // [ROUNDS, 2, count]
  enum status status = mem_zeroed((void **)&times, 2 * count * ROUNDS, sizeof *times, "times", error);
  if (status) return status;
  for (size_t pass = 0; pass < 2 * ROUNDS; pass++) {
    fill_start(net, pass % 2);
    time_pass(net, pass % 2, times + pass * count);
  }
  double sum = 0;
  for (size_t moment = 0; moment < 2 * count; moment++) {
    const bool backward = moment >= count;
    const size_t s = backward ? 2 * count - 1 - moment : moment;
    double one[ROUNDS];
    for (size_t round = 0; round < ROUNDS; round++) one[round] = times[(2 * round + backward) * count + s];
    const double seconds = median(one, ROUNDS);
    sum += seconds;
    if (seconds > 0) print_step(net, &net->steps[s], backward, seconds, roofs);
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
