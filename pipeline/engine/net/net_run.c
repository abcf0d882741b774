// Running a planned net: image by image through all steps, then what needs the whole batch.
#include <math.h>
#include <omp.h>
#include <string.h>

#include "engine/net/loss.h"
#include "engine/net/net_parts.h"
#include "engine/net/ranges.h"
#include "engine/ops/onednn.h"

enum {
  BATCH_PARTS = 64, // of the work after a batch, shared out to threads
  // A map's numbers stay below 2^50 (1e15): the product of two such, summed 2^28 times, is still a float.
  MAP_BITS = 50
};

// One call of net_train or net_infer.
struct pass {
  struct net *net;
  const struct net_input *input;
  const struct net_target *target; // NULL: inference
  size_t n;
  uint64_t step;
  float *logits;                  // NULL: not wanted
  struct ranges *ranges;          // of the maps; NULL: not wanted
  const struct layer **overflows; // set to the first layer whose map of image 0 is_huge; NULL: not wanted
};

static void *place(const struct net *net, const struct worker *worker, bool kept, size_t offset, size_t bytes,
                   size_t image)
{
  return kept ? net->store + offset * (size_t)net->options.batch + image * bytes : worker->arena + offset;
}

static void *map_of(const struct net *net, const struct worker *worker, int value, size_t image)
{
  const struct value *v = &net->values[value];
  return place(net, worker, v->kept, v->offset, (size_t)v->ring * v->row_bytes, image);
}

static void *gradient_of(const struct net *net, const struct worker *worker, int value, size_t image)
{
  const struct value *v = &net->values[value];
  return place(net, worker, v->gradient_kept, v->gradient_offset, (size_t)v->gradient_ring * v->row_bytes, image);
}

static float *lane_of(const struct net *net, size_t lane)
{
  return net->lanes ? net->lanes + lane * net->lane_floats : NULL;
}

// What op `step` needs to know about image `image` on this thread.
static struct op_run wiring(const struct pass *pass, const struct step *step, size_t image)
{
  const struct net *net = pass->net;
  int thread = omp_get_thread_num();
  const struct worker *worker = &net->workers[thread];
  struct op_run run = {.y = map_of(net, worker, step->output, image),
                       .scratch = worker->scratch,
                       .thread = thread,
                       .image = image,
                       .step = pass->step,
                       .training = pass->target};
  if (step->op->saved_bytes)
    run.saved = place(net, worker, step->saved_kept, step->saved_offset, step->op->saved_bytes, image);
  run.y_rows = net->values[step->output].ring;
  for (int i = 0; i < step->input_count; i++) {
    run.x[i] = map_of(net, worker, step->inputs[i], image);
    run.x_rows[i] = net->values[step->inputs[i]].ring;
  }
  return run;
}

static struct op_run backward_wiring(const struct pass *pass, const struct step *step, size_t image)
{
  const struct net *net = pass->net;
  struct op_run run = wiring(pass, step, image);
  const struct worker *worker = &net->workers[run.thread];
  run.dy = gradient_of(net, worker, step->output, image);
  run.dy_rows = net->values[step->output].gradient_ring;
  for (int i = 0; i < step->input_count; i++) {
    run.dx_rows[i] = net->values[step->inputs[i]].gradient_ring;
    if (net->values[step->inputs[i]].wants_gradient) run.dx[i] = gradient_of(net, worker, step->inputs[i], image);
    run.add[i] = step->add[i];
  }
  run.lane = lane_of(net, image % NET_LANES) + step->lane_offset;
  return run;
}

// The step behind the cut that ends segment k; NULL: it is the last.
static const struct step *step_behind(const struct net *net, size_t k)
{
  return k + 1 < net->segment_count ? &net->steps[net->segments[k + 1].first] : NULL;
}

// Whether a row has numbers that the next op's sums may overflow with, or that are not finite.
static bool is_huge(const struct value *y, const void *row)
{
  const float limit = (float)(1ULL << MAP_BITS);
  bool below = true;
  for (size_t i = 0; y->dtype == DTYPE_F32 && i < y->row_bytes / sizeof(float); i++)
    below &= fabsf(((const float *)row)[i]) < limit;
  for (size_t i = 0; y->dtype == DTYPE_BF16 && i < y->row_bytes / sizeof(uint16_t); i++)
    below &= fabsf(bf16_to_float(((const uint16_t *)row)[i])) < limit;
  return !below;
}

