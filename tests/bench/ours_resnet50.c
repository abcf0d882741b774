// ResNet50 in its three uses: features of the frozen part, a step of training the head from rows of them, a step of
// training everything.
#include <stdlib.h>
#include <string.h>

#include "core/mem.h"
#include "engine/fit/optimizer.h"
#include "engine/net/ranges.h"
#include "models/models.h"
#include "ours.h"

struct job {
  const struct ours *ours;
  struct net *net;
  struct optimizer *optimizer; // NULL: inference
  unsigned char *inputs;       // [batch, bytes]
  size_t bytes;
  int32_t *labels;
  float *out;
};

static void fetch(void *self, size_t index, void *input)
{
  const struct job *job = self;
  memcpy(input, job->inputs + index * job->bytes, job->bytes);
}

static enum status job_step(void *self, uint64_t step, struct error *error)
{
  struct job *job = self;
  const size_t batch = (size_t)job->ours->batch;
  const struct net_input input = {job, fetch};
  if (!job->optimizer) return net_infer(job->net, &input, batch, job->out, error);
  const struct net_target target = {.labels = job->labels};
  double loss;
  enum status status = net_train(job->net, &input, &target, batch, step, &loss, NULL, error);
  return status ? status : optimizer_step(job->optimizer, step, 1e-5f, job->ours->threads, error);
}

// Of the noise that is measured with.
static enum status find_ranges(struct job *job, const struct model_options *model, struct net_options plan, float **out,
                               struct error *error)
{
  struct net *net = NULL;
  struct ranges *ranges = NULL;
  const struct net_input input = {job, fetch};
  plan.precision = NET_FP32;
  enum status status = model_build(model, &net, error);
  if (!status) status = net_plan(net, &plan, error);
  if (!status) net_initialise(net, 1);
  if (!status) status = mem_zeroed((void **)out, net_layer_count(net), sizeof **out, "ranges", error);
  if (!status) status = ranges_new(&ranges, net, error);
  if (!status) status = net_observe(net, &input, (size_t)plan.batch, ranges, NULL, error);
  if (!status) status = ranges_choose(ranges, net, *out, error);
  ranges_free(ranges);
  net_free(net);
  return status;
}

static enum status plan_net(struct job *job, const struct model_options *model, bool training, struct error *error)
{
  struct net_options plan = {.precision = job->ours->precision,
                             .kernels = job->ours->kernels,
                             .threads = job->ours->threads,
                             .batch = job->ours->batch,
                             .training = training,
                             .pieces = training};
  float *ranges = NULL;
  enum status status = job->ours->int8 ? find_ranges(job, model, plan, &ranges, error) : OK;
  plan.ranges = ranges;
  if (!status) status = net_plan(job->net, &plan, error);
  free(ranges);
  if (!status) net_initialise(job->net, 1);
  return status;
}

static enum status make_inputs(struct job *job, struct shape input, bool row, struct error *error)
{
  const size_t batch = (size_t)job->ours->batch;
  job->bytes = shape_elements(input) * (row ? sizeof(uint16_t) : 1);
  enum status status = mem_aligned((void **)&job->inputs, batch, job->bytes, "inputs", error);
  if (!status) status = mem_zeroed((void **)&job->labels, batch, sizeof *job->labels, "labels", error);
  if (status) return status;
  fill_noise(job->inputs, batch * job->bytes, 0);
  uint16_t *numbers = (uint16_t *)(void *)job->inputs;
  for (size_t i = 0; row && i < batch * shape_elements(input); i++) // features: from 0 to 1
    numbers[i] = bf16_from_float((float)(numbers[i] & 255) / 255);
  for (size_t i = 0; i < batch; i++) job->labels[i] = (int32_t)(i % CLASSES);
  return OK;
}

static enum status open_job(struct job *job, const struct model_options *model, bool training, struct error *error)
{
  static const struct optimizer_options adam = {
      .kind = OPTIMIZER_ADAM, .beta1 = 0.9f, .beta2 = 0.999f, .epsilon = 1e-7f};
  enum status status = model_build(model, &job->net, error);
  if (status) return status;
  size_t width = (size_t)net_layer(job->net, net_layer_count(job->net) - 1).output.c;
  status = make_inputs(job, net_layer(job->net, NET_INPUT).output, model->part == MODEL_HEAD, error);
  if (!status) status = plan_net(job, model, training, error);
  if (!status && training) status = optimizer_new(&job->optimizer, job->net, &adam, error);
  if (!status)
    status = mem_zeroed((void **)&job->out, (size_t)job->ours->batch * width, sizeof *job->out, "outputs", error);
  return status;
}

static enum status measure(const struct ours *ours, enum model_part part, enum model_trainable trainable,
                           struct error *error)
{
  const struct model_options model = {.name = "resnet50",
                                      .classes = CLASSES,
                                      .dropout = 0.5f,
                                      .part = part,
                                      .trainable = trainable,
                                      .feature_dtype = DTYPE_BF16};
  struct job job = {.ours = ours};
  enum status status = open_job(&job, &model, part != MODEL_TRUNK, error);
  if (!status) status = ours_time(ours, job_step, &job, error);
  free(job.out);
  free(job.labels);
  free(job.inputs);
  optimizer_free(job.optimizer);
  net_free(job.net);
  return status;
}

enum status ours_features(const struct ours *ours, struct error *error)
{
  return measure(ours, MODEL_TRUNK, TRAIN_LAST4, error);
}

enum status ours_head(const struct ours *ours, struct error *error)
{
  return measure(ours, MODEL_HEAD, TRAIN_LAST4, error);
}

enum status ours_resnet50(const struct ours *ours, struct error *error)
{
  return measure(ours, MODEL_WHOLE, TRAIN_ALL, error);
}
