// Convolutions as products of matrices, without copies where the map holds the rows already.
//
// Forward:            y[pixel, F]      = x[pixel, taps * C] * W[taps * C, F] + bias, ReLU
// Backward, weights:  dW[taps * C, F] += x[pixel, taps * C]^T * dy[pixel, F]
// Backward, input:    dx[pixel, C]     = dy[pixel, taps * F] * W'[taps * F, C], W' turned by 180 degrees
//
// The work goes strip by strip, a strip being a row of output pixels, or as many pixels of a pointwise convolution as
// fit the first cache: in backward a strip of dy is masked by ReLU, multiplied into the weights' gradient and into dx
// while it is hot. Kernels above 1x1 read copies of x's rows with zeros around them.
#include <stdlib.h>
#include <string.h>

#include "core/mem.h"
#include "engine/ops/native.h"

enum { STRIP_BYTES = 24 * 1024 }; // of x and dy together

struct conv_op {
  struct op op;
  const struct kernels *k;
  struct conv_spec spec;
  size_t element; // bytes
  size_t kernel_count;
  int strips;                   // their number
  size_t strip;                 // output pixels in each but the last
  int padded_width;             // of a copied row of x, above 1x1
  struct shape padded_dy;       // the same for backward by input
  void *forward, *backward;     // packed weights
  float *turned;                // the kernel for backward by input, before packing
  size_t zip_at, row_at, dy_at; // in scratch: zipped rows, one strip of dx, the padded dy; the padded x comes first
};

static void conv_free(struct op *op)
{
  struct conv_op *conv = (struct conv_op *)op;
  free(conv->forward);
  free(conv->backward);
  free(conv->turned);
  free(conv);
}

// B[a, b, f, c] = W[size-1-a, size-1-b, c, f]
static void turn(const struct conv_op *conv, const float *kernel)
{
  const struct window *w = &conv->spec.window;
  size_t taps = (size_t)w->size * (size_t)w->size, channels = (size_t)w->x.c, filters = (size_t)w->y.c;
  for (size_t tap = 0; tap < taps; tap++)
    for (size_t c = 0; c < channels; c++)
      for (size_t f = 0; f < filters; f++)
        conv->turned[(tap * filters + f) * channels + c] = kernel[((taps - 1 - tap) * channels + c) * filters + f];
}

static void conv_pack(struct op *op, float *const values[OP_PARAMETERS])
{
  struct conv_op *conv = (struct conv_op *)op;
  const struct window *w = &conv->spec.window;
  size_t size = (size_t)w->size, channels = (size_t)w->x.c, filters = (size_t)w->y.c;
  conv->k->pack(size, size * channels, filters, values[0], filters, 1, values[1], conv->forward);
  if (!conv->backward) return;
  turn(conv, values[0]);
  conv->k->pack(size, size * filters, channels, conv->turned, channels, 1, NULL, conv->backward);
}

static bool by_rows(const struct window *w)
{
  return w->size > 1 || w->stride > 1;
}

static size_t strip_pixels(const struct conv_op *conv, int strip)
{
  size_t all = (size_t)conv->spec.window.y.h * (size_t)conv->spec.window.y.w, first = (size_t)strip * conv->strip;
  return all - first < conv->strip ? all - first : conv->strip;
}

// Where a strip of y, or of dy, begins.
static unsigned char *strip_at(const struct conv_op *conv, const void *map, int strip, int held)
{
  const size_t bytes = conv->strip * (size_t)conv->spec.window.y.c * conv->element;
  return op_row(map, strip, by_rows(&conv->spec.window) ? held : conv->strips, bytes);
}

// The rows of x that a strip multiplies; above 1x1 with zeros around them, in scratch.
static struct rows strip_rows(const struct conv_op *conv, const struct op_run *run, int strip)
{
  const struct window *w = &conv->spec.window;
  const size_t channels = (size_t)w->x.c, size = (size_t)w->size, row = (size_t)w->x.w * channels * conv->element;
  struct rows rows = {.segments = size, .k = size * channels, .stride = (size_t)w->stride * channels};
  if (!by_rows(w)) { // all pixels in one line
    rows.base[0] = (const unsigned char *)run->x[0] + (size_t)strip * conv->strip * channels * conv->element;
    return rows;
  }
  const struct shape none = {0, 0, w->x.c}, one = {1, w->x.w, w->x.c}, padded = {1, conv->padded_width, w->x.c};
  for (int s = 0, from = strip * w->stride - w->top; s < w->size; s++, from++) {
    const bool inside = from >= 0 && from < w->x.h;
    const unsigned char *x = inside ? op_row(run->x[0], from, run->x_rows[0], row) : NULL;
    unsigned char *copy = (unsigned char *)run->scratch + (size_t)s * shape_elements(padded) * conv->element;
    rows.base[s] = size > 1 ? copy : x;
    if (size > 1) native_pad(conv->element, x, inside ? one : none, copy, padded, 0, w->left);
  }
  return rows;
}

