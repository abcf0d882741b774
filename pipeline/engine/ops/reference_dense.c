// The plain version of a dense layer.
#include <stdlib.h>
#include <string.h>

#include "core/mem.h"
#include "engine/ops/reference.h"

struct dense_op {
  struct op op;
  struct dense_spec spec;
  float *kernel, *bias;
  float *x, *dy; // of the batch: [N, C], [N, U]
};

static void dense_free(struct op *op)
{
  struct dense_op *dense = (struct dense_op *)op;
  free(dense->kernel);
  free(dense->bias);
  free(dense->x);
  free(dense->dy);
  free(dense);
}

static void dense_pack(struct op *op, float *const values[OP_PARAMETERS])
{
  struct dense_op *dense = (struct dense_op *)op;
  size_t units = (size_t)dense->spec.units, count = (size_t)dense->spec.inputs * units;
  for (size_t i = 0; i < count; i++) dense->kernel[i] = rounded(values[0][i], dense->spec.input_dtype);
  memcpy(dense->bias, values[1], units * sizeof(float));
}

static void dense_forward(const struct op *op, const struct op_run *run)
{
  const struct dense_op *dense = (const struct dense_op *)op;
  size_t inputs = (size_t)dense->spec.inputs, units = (size_t)dense->spec.units;
  for (size_t u = 0; u < units; u++) {
    double sum = dense->bias[u];
    for (size_t c = 0; c < inputs; c++)
      sum += (double)get(run->x[0], dense->spec.input_dtype, c) * (double)dense->kernel[c * units + u];
    ((float *)run->y)[u] = dense->spec.relu && sum < 0 ? 0 : (float)sum;
  }
  for (size_t c = 0; run->training && c < inputs; c++)
    dense->x[run->image * inputs + c] = get(run->x[0], dense->spec.input_dtype, c);
}

static void dense_backward(const struct op *op, const struct op_run *run)
{
  const struct dense_op *dense = (const struct dense_op *)op;
  size_t inputs = (size_t)dense->spec.inputs, units = (size_t)dense->spec.units;
  float *dy = dense->dy + run->image * units;
  for (size_t u = 0; u < units; u++)
    dy[u] = dense->spec.relu && !(((float *)run->y)[u] > 0) ? 0 : ((float *)run->dy)[u];
  for (size_t c = 0; run->dx[0] && c < inputs; c++) {
    double sum = 0;
    for (size_t u = 0; u < units; u++) sum += (double)dy[u] * (double)dense->kernel[c * units + u];
    put_gradient(run, 0, dense->spec.input_dtype, c, (float)sum);
  }
}

static void dense_batch_gradient(const struct op *op, const struct op_batch *batch,
                                 float *const gradients[OP_PARAMETERS])
{
  const size_t n = batch->n, part = batch->part, parts = batch->parts;
  const struct dense_op *dense = (const struct dense_op *)op;
  size_t inputs = (size_t)dense->spec.inputs, units = (size_t)dense->spec.units;
  for (size_t c = inputs * part / parts; c < inputs * (part + 1) / parts; c++)
    for (size_t u = 0; u < units; u++) {
      double sum = 0;
      for (size_t i = 0; i < n; i++) sum += (double)dense->x[i * inputs + c] * (double)dense->dy[i * units + u];
      gradients[0][c * units + u] = (float)sum;
    }
  for (size_t u = 0; part == 0 && u < units; u++) {
    double sum = 0;
    for (size_t i = 0; i < n; i++) sum += (double)dense->dy[i * units + u];
    gradients[1][u] = (float)sum;
  }
}

static const struct op_kind dense_kind = {.name = "dense",
                                          .free = dense_free,
                                          .pack = dense_pack,
                                          .forward = dense_forward,
                                          .backward = dense_backward,
                                          .batch_gradient = dense_batch_gradient};

enum status reference_dense(struct op **out, const struct op_context *context, const struct dense_spec *spec,
                            struct error *error)
{
  enum status status = reference_op_new(out, sizeof(struct dense_op), &dense_kind, error);
  if (status) return status;
  struct dense_op *dense = (struct dense_op *)*out;
  dense->spec = *spec;
  dense->op.backward_reads_y = spec->relu;
  size_t inputs = (size_t)spec->inputs, units = (size_t)spec->units;
  size_t batch = context->training ? (size_t)context->batch : 0;
  dense->op.own_bytes = (inputs * units + units + batch * (inputs + units)) * sizeof(float);
  status = mem_zeroed((void **)&dense->kernel, inputs * units, sizeof(float), "dense weights", error);
  if (!status) status = mem_zeroed((void **)&dense->bias, units, sizeof(float), "dense biases", error);
  if (!status) status = mem_zeroed((void **)&dense->x, batch * inputs, sizeof(float), "a batch of dense inputs", error);
  if (!status) status = mem_zeroed((void **)&dense->dy, batch * units, sizeof(float), "a batch of gradients", error);
  if (!status) return OK;
  dense_free(*out);
  *out = NULL;
  return status;
}
