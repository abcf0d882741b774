// From layers to steps; the memory of all of them.
#include <omp.h>
#include <stdlib.h>

#include "core/mem.h"
#include "engine/net/net_parts.h"

// Kernels read maps of one dtype.
static enum status check_inputs(const struct net *net, const struct layer *layer, struct error *error)
{
  for (int i = 0; i < layer->input_count; i++) {
    if (layer_input(net, layer, i)->padding > 0 && !layer->kind->reads_padded)
      return fail(error, BAD_USAGE, "%s: layer %s: a zero padding is read by convolutions and pools only", net->name,
                  layer->name);
    enum dtype dtype = net->values[layer_input(net, layer, i)->value].dtype;
    if (layer->kind->takes == TAKES_ANY || dtype == net->context.dtype) continue;
    if (layer->kind->reads_bytes && net->values[layer_input(net, layer, i)->value].scale > 0) continue;
    if (layer->kind->takes == TAKES_FLOATS && dtype == DTYPE_F32) continue;
    return fail(error, BAD_USAGE, "%s: layer %s: its input %s is not of the net's precision: rescale it first",
                net->name, layer->name, layer_input(net, layer, i)->name);
  }
  return OK;
}

static enum status check_used(const struct net *net, struct error *error)
{
  for (size_t i = 1; i + 1 < net->layer_count; i++) {
    bool used = false;
    for (size_t j = i + 1; j < net->layer_count; j++)
      for (int k = 0; k < net->layers[j]->input_count; k++) used |= net->layers[j]->inputs[k] == (int)i;
    if (!used) return fail(error, BAD_USAGE, "%s: layer %s: nobody reads its output", net->name, net->layers[i]->name);
  }
  return OK;
}

static enum status lower_layers(struct net *net, struct error *error)
{
  enum status status = plan_value(net, net->input, net->input_dtype, &net->layers[NET_INPUT]->value, error);
  for (size_t i = 1; !status && i < net->layer_count; i++) {
    if (net->layers[i]->value >= 0) continue; // an earlier layer's op does its work
    struct layer *layer = net->layers[i];
    for (int k = 0; !status && !layer->kind->reads_bytes && k < layer->input_count; k++)
      status = int8_numbers_of(net, net->layers[layer->inputs[k]], error);
    if (!status) status = check_inputs(net, layer, error);
    if (!status) status = layer->kind->lower(net, layer, error);
  }
  return status;
}

// Of two steps in a row that read the same map, the one with a sparse gradient goes first. Backward it then comes last,
// and adds to what the other has written instead of clearing the map for it.
static void order_readers(struct net *net)
{
  for (size_t s = 0; s + 1 < net->step_count; s++) {
    struct step *step = &net->steps[s], *next = step + 1;
    bool together = step->inputs[0] == next->inputs[0] && next->input_count == 1 && next->output != step->output;
    if (!together || step->op->sparse_dx || !next->op->sparse_dx) continue;
    const struct step later = *step;
    *step = *next;
    *next = later;
  }
}

