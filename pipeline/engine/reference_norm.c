// The plain version of batch norm.
#include <math.h>
#include <stdlib.h>

#include "core/mem.h"
#include "engine/reference.h"

struct norm_op {
  struct op op;
  size_t pixels, channels;
  enum dtype dtype;
  float epsilon;
  double *scale, *shift; // [C]
};

static void norm_free(struct op *op)
{
  struct norm_op *norm = (struct norm_op *)op;
  free(norm->scale);
  free(norm->shift);
  free(norm);
}

static void norm_pack(struct op *op, float *const values[OP_PARAMETERS])
{
  struct norm_op *norm = (struct norm_op *)op;
  for (size_t c = 0; c < norm->channels; c++) {
    norm->scale[c] = (double)values[0][c] / sqrt((double)values[3][c] + (double)norm->epsilon);
    norm->shift[c] = (double)values[1][c] - (double)values[2][c] * norm->scale[c];
  }
}

static void norm_forward(const struct op *op, const struct op_run *run)
{
  const struct norm_op *norm = (const struct norm_op *)op;
  for (size_t i = 0; i < norm->pixels * norm->channels; i++) {
    size_t c = i % norm->channels;
    put(run->y, norm->dtype, i, (float)((double)get(run->x[0], norm->dtype, i) * norm->scale[c] + norm->shift[c]));
  }
}

static void norm_backward(const struct op *op, const struct op_run *run)
{
  const struct norm_op *norm = (const struct norm_op *)op;
  for (size_t i = 0; run->dx[0] && i < norm->pixels * norm->channels; i++)
    put_gradient(run, 0, norm->dtype, i,
                 (float)((double)get(run->dy, norm->dtype, i) * norm->scale[i % norm->channels]));
}

static const struct op_kind norm_kind = {
    .name = "norm", .free = norm_free, .pack = norm_pack, .forward = norm_forward, .backward = norm_backward};

enum status reference_norm(struct op **out, const struct op_context *context, struct shape shape, float epsilon,
                           struct error *error)
{
  enum status status = reference_op_new(out, sizeof(struct norm_op), &norm_kind, error);
  if (status) return status;
  struct norm_op *norm = (struct norm_op *)*out;
  norm->channels = (size_t)shape.c;
  norm->pixels = (size_t)shape.h * (size_t)shape.w;
  norm->dtype = context->dtype;
  norm->epsilon = epsilon;
  norm->op.own_bytes = 2 * norm->channels * sizeof(double);
  status = mem_zeroed((void **)&norm->scale, norm->channels, sizeof(double), norm_kind.name, error);
  if (!status) status = mem_zeroed((void **)&norm->shift, norm->channels, sizeof(double), norm_kind.name, error);
  if (!status) return OK;
  norm_free(*out);
  *out = NULL;
  return status;
}