static void conv_rows(const struct op *op, const struct op_run *run, int first, int end)
{
  const struct conv_op *conv = (const struct conv_op *)op;
  const size_t filters = (size_t)conv->spec.window.y.c;
  for (int s = first; s < end; s++) {
    const struct rows rows = strip_rows(conv, run, s);
    conv->k->product(strip_pixels(conv, s), filters, &rows, conv->forward, conv->spec.relu,
                     strip_at(conv, run->y, s, run->y_rows), filters);
  }
}

static void conv_forward(const struct op *op, const struct op_run *run)
{
  const struct conv_op *conv = (const struct conv_op *)op;
  if (by_rows(&conv->spec.window))
    op_forward_whole(op, run);
  else
    conv_rows(op, run, 0, conv->strips);
}

static void add_to(const struct conv_op *conv, size_t n, const void *addend, void *sum)
{
  conv->k->add_dropout(n, sum, addend, NULL, 1, sum);
}

// dx of a pointwise convolution's strip from its dy. With a stride it is zero at most pixels.
static void pointwise_input(const struct conv_op *conv, const struct op_run *run, int strip, const void *dy)
{
  const struct window *w = &conv->spec.window;
  const size_t channels = (size_t)w->x.c, filters = (size_t)w->y.c, stride = (size_t)w->stride;
  const size_t m = strip_pixels(conv, strip), row = (size_t)w->x.w * channels * conv->element;
  struct rows rows = {.base = {dy}, .segments = 1, .k = filters, .stride = filters};
  unsigned char *dx = (unsigned char *)run->dx[0] + (size_t)strip * conv->strip * channels * conv->element;
  if (stride > 1) dx = op_row(run->dx[0], strip * w->stride, run->dx_rows[0], row);
  if (!run->add[0]) {
    for (int i = strip * w->stride; stride > 1 && i < (strip + 1) * w->stride && i < w->x.h; i++)
      memset(op_row(run->dx[0], i, run->dx_rows[0], row), 0, row);
    conv->k->product(m, channels, &rows, conv->backward, false, dx, stride * channels);
    return;
  }
  unsigned char *sum = (unsigned char *)run->scratch + conv->row_at;
  conv->k->product(m, channels, &rows, conv->backward, false, sum, channels);
  if (stride == 1) add_to(conv, m * channels, sum, dx);
  for (size_t i = 0; stride > 1 && i < m; i++)
    add_to(conv, channels, sum + i * channels * conv->element, dx + i * stride * channels * conv->element);
}

// dx of a kernel above 1x1, stride 1: a convolution of the padded dy with the turned kernel.
static void wide_input(const struct conv_op *conv, const struct op_run *run)
{
  const struct window *w = &conv->spec.window;
  size_t channels = (size_t)w->x.c, filters = (size_t)w->y.c, size = (size_t)w->size, width = (size_t)w->x.w;
  unsigned char *dy = (unsigned char *)run->scratch + conv->dy_at, *row = (unsigned char *)run->scratch + conv->row_at;
  native_pad(conv->element, run->dy, w->y, dy, conv->padded_dy, w->size - 1 - w->top, w->size - 1 - w->left);
  for (size_t i = 0; i < (size_t)w->x.h; i++) {
    struct rows rows = {.segments = size, .k = size * filters, .stride = filters};
    for (size_t s = 0; s < size; s++) rows.base[s] = dy + (i + s) * (size_t)conv->padded_dy.w * filters * conv->element;
    unsigned char *dx = (unsigned char *)run->dx[0] + i * width * channels * conv->element;
    conv->k->product(width, channels, &rows, conv->backward, false, run->add[0] ? row : dx, channels);
    if (run->add[0]) add_to(conv, width * channels, row, dx);
  }
}

static void conv_rows_back(const struct op *op, const struct op_run *run, int first, int end)
{
  const struct conv_op *conv = (const struct conv_op *)op;
  const bool pointwise = run->dx[0] && conv->spec.window.size == 1;
  for (int s = first; s < end; s++) {
    const struct rows rows = strip_rows(conv, run, s);
    unsigned char *dy = strip_at(conv, run->dy, s, run->dy_rows);
    const unsigned char *y = conv->spec.relu ? strip_at(conv, run->y, s, run->y_rows) : NULL;
    conv->k->weights_gradient(strip_pixels(conv, s), (size_t)conv->spec.window.y.c, &rows, y, dy, run->lane,
                              run->lane + conv->kernel_count, (unsigned char *)run->scratch + conv->zip_at);
    if (pointwise) pointwise_input(conv, run, s, dy);
  }
}

static void conv_backward(const struct op *op, const struct op_run *run)
{
  const struct conv_op *conv = (const struct conv_op *)op;
  if (by_rows(&conv->spec.window))
    op_backward_whole(op, run);
  else
    conv_rows_back(op, run, 0, conv->strips);
  if (run->dx[0] && conv->spec.window.size > 1) wide_input(conv, run);
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
                                         .forward_rows = conv_rows,
                                         .backward = conv_backward,
                                         .backward_rows = conv_rows_back,
                                         .gradient = conv_gradient};

