// The plain versions of convolution and depthwise convolution.
#include <stdlib.h>
#include <string.h>

#include "core/mem.h"
#include "engine/ops/reference.h"

struct conv_op {
  struct op op;
  struct conv_spec spec;
  enum dtype dtype;
  size_t kernel_count;
  float *kernel, *bias; // bias: zero for a depthwise convolution
};

static void conv_free(struct op *op)
{
  struct conv_op *conv = (struct conv_op *)op;
  free(conv->kernel);
  free(conv->bias);
  free(conv);
}

static void conv_pack(struct op *op, float *const values[OP_PARAMETERS])
{
  struct conv_op *conv = (struct conv_op *)op;
  if (conv->spec.norm) {
    op->packing = conv_fold(&conv->spec, values, conv->kernel, conv->bias) ? PACKED : PACKING_NOT_FINITE;
  } else {
    memcpy(conv->kernel, values[0], conv->kernel_count * sizeof *conv->kernel);
    if (values[1]) memcpy(conv->bias, values[1], (size_t)conv->spec.window.y.c * sizeof *conv->bias); // not depthwise
  }
  for (size_t i = 0; i < conv->kernel_count; i++) conv->kernel[i] = rounded(conv->kernel[i], conv->dtype);
}

static void conv_forward(const struct op *op, const struct op_run *run)
{
  const struct conv_op *conv = (const struct conv_op *)op;
  const struct window *w = &conv->spec.window;
  for (int i = 0; i < w->y.h; i++)
    for (int j = 0; j < w->y.w; j++)
      for (int f = 0; f < w->y.c; f++) {
        double sum = conv->bias[f];
        int a, a_end, b_first, b_end;
        window_taps(i, w->stride, w->top, w->size, w->x.h, &a, &a_end);
        window_taps(j, w->stride, w->left, w->size, w->x.w, &b_first, &b_end);
        for (; a < a_end; a++)
          for (int b = b_first; b < b_end; b++)
            for (int c = 0; c < w->x.c; c++) {
              size_t tap = (size_t)(a * w->size + b) * (size_t)w->x.c + (size_t)c;
              size_t x = at(w->x, i * w->stride - w->top + a, j * w->stride - w->left + b, c);
              sum += (double)get(run->x[0], conv->dtype, x) * (double)conv->kernel[tap * (size_t)w->y.c + (size_t)f];
            }
        if (conv->spec.sum) sum += (double)get(run->y, conv->dtype, at(w->y, i, j, f));
        put(run->y, conv->dtype, at(w->y, i, j, f), conv->spec.relu && sum < 0 ? 0 : (float)sum);
      }
}

// dy where ReLU let the value through.
static float masked(const struct conv_op *conv, const struct op_run *run, size_t y)
{
  if (conv->spec.relu && !(get(run->y, conv->dtype, y) > 0)) return 0;
  return get(run->dy, conv->dtype, y);
}

// The first output pixel and tap that meet input pixel `in`: the taps are in - (out * stride - before), in
// [0, size).
static bool tap_of(int in, int out, int stride, int start, int size, int *tap)
{
  *tap = in - (out * stride - start);
  return *tap >= 0 && *tap < size;
}

static void conv_backward_input(const struct conv_op *conv, const struct op_run *run)
{
  const struct window *w = &conv->spec.window;
  for (int row = 0; row < w->x.h; row++)
    for (int column = 0; column < w->x.w; column++)
      for (int c = 0; c < w->x.c; c++) {
        double sum = 0;
        for (int i = 0; i < w->y.h; i++)
          for (int j = 0; j < w->y.w; j++) {
            int a, b;
            if (!tap_of(row, i, w->stride, w->top, w->size, &a)) break;
            if (!tap_of(column, j, w->stride, w->left, w->size, &b)) continue;
            size_t tap = (size_t)(a * w->size + b) * (size_t)w->x.c + (size_t)c;
            for (int f = 0; f < w->y.c; f++)
              sum +=
                  (double)masked(conv, run, at(w->y, i, j, f)) * (double)conv->kernel[tap * (size_t)w->y.c + (size_t)f];
          }
        put_gradient(run, 0, conv->dtype, at(w->x, row, column, c), (float)sum);
      }
}

static void conv_backward_weights(const struct conv_op *conv, const struct op_run *run)
{
  const struct window *w = &conv->spec.window;
  for (int a = 0; a < w->size; a++)
    for (int b = 0; b < w->size; b++)
      for (int c = 0; c < w->x.c; c++)
        for (int f = 0; f < w->y.c; f++) {
          double sum = 0;
          for (int i = 0; i < w->y.h; i++)
            for (int j = 0; j < w->y.w; j++) {
              int row = i * w->stride - w->top + a, column = j * w->stride - w->left + b;
              if (row < 0 || row >= w->x.h || column < 0 || column >= w->x.w) continue;
              sum += (double)get(run->x[0], conv->dtype, at(w->x, row, column, c)) *
                     (double)masked(conv, run, at(w->y, i, j, f));
            }
          size_t tap = (size_t)(a * w->size + b) * (size_t)w->x.c + (size_t)c;
          run->lane[tap * (size_t)w->y.c + (size_t)f] += (float)sum;
        }
  for (int f = 0; f < w->y.c; f++) {
    double sum = 0;
    for (int i = 0; i < w->y.h; i++)
      for (int j = 0; j < w->y.w; j++) sum += (double)masked(conv, run, at(w->y, i, j, f));
    run->lane[conv->kernel_count + (size_t)f] += (float)sum;
  }
}

static void conv_backward(const struct op *op, const struct op_run *run)
{
  const struct conv_op *conv = (const struct conv_op *)op;
  conv_backward_weights(conv, run);
  if (run->dx[0]) conv_backward_input(conv, run);
}