// Rows first ... end - 1 of what a step has written.
static void observe(const struct pass *pass, const struct step *step, const struct op_run *run, int first, int end)
{
  const struct value *y = &pass->net->values[step->output];
  for (int row = first; pass->overflows && run->image == 0 && !*pass->overflows && row < end; row++)
    if (is_huge(y, op_row(run->y, row, run->y_rows, y->row_bytes))) *pass->overflows = step->layer;
  if (!pass->ranges || y->dtype != DTYPE_F32) return;
  for (int row = first; row < end; row++)
    ranges_add(pass->ranges, run->thread, step->layer->index,
               (const float *)(const void *)op_row(run->y, row, run->y_rows, y->row_bytes),
               y->row_bytes / sizeof(float));
}

static void forward_rows(const struct pass *pass, const struct stream *stream, size_t image)
{
  const struct net *net = pass->net;
  for (size_t i = stream->first_band; i < stream->end_band; i++) {
    const struct band *band = &net->forward_streams.bands[i];
    const struct step *step = &net->steps[band->step];
    struct op_run run = wiring(pass, step, image);
    step->op->kind->forward_rows(step->op, &run, band->first, band->end);
    observe(pass, step, &run, band->first, band->end);
  }
}

static void backward_rows(const struct pass *pass, const struct stream *stream, size_t image)
{
  const struct net *net = pass->net;
  for (size_t i = stream->first_band; i < stream->end_band; i++) {
    const struct band *band = &net->backward_streams.bands[i];
    const struct step *step = &net->steps[band->step];
    struct op_run run = backward_wiring(pass, step, image);
    step->op->kind->backward_rows(step->op, &run, band->first, band->end);
  }
}

static void forward(const struct pass *pass, size_t k, size_t image)
{
  const struct net *net = pass->net;
  const struct worker *worker = &net->workers[omp_get_thread_num()];
  if (k == 0) pass->input->fetch(pass->input->self, image, map_of(net, worker, net->layers[NET_INPUT]->value, image));
  for (size_t s = net->segments[k].first; s < net->segments[k].end; s++) {
    const struct stream *stream = stream_of(&net->forward_streams, s);
    if (stream) {
      forward_rows(pass, stream, image);
      s = stream->end - 1;
      continue;
    }
    struct op_run run = wiring(pass, &net->steps[s], image);
    net->steps[s].op->kind->forward(net->steps[s].op, &run);
    observe(pass, &net->steps[s], &run, 0, net->values[net->steps[s].output].rows);
  }
  const struct step *behind = step_behind(net, k);
  if (!behind || !behind->op->kind->before || !pass->target) return;
  struct op_run run = wiring(pass, behind, image);
  behind->op->kind->before(behind->op, &run);
}