static void plan_strips(struct conv_op *conv)
{
  const struct window *w = &conv->spec.window;
  size_t pixels = (size_t)w->y.h * (size_t)w->y.w;
  conv->strip = (size_t)w->y.w;
  if (!by_rows(w)) {
    conv->strip = STRIP_BYTES / ((size_t)(w->x.c + w->y.c) * conv->element) / 12 * 12; // whole tiles of a product
    if (conv->strip < 24) conv->strip = 24;
  }
  conv->strips = (int)((pixels + conv->strip - 1) / conv->strip);
}

static void plan_scratch(struct conv_op *conv, const struct op_context *context)
{
  const struct window *w = &conv->spec.window;
  size_t at = 0, size = (size_t)w->size, channels = (size_t)w->x.c, filters = (size_t)w->y.c;
  if (w->size > 1) {
    conv->padded_width = (w->y.w - 1) * w->stride + w->size;
    at = mem_whole((size * (size_t)conv->padded_width * channels + 1) * conv->element);
  }
  if (context->training) {
    conv->zip_at = at;
    at += mem_whole(conv->k->transposed_scratch(conv->strip, filters, size * size * channels));
  }
  if (context->training && conv->spec.input_gradient) {
    size_t pixels = w->size == 1 ? conv->strip : (size_t)w->x.w;
    conv->row_at = at;
    at += mem_whole(pixels * channels * conv->element);
    conv->dy_at = at;
    conv->padded_dy = (struct shape){w->x.h + w->size - 1, w->x.w + w->size - 1, w->y.c};
    if (w->size > 1) at += mem_whole((shape_elements(conv->padded_dy) + 1) * conv->element);
  }
  conv->op.scratch_bytes = at;
}

// Shapes that the products cover; odd rows of bf16 would be read one element beyond the map.
static bool covered(const struct op_context *context, const struct conv_spec *spec)
{
  const struct window *w = &spec->window;
  if (w->size > KERNEL_SEGMENTS || spec->norm || spec->sum) return false;
  if (w->size == 1 && w->top > 0) return false;
  size_t weights = (size_t)w->size * (size_t)w->size * (size_t)w->x.c * (size_t)w->y.c;
  if (context->training && weights >= BATCH_CONV_WEIGHTS) return false;
  if (context->training && spec->input_gradient && w->size > 1 && w->stride > 1) return false;
  if (context->dtype == DTYPE_BF16 && (w->y.c % 2 || (w->size == 1 && w->x.c % 2))) return false;
  return true;
}

enum status native_conv(struct op **out, const struct op_context *context, const struct conv_spec *spec,
                        struct error *error)
{
  const struct kernels *kernels = native_kernels(context->dtype);
  if (native_frozen_conv_covers(kernels, context, spec)) return native_frozen_conv(out, kernels, spec, error);
  if (native_winograd_covers(kernels, context, spec)) return native_winograd(out, kernels, spec, error);
  if (native_batch_conv_covers(context, spec)) return native_batch_conv(out, context, spec, error);
  if (!kernels || !covered(context, spec)) return native_others(context->dtype)->conv(out, context, spec, error);
  const struct window *w = &spec->window;
  size_t size = (size_t)w->size, channels = (size_t)w->x.c, filters = (size_t)w->y.c;
  enum status status = native_op_new(out, sizeof(struct conv_op), &conv_kind, kernels, error);
  if (status) return status;
  struct conv_op *conv = (struct conv_op *)*out;
  conv->k = kernels;
  conv->spec = *spec;
  conv->element = dtype_size(context->dtype);
  conv->kernel_count = size * size * channels * filters;
  conv->op.lane_floats = conv->kernel_count + filters;
  conv->op.backward_reads_x = true;
  conv->op.backward_reads_y = spec->relu;
  conv->op.sparse_dx = w->stride > w->size;
  conv->op.reach = (struct reach){
      .stride = w->stride, .before = w->top, .after = w->size - 1 - w->top, .x_rows = w->x.h, .y_rows = w->y.h};
  conv->op.rows_at_once = by_rows(w) && // dx of a kernel above 1x1 needs rows of dy above and below
                          (w->size == 1 || !context->training || !spec->input_gradient);
  plan_strips(conv);
  plan_scratch(conv, context);
  size_t bytes = conv->k->packed_bytes(size, size * channels, filters);
  conv->op.own_bytes = bytes;
  status = mem_aligned(&conv->forward, bytes, 1, "packed weights", error);
  if (!status && context->training && spec->input_gradient) {
    bytes = conv->k->packed_bytes(size, size * filters, channels);
    conv->op.own_bytes += bytes + conv->kernel_count * sizeof(float);
    status = mem_aligned(&conv->backward, bytes, 1, "packed weights", error);
    if (!status) status = mem_aligned((void **)&conv->turned, conv->kernel_count, sizeof(float), "weights", error);
  }
  if (!status) return OK;
  conv_free(*out);
  *out = NULL;
  return status;
}
