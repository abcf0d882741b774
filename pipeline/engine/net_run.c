// Running a planned net: image by image through all steps, then what needs the whole batch.
#include <math.h>
#include <omp.h>
#include <string.h>

#include "engine/loss.h"
#include "engine/net_parts.h"

enum { BATCH_PARTS = 64 }; // of the work after a batch, shared out to threads

static void *value_map(const struct net *net, const struct worker *worker, int value)
{
  return worker->arena + net->values[value].offset;
}

static float *lane_of(const struct net *net, size_t lane)
{
  return net->lanes ? net->lanes + lane * net->lane_floats : NULL;
}

// What op `step` needs to know about image `image` on thread `thread`.
static struct op_run wiring(const struct net *net, const struct step *step, int thread, size_t image)
{
  const struct worker *worker = &net->workers[thread];
  struct op_run run = {.y = value_map(net, worker, step->output),
                       .saved = step->op->saved_bytes ? worker->arena + step->saved_offset : NULL,
                       .scratch = worker->scratch,
                       .thread = thread,
                       .image = image};
  for (int i = 0; i < step->input_count; i++) run.x[i] = value_map(net, worker, step->inputs[i]);
  return run;
}

static void forward(const struct net *net, int thread, size_t image, bool training, uint64_t step_number)
{
  for (size_t s = 0; s < net->step_count; s++) {
    const struct step *step = &net->steps[s];
    struct op_run run = wiring(net, step, thread, image);
    run.training = training;
    run.step = step_number;
    step->op->kind->forward(step->op, &run);
  }
}

static void backward(const struct net *net, int thread, size_t image, uint64_t step_number)
{
  const struct worker *worker = &net->workers[thread];
  for (size_t s = net->step_count; s-- > 0;) {
    const struct step *step = &net->steps[s];
    if (!net->values[step->output].wants_gradient) continue;
    struct op_run run = wiring(net, step, thread, image);
    run.training = true;
    run.step = step_number;
    run.dy = worker->arena + net->values[step->output].gradient_offset;
    for (int i = 0; i < step->input_count; i++) {
      const struct value *x = &net->values[step->inputs[i]];
      if (x->wants_gradient) run.dx[i] = worker->arena + x->gradient_offset;
      run.add[i] = step->add[i];
    }
    run.lane = lane_of(net, image % NET_LANES) + step->lane_offset;
    step->op->kind->backward(step->op, &run);
  }
}

static void train_image(struct net *net, const struct net_input *input, const struct net_target *target, size_t n,
                        size_t image, uint64_t step_number, float *logits)
{
  int thread = omp_get_thread_num();
  const struct worker *worker = &net->workers[thread];
  input->fetch(input->self, image, value_map(net, worker, net->layers[NET_INPUT]->value));
  forward(net, thread, image, true, step_number);
  const float *row = value_map(net, worker, net->logits);
  float *dlogits = (float *)(void *)(worker->arena + net->values[net->logits].gradient_offset);
  if (logits) memcpy(logits + image * (size_t)net->classes, row, (size_t)net->classes * sizeof *row);
  int32_t label = target->labels[image], other = target->others ? target->others[image] : label;
  float share = target->shares ? target->shares[image] : 1;
  net->losses[image] =
      loss_cross_entropy_mixed(row, net->classes, label, other, share, target->label_smoothing, 1 / (float)n, dlogits);
  backward(net, thread, image, step_number);
}

static enum status check_call(const struct net *net, size_t n, struct error *error)
{
  if (!net->planned || !net->workers) return fail(error, BAD_USAGE, "%s: not planned", net->name);
  if (net->not_finite != SIZE_MAX)
    return fail(error, FAILED, "%s: a weight in %s is not finite", net->name, net->parameters[net->not_finite].name);
  if (n >= 1 && n <= (size_t)net->options.batch) return OK;
  return fail(error, BAD_USAGE, "%s: %zu images: from 1 to %d were planned", net->name, n, net->options.batch);
}

static enum status check_labels(const struct net *net, const int32_t *labels, size_t n, struct error *error)
{
  for (size_t i = 0; i < n; i++)
    if (labels[i] < 0 || labels[i] >= net->classes)
      return fail(error, BAD_DATA, "%s: label %d of image %zu: from 0 to %d is allowed", net->name, labels[i], i,
                  net->classes - 1);
  return OK;
}

static enum status check_target(const struct net *net, const struct net_target *target, size_t n, struct error *error)
{
  if (!net->options.training) return fail(error, BAD_USAGE, "%s: planned for inference only", net->name);
  enum status status = check_labels(net, target->labels, n, error);
  return status || !target->others ? status : check_labels(net, target->others, n, error);
}

// Whether the step's own parameters do.
static bool trains(const struct net *net, const struct step *step)
{
  return step->parameter_count > 0 && net->parameters[step->first_parameter].trainable;
}