static enum status allocate(struct net *net, struct error *error)
{
  enum status status = OK;
  for (size_t s = 0; s < net->step_count; s++) {
    struct step *step = &net->steps[s];
    size_t scratch = pieces_scratch(step->op);
    if (scratch > net->scratch_bytes) net->scratch_bytes = scratch;
    step->lane_offset = net->lane_floats;
    if (plan_goes_back(net, step)) net->lane_floats += (step->op->lane_floats + 15) / 16 * 16; // whole cache lines
  }
  status = mem_zeroed((void **)&net->workers, (size_t)net->options.threads, sizeof *net->workers, "workers", error);
  for (int t = 0; !status && t < net->options.threads; t++) {
    struct worker *worker = &net->workers[t];
    status = mem_aligned((void **)&worker->arena, net->arena_bytes, 1, "activations", error);
    if (!status) status = mem_aligned((void **)&worker->scratch, net->scratch_bytes, 1, "scratch", error);
  }
  size_t store = 0, batch = (size_t)net->options.batch;
  if (!mem_multiply(net->store_bytes, batch, &store)) return fail_memory(error, "activations of a batch", batch);
  if (!status) status = mem_aligned((void **)&net->store, store, 1, "activations of a batch", error);
  if (status || !net->options.training) return status;
  status = mem_aligned((void **)&net->batch_lanes, BATCH_LANES * net->batch_lane_floats, sizeof(float),
                       "gradient lanes", error);
  if (status) return status;
  status = mem_aligned((void **)&net->lanes, NET_LANES * net->lane_floats, sizeof(float), "gradient lanes", error);
  if (!status) status = mem_zeroed((void **)&net->losses, (size_t)net->options.batch, sizeof(double), "losses", error);
  for (size_t i = 0; !status && i < net->parameter_count; i++) {
    struct parameter *parameter = &net->parameters[i];
    if (!parameter->trainable || net_pieces_of(net, i).count > 0) continue;
    status = mem_aligned((void **)&parameter->gradient, parameter->count, sizeof(float), parameter->name, error);
  }
  return status;
}

static enum status check_options(const struct net *net, const struct net_options *options, struct error *error)
{
  if (net->status) {
    if (error) *error = net->error;
    return net->status;
  }
  if (net->planned) return fail(error, BAD_USAGE, "%s: planned already", net->name);
  if (options->threads < 1)
    return fail(error, BAD_USAGE, "%s: %d threads: at least 1 is needed", net->name, options->threads);
  if (options->batch < 1 || options->batch > 1 << 20)
    return fail(error, BAD_USAGE, "%s: batch %d: from 1 to %d is allowed", net->name, options->batch, 1 << 20);
  if (options->precision == NET_BF16 && options->kernels == KERNELS_ONEDNN && !net_precision_supported(NET_BF16))
    return fail(error, BAD_USAGE, "%s: this CPU has no fast bf16 (%s)", net->name, net_isa());
  const struct layer *output = net->layers[net->layer_count - 1];
  if (output->shape.h != 1 || output->shape.w != 1 || net->layer_count < 2)
    return fail(error, BAD_USAGE, "%s: the output %s is %d x %d x %d: 1 x 1 x classes is needed", net->name,
                output->name, output->shape.h, output->shape.w, output->shape.c);
  return check_used(net, error);
}

enum status net_plan(struct net *net, const struct net_options *options, struct error *error)
{
  enum status status = check_options(net, options, error);
  if (status) return status;
  net->planned = true;
  net->options = *options;
  net->context = (struct op_context){.dtype = options->precision == NET_BF16 ? DTYPE_BF16 : DTYPE_F32,
                                     .training = options->training,
                                     .pieces = options->training && options->pieces,
                                     .threads = options->threads,
                                     .batch = options->batch,
                                     .seed = options->seed,
                                     .refused = &net->refused};
  static const struct ops *const tables[] = {
      [KERNELS_REFERENCE] = &ops_reference, [KERNELS_ONEDNN] = &ops_onednn, [KERNELS_NATIVE] = &ops_native};
  net->ops = tables[options->kernels];
  // Kernels run one image on one thread: they are planned where OpenMP has one thread to give.
  int threads_before = omp_get_max_threads();
  omp_set_num_threads(1);
  status = lower_layers(net, error);
  omp_set_num_threads(threads_before);
  net->options.ranges = NULL; // the caller's
  if (status) return status;
  order_readers(net);
  const struct layer *output = net->layers[net->layer_count - 1];
  net->logits = output->value;
  net->classes = output->shape.c;
  bool floats = net->values[net->logits].dtype == DTYPE_F32;
  if (net->step_count == 0 || (options->training && (!floats || !net->values[net->logits].wants_gradient)))
    return fail(error, BAD_USAGE, "%s: the output %s must be a dense layer that something before it or itself trains",
                net->name, output->name);
  status = schedule_make(net, error);
  if (!status) status = allocate(net, error);
  if (!status) net_parameters_changed(net);
  return status;
}