static void conv_gradient(const struct op *op, float *sum, float *const gradients[OP_PARAMETERS])
{
  const struct conv_op *conv = (const struct conv_op *)op;
  memcpy(gradients[0], sum, conv->kernel_count * sizeof *sum);
  memcpy(gradients[1], sum + conv->kernel_count, (size_t)conv->spec.window.y.c * sizeof *sum);
}

static const struct op_kind conv_kind = {.name = "conv",
                                         .free = conv_free,
                                         .pack = conv_pack,
                                         .forward = conv_forward,
                                         .backward = conv_backward,
                                         .gradient = conv_gradient};

static enum status conv_new(struct op **out, const struct op_kind *kind, const struct op_context *context,
                            const struct conv_spec *spec, size_t kernel_count, size_t biases, struct error *error)
{
  enum status status = reference_op_new(out, sizeof(struct conv_op), kind, error);
  if (status) return status;
  struct conv_op *conv = (struct conv_op *)*out;
  conv->spec = *spec;
  conv->dtype = context->dtype;
  conv->kernel_count = kernel_count;
  conv->op.lane_floats = kernel_count + biases;
  conv->op.own_bytes = conv->op.lane_floats * sizeof(float);
  conv->op.backward_reads_x = true;
  conv->op.backward_reads_y = spec->relu;
  status = mem_zeroed((void **)&conv->kernel, kernel_count, sizeof(float), kind->name, error);
  if (!status) status = mem_zeroed((void **)&conv->bias, (size_t)spec->window.y.c, sizeof(float), kind->name, error);
  if (!status) return OK;
  conv_free(*out);
  *out = NULL;
  return status;
}

enum status reference_conv(struct op **out, const struct op_context *context, const struct conv_spec *spec,
                           struct error *error)
{
  const struct window *w = &spec->window;
  size_t taps = (size_t)w->size * (size_t)w->size, filters = (size_t)w->y.c;
  return conv_new(out, &conv_kind, context, spec, taps * (size_t)w->x.c * filters, filters, error);
}

static void depthwise_forward(const struct op *op, const struct op_run *run)
{
  const struct conv_op *conv = (const struct conv_op *)op;
  const struct window *w = &conv->spec.window;
  for (int i = 0; i < w->y.h; i++)
    for (int j = 0; j < w->y.w; j++)
      for (int c = 0; c < w->y.c; c++) {
        double sum = 0;
        int a, a_end, b_first, b_end;
        window_taps(i, w->stride, w->top, w->size, w->x.h, &a, &a_end);
        window_taps(j, w->stride, w->left, w->size, w->x.w, &b_first, &b_end);
        for (; a < a_end; a++)
          for (int b = b_first; b < b_end; b++)
            sum += (double)get(run->x[0], conv->dtype,
                               at(w->x, i * w->stride - w->top + a, j * w->stride - w->left + b, c)) *
                   (double)conv->kernel[(a * w->size + b) * w->x.c + c];
        put(run->y, conv->dtype, at(w->y, i, j, c), (float)sum);
      }
}

static void depthwise_backward_input(const struct conv_op *conv, const struct op_run *run)
{
  const struct window *w = &conv->spec.window;
  for (int row = 0; row < w->x.h; row++)
    for (int column = 0; column < w->x.w; column++)
      for (int c = 0; c < w->x.c; c++) {
        double sum = 0;
        for (int i = 0; i < w->y.h; i++)
          for (int j = 0; j < w->y.w; j++) {
            int a, b;
            if (!tap_of(row, i, w->stride, w->top, w->size, &a)) break;
            if (!tap_of(column, j, w->stride, w->left, w->size, &b)) continue;
            sum += (double)get(run->dy, conv->dtype, at(w->y, i, j, c)) *
                   (double)conv->kernel[(a * w->size + b) * w->x.c + c];
          }
        put_gradient(run, 0, conv->dtype, at(w->x, row, column, c), (float)sum);
      }
}

static void depthwise_backward(const struct op *op, const struct op_run *run)
{
  const struct conv_op *conv = (const struct conv_op *)op;
  const struct window *w = &conv->spec.window;
  for (int a = 0; a < w->size; a++)
    for (int b = 0; b < w->size; b++)
      for (int c = 0; c < w->x.c; c++) {
        double sum = 0;
        for (int i = 0; i < w->y.h; i++)
          for (int j = 0; j < w->y.w; j++) {
            int row = i * w->stride - w->top + a, column = j * w->stride - w->left + b;
            if (row < 0 || row >= w->x.h || column < 0 || column >= w->x.w) continue;
            sum += (double)get(run->x[0], conv->dtype, at(w->x, row, column, c)) *
                   (double)get(run->dy, conv->dtype, at(w->y, i, j, c));
          }
        run->lane[(a * w->size + b) * w->x.c + c] += (float)sum;
      }
  if (run->dx[0]) depthwise_backward_input(conv, run);
}

static void depthwise_gradient(const struct op *op, float *sum, float *const gradients[OP_PARAMETERS])
{
  memcpy(gradients[0], sum, ((const struct conv_op *)op)->kernel_count * sizeof *sum);
}

static const struct op_kind depthwise_kind = {.name = "depthwise",
                                              .free = conv_free,
                                              .pack = conv_pack,
                                              .forward = depthwise_forward,
                                              .backward = depthwise_backward,
                                              .gradient = depthwise_gradient};

enum status reference_depthwise(struct op **out, const struct op_context *context, const struct conv_spec *spec,
                                struct error *error)
{
  const struct window *w = &spec->window;
  return conv_new(out, &depthwise_kind, context, spec, (size_t)w->size * (size_t)w->size * (size_t)w->x.c, 0, error);
}