static void backward(const struct pass *pass, size_t k, size_t image)
{
  const struct net *net = pass->net;
  const struct step *behind = step_behind(net, k);
  if (behind && behind->op->kind->after && plan_goes_back(net, behind)) {
    struct op_run run = backward_wiring(pass, behind, image);
    behind->op->kind->after(behind->op, &run);
  }
  for (size_t s = net->segments[k].end; s-- > net->segments[k].first;) {
    const struct step *step = &net->steps[s];
    const struct stream *stream = stream_of(&net->backward_streams, s);
    if (stream) {
      backward_rows(pass, stream, image);
      s = stream->first;
      continue;
    }
    if (!plan_goes_back(net, step)) continue;
    struct op_run run = backward_wiring(pass, step, image);
    step->op->kind->backward(step->op, &run);
  }
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

// The last segment of one image: its logits, in training its loss and the way back.
static void turn(const struct pass *pass, size_t image)
{
  const struct net *net = pass->net;
  const struct worker *worker = &net->workers[omp_get_thread_num()];
  forward(pass, net->segment_count - 1, image);
  const void *row = map_of(net, worker, net->logits, image);
  if (pass->logits) give_out(net, row, pass->logits + image * (size_t)net->classes);
  if (!pass->target) return;
  const struct net_target *target = pass->target;
  int32_t label = target->labels[image], other = target->others ? target->others[image] : label;
  float share = target->shares ? target->shares[image] : 1;
  net->losses[image] = loss_cross_entropy(row, net->classes, label, other, share, target->label_smoothing,
                                          1 / (float)pass->n, gradient_of(net, worker, net->logits, image));
  backward(pass, net->segment_count - 1, image);
}

// --- the whole batch -------------------------------------------------------------------------------------------------

static struct op_batch batch_wiring(const struct pass *pass, const struct step *step, size_t part, size_t parts)
{
  const struct net *net = pass->net;
  const struct worker *worker = &net->workers[omp_get_thread_num()];
  const struct value *x = &net->values[step->inputs[0]], *y = &net->values[step->output];
  struct op_batch batch = {.n = pass->n,
                           .add = step->add[0],
                           .training = pass->target,
                           .scratch = worker->scratch,
                           .part = part,
                           .parts = parts,
                           .thread = omp_get_thread_num()};
  if (x->kept) batch.x = map_of(net, worker, step->inputs[0], 0);
  if (y->kept) batch.y = map_of(net, worker, step->output, 0);
  if (net->batch_lanes) batch.lanes = net->batch_lanes + BATCH_LANES * step->batch_lane_offset;
  if (y->gradient_kept) batch.dy = gradient_of(net, worker, step->output, 0);
  if (x->gradient_kept && x->wants_gradient) batch.dx = gradient_of(net, worker, step->inputs[0], 0);
  return batch;
}

// Called by all threads together, as the functions below.
static void share_batch(const struct pass *pass, const struct step *step,
                        void (*work)(const struct op *op, const struct op_batch *batch))
{
  if (!work) return;
#pragma omp for schedule(dynamic, 1)
  for (size_t part = 0; part < BATCH_PARTS; part++) {
    const struct op_batch batch = batch_wiring(pass, step, part, BATCH_PARTS);
    work(step->op, &batch);
  }
}

// Whether the step's own parameters do.
static bool trains(const struct net *net, const struct step *step)
{
  return step->parameter_count > 0 && net->parameters[step->first_parameter].trainable;
}

static void gradients_of(const struct net *net, const struct step *step, float *gradients[OP_PARAMETERS])
{
  for (size_t i = 0; i < step->parameter_count; i++) gradients[i] = net->parameters[step->first_parameter + i].gradient;
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
  gradients_of(net, step, gradients);
  step->op->kind->gradient(step->op, sum, gradients);
}

static void batch_lane(const struct pass *pass, size_t k, size_t lane)
{
  const struct net *net = pass->net;
  for (size_t s = net->segments[k].first; s < net->segments[k].end; s++) {
    const struct step *step = &net->steps[s];
    if (!trains(net, step) || !step->op->kind->batch_lane) continue;
    const struct op_batch batch = batch_wiring(pass, step, lane, BATCH_LANES);
    step->op->kind->batch_lane(step->op, &batch);
  }
}

static void batch_gradient(const struct pass *pass, size_t k, size_t part)
{
  const struct net *net = pass->net;
  for (size_t s = net->segments[k].first; s < net->segments[k].end; s++) {
    const struct step *step = &net->steps[s];
    if (!trains(net, step) || !step->op->kind->batch_gradient) continue;
    float *gradients[OP_PARAMETERS] = {0};
    gradients_of(net, step, gradients);
    const struct op_batch batch = batch_wiring(pass, step, part, BATCH_PARTS);
    step->op->kind->batch_gradient(step->op, &batch, gradients);
  }
}

// What segment k's steps do with the batch once all its images came back.
static void finish_segment(const struct pass *pass, size_t k)
{
  const struct net *net = pass->net;
  if (k > 0) {
    const struct step *first = &net->steps[net->segments[k].first];
    if (plan_goes_back(net, first)) share_batch(pass, first, first->op->kind->batch_backward);
  }
  if (net->batch_lane_floats > 0) {
#pragma omp for schedule(dynamic, 1)
    for (size_t lane = 0; lane < BATCH_LANES; lane++) batch_lane(pass, k, lane);
  }
#pragma omp for schedule(dynamic, 1)
  for (size_t part = 0; part < BATCH_PARTS; part++) batch_gradient(pass, k, part);
}

static void begin_segment(const struct pass *pass, size_t k)
{
  const struct step *first = &pass->net->steps[pass->net->segments[k].first];
  if (k > 0) share_batch(pass, first, first->op->kind->batch_forward);
}

// All segments forward, and the last one back.
static void pass_forward(const struct pass *pass)
{
  size_t last = pass->net->segment_count - 1;
  for (size_t k = 0; k < last; k++) {
    begin_segment(pass, k);
#pragma omp for schedule(dynamic, 1)
    for (size_t image = 0; image < pass->n; image++) forward(pass, k, image);
  }
  begin_segment(pass, last);
}

// The images of a lane in order, so that the sums in it have one order.
static void pass_backward(const struct pass *pass, size_t lanes)
{
  size_t last = pass->net->segment_count - 1;
#pragma omp for schedule(dynamic, 1)
  for (size_t lane = 0; lane < lanes; lane++)
    for (size_t image = lane; image < pass->n; image += NET_LANES) turn(pass, image);
  finish_segment(pass, last);
  for (size_t k = last; k-- > 0;) {
#pragma omp for schedule(dynamic, 1)
    for (size_t lane = 0; lane < lanes; lane++)
      for (size_t image = lane; image < pass->n; image += NET_LANES) backward(pass, k, image);
    finish_segment(pass, k);
  }
}

static enum status check_packing(const struct net *net, const struct step *step, struct error *error)
{
  switch (step->op->packing) {
  case PACKED:
    return OK;
  case PACKING_REFUSED:
    return fail(error, FAILED, "%s: oneDNN refused to pack the weights of layer %s", net->name, step->layer->name);
  case PACKING_NOT_FINITE:
    return fail(error, FAILED, "%s: the weights of layer %s are not finite once its batch norm is folded in", net->name,
                step->layer->name);
  }
  return FAILED;
}

static enum status check_call(const struct net *net, size_t n, struct error *error)
{
  if (!net->planned || !net->workers) return fail(error, BAD_USAGE, "%s: not planned", net->name);
  if (net->not_finite != SIZE_MAX)
    return fail(error, FAILED, "%s: a weight in %s is not finite", net->name, net->parameters[net->not_finite].name);
  if (n < 1 || n > (size_t)net->options.batch)
    return fail(error, BAD_USAGE, "%s: %zu images: from 1 to %d were planned", net->name, n, net->options.batch);
  enum status status = OK;
  for (size_t s = 0; !status && s < net->step_count; s++) status = check_packing(net, &net->steps[s], error);
  return status;
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

// What a pass has written is worth nothing where oneDNN refused a part of it.
static enum status check_refused(const struct net *net, struct error *error)
{
  return onednn_check((dnnl_status_t)net->refused, net->name, error);
}

enum status net_train(struct net *net, const struct net_input *input, const struct net_target *target, size_t n,
                      uint64_t step, double *loss, float *logits, struct error *error)
{
  enum status status = check_call(net, n, error);
  if (!status) status = check_target(net, target, n, error);
  if (status) return status;
  const struct pass pass = {.net = net, .input = input, .target = target, .n = n, .step = step, .logits = logits};
  size_t lanes = n < NET_LANES ? n : NET_LANES;
  net->trained = n;
  net->refused = 0;
  memset(net->lanes, 0, lanes * net->lane_floats * sizeof *net->lanes);
#pragma omp parallel num_threads(net->options.threads)
  {
    omp_set_num_threads(
        1); // inside a kernel; even where this team is of one thread, which OpenMP does not count as a team
    pass_forward(&pass);
    pass_backward(&pass, lanes);
#pragma omp for schedule(dynamic, 1)
    for (size_t s = 0; s < net->step_count; s++)
      if (trains(net, &net->steps[s]) && net->steps[s].op->kind->gradient) reduce_lanes(net, &net->steps[s], lanes);
  }
  if ((status = check_refused(net, error))) return status;
  double sum = 0;
  for (size_t i = 0; i < n; i++) sum += net->losses[i];
  *loss = sum / (double)n;
  return isfinite(*loss) ? OK : fail(error, FAILED, "%s: the loss is %g", net->name, *loss);
}

// What comes of weights that are huge but finite. Where sums overflow, a ReLU makes 0 of their NaN in the same op, and
// the output looks like any other; but such weights do so with every picture, so one tells, once they are packed. Every
// output is looked at by itself.
static enum status check_maps(struct net *net, const struct layer *overflows, size_t bad, struct error *error)
{
  if (overflows)
    return fail(error, FAILED, "%s: layer %s makes numbers of 2^%d and more of image 0 of the batch: they overflow",
                net->name, overflows->name, MAP_BITS);
  net->maps_checked = true;
  if (bad == SIZE_MAX) return OK;
  return fail(error, FAILED, "%s: the output for image %zu of the batch is not finite", net->name, bad);
}

static enum status infer(const struct pass *wanted, struct error *error)
{
  struct net *net = wanted->net;
  enum status status = check_call(net, wanted->n, error);
  if (status) return status;
  const size_t classes = (size_t)net->classes;
  const struct layer *overflows = NULL;
  size_t bad = SIZE_MAX;
  struct pass looking = *wanted;
  const struct pass *pass = &looking;
  if (!net->maps_checked) looking.overflows = &overflows;
  net->refused = 0;
#pragma omp parallel num_threads(net->options.threads)
  {
    omp_set_num_threads(1); // see net_train
    pass_forward(pass);
#pragma omp for schedule(dynamic, 1) reduction(min : bad)
    for (size_t image = 0; image < pass->n; image++) {
      turn(pass, image);
      if (pass->logits && !all_finite(pass->logits + image * classes, classes) && image < bad) bad = image;
    }
  }
  status = check_refused(net, error);
  return status ? status : check_maps(net, overflows, bad, error);
}

enum status net_infer(struct net *net, const struct net_input *input, size_t n, float *logits, struct error *error)
{
  return infer(&(struct pass){.net = net, .input = input, .n = n, .logits = logits}, error);
}

enum status net_observe(struct net *net, const struct net_input *input, size_t n, struct ranges *ranges, float *logits,
                        struct error *error)
{
  return infer(&(struct pass){.net = net, .input = input, .n = n, .logits = logits, .ranges = ranges}, error);
}

static void values_of(const struct net *net, const struct step *step, float *values[OP_PARAMETERS])
{
  for (size_t i = 0; i < step->parameter_count; i++) values[i] = net->parameters[step->first_parameter + i].value;
}

static void pack_part(struct net *net, bool all, size_t part)
{
  for (size_t s = 0; s < net->step_count; s++) {
    const struct step *step = &net->steps[s];
    float *values[OP_PARAMETERS] = {0};
    values_of(net, step, values);
    if (step->op->kind->pack_part && (all || (trains(net, step) && !step->op->pieces)))
      step->op->kind->pack_part(step->op, values, part, BATCH_PARTS);
  }
}

// Packs the parameters of all steps, or of those that train.
static void pack(struct net *net, bool all)
{
  net->maps_checked = false;
#pragma omp parallel num_threads(net->options.threads)
  {
    omp_set_num_threads(1); // see net_train
#pragma omp for schedule(dynamic, 1)
    for (size_t s = 0; s < net->step_count; s++) {
      const struct step *step = &net->steps[s];
      float *values[OP_PARAMETERS] = {0};
      values_of(net, step, values);
      if (step->op->kind->pack && (all || trains(net, step))) step->op->kind->pack(step->op, values);
    }
#pragma omp for schedule(dynamic, 1)
    for (size_t part = 0; part < BATCH_PARTS; part++) pack_part(net, all, part);
  }
}

void net_parameters_changed(struct net *net)
{
  size_t not_finite = SIZE_MAX;
#pragma omp parallel for schedule(dynamic, 1) num_threads(net->options.threads) reduction(min : not_finite)
  for (size_t i = 0; i < net->parameter_count; i++)
    if (!all_finite(net->parameters[i].value, net->parameters[i].count) && i < not_finite) not_finite = i;
  net->not_finite = not_finite;
  pack(net, true);
}

void net_stepped(struct net *net, size_t not_finite)
{
  for (size_t s = 0; s < net->step_count; s++) {
    const struct step *step = &net->steps[s];
    float *values[OP_PARAMETERS] = {0};
    values_of(net, step, values);
    if (step->op->kind->settle && trains(net, step)) step->op->kind->settle(step->op, values);
  }
  pack(net, false);
  if (not_finite < net->not_finite) net->not_finite = not_finite;
}