// Sums the lanes in order into the first and hands the sum to the op.
static void reduce_lanes(const struct net *net, const struct step *step, size_t lanes)
{
  float *sum = lane_of(net, 0) + step->lane_offset;
  for (size_t lane = 1; lane < lanes; lane++) {
    const float *other = lane_of(net, lane) + step->lane_offset;
    for (size_t i = 0; i < step->op->lane_floats; i++) sum[i] += other[i];
  }
  float *gradients[OP_PARAMETERS] = {0};
  for (size_t i = 0; i < step->parameter_count; i++) gradients[i] = net->parameters[step->first_parameter + i].gradient;
  step->op->kind->gradient(step->op, sum, gradients);
}

static void batch_part(const struct net *net, size_t n, size_t part, void *scratch)
{
  for (size_t s = 0; s < net->step_count; s++) {
    const struct step *step = &net->steps[s];
    if (!trains(net, step) || !step->op->kind->batch_gradient) continue;
    float *gradients[OP_PARAMETERS] = {0};
    for (size_t i = 0; i < step->parameter_count; i++)
      gradients[i] = net->parameters[step->first_parameter + i].gradient;
    step->op->kind->batch_gradient(step->op, n, part, BATCH_PARTS, scratch, gradients);
  }
}

enum status net_train(struct net *net, const struct net_input *input, const struct net_target *target, size_t n,
                      uint64_t step, double *loss, float *logits, struct error *error)
{
  enum status status = check_call(net, n, error);
  if (!status) status = check_target(net, target, n, error);
  if (status) return status;
  size_t lanes = n < NET_LANES ? n : NET_LANES;
  memset(net->lanes, 0, lanes * net->lane_floats * sizeof *net->lanes);
#pragma omp parallel num_threads(net->options.threads)
  {
    omp_set_num_threads(
        1); // inside a kernel; even where this team is of one thread, which OpenMP does not count as a team
#pragma omp for schedule(dynamic, 1)
    for (size_t lane = 0; lane < lanes; lane++)
      for (size_t image = lane; image < n; image += NET_LANES) train_image(net, input, target, n, image, step, logits);
#pragma omp for schedule(dynamic, 1) nowait
    for (size_t s = 0; s < net->step_count; s++)
      if (trains(net, &net->steps[s]) && net->steps[s].op->kind->gradient) reduce_lanes(net, &net->steps[s], lanes);
#pragma omp for schedule(dynamic, 1)
    for (size_t part = 0; part < BATCH_PARTS; part++)
      batch_part(net, n, part, net->workers[omp_get_thread_num()].scratch);
  }
  double sum = 0;
  for (size_t i = 0; i < n; i++) sum += net->losses[i];
  *loss = sum / (double)n;
  if (!isfinite(*loss))
    return fail(error, FAILED, "%s: the loss of step %llu is %g", net->name, (unsigned long long)step, *loss);
  return OK;
}

// The output of one image as floats.
static void give_out(const struct net *net, const void *map, float *logits)
{
  size_t classes = (size_t)net->classes;
  if (net->values[net->logits].dtype == DTYPE_F32)
    memcpy(logits, map, classes * sizeof *logits);
  else
    for (size_t i = 0; i < classes; i++) logits[i] = bf16_to_float(((const uint16_t *)map)[i]);
}

enum status net_infer(struct net *net, const struct net_input *input, size_t n, float *logits, struct error *error)
{
  enum status status = check_call(net, n, error);
  if (status) return status;
  size_t classes = (size_t)net->classes;
#pragma omp parallel num_threads(net->options.threads)
  {
    omp_set_num_threads(1); // see net_train
#pragma omp for schedule(dynamic, 1)
    for (size_t image = 0; image < n; image++) {
      int thread = omp_get_thread_num();
      const struct worker *worker = &net->workers[thread];
      input->fetch(input->self, image, value_map(net, worker, net->layers[NET_INPUT]->value));
      forward(net, thread, image, false, 0);
      give_out(net, value_map(net, worker, net->logits), logits + image * classes);
    }
  }
  return OK;
}

void net_parameters_changed(struct net *net)
{
  size_t not_finite = SIZE_MAX;
#pragma omp parallel num_threads(net->options.threads) reduction(min : not_finite)
  {
    omp_set_num_threads(1); // see net_train
#pragma omp for schedule(dynamic, 1) nowait
    for (size_t i = 0; i < net->parameter_count; i++)
      if (!all_finite(net->parameters[i].value, net->parameters[i].count) && i < not_finite) not_finite = i;
#pragma omp for schedule(dynamic, 1)
    for (size_t s = 0; s < net->step_count; s++) {
      const struct step *step = &net->steps[s];
      if (!step->op->kind->pack) continue;
      float *values[OP_PARAMETERS] = {0};
      for (size_t i = 0; i < step->parameter_count; i++) values[i] = net->parameters[step->first_parameter + i].value;
      step->op->kind->pack(step->op, values);
    }
  }
  net->not_finite = not_finite;
}
