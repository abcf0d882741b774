// The plain version of every op. Sums are in double, maps are read and written through `get` and `put`,
// weights are rounded to the net's dtype as the fast kernels' are: what remains between the two is the order
// of additions.
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/mem.h"
#include "engine/dropout.h"
#include "engine/ops.h"

static float get(const void *map, enum dtype dtype, size_t i)
{
  switch (dtype) {
  case DTYPE_F32:
    return ((const float *)map)[i];
  case DTYPE_BF16:
    return bf16_to_float(((const uint16_t *)map)[i]);
  case DTYPE_U8:
    return ((const uint8_t *)map)[i];
  }
  return 0;
}

static void put(void *map, enum dtype dtype, size_t i, float value)
{
  if (dtype == DTYPE_F32)
    ((float *)map)[i] = value;
  else
    ((uint16_t *)map)[i] = bf16_from_float(value);
}

static void put_gradient(const struct op_run *run, int input, enum dtype dtype, size_t i, float value)
{
  put(run->dx[input], dtype, i, run->add[input] ? get(run->dx[input], dtype, i) + value : value);
}

static float rounded(float value, enum dtype dtype)
{
  return dtype == DTYPE_BF16 ? bf16_to_float(bf16_from_float(value)) : value;
}

static size_t at(struct shape shape, int row, int column, int channel)
{
  return ((size_t)row * (size_t)shape.w + (size_t)column) * (size_t)shape.c + (size_t)channel;
}

static enum status op_new(struct op **out, size_t size, const struct op_kind *kind, struct error *error)
{
  enum status status = mem_zeroed((void **)out, 1, size, kind->name, error);
  if (status) return status;
  (*out)->kind = kind;
  (*out)->implementation = "reference";
  return OK;
}

static void plain_free(struct op *op)
{
  free(op);
}

// --- rescale ---------------------------------------------------------------------------------------------------------

struct rescale_op {
  struct op op;
  size_t elements;
  enum dtype from, to;
  float scale;
};

static void rescale_forward(const struct op *op, const struct op_run *run)
{
  const struct rescale_op *rescale = (const struct rescale_op *)op;
  for (size_t i = 0; i < rescale->elements; i++)
    put(run->y, rescale->to, i, get(run->x[0], rescale->from, i) * rescale->scale);
}

static const struct op_kind rescale_kind = {.name = "rescale", .free = plain_free, .forward = rescale_forward};

static enum status make_rescale(struct op **out, const struct op_context *context, struct shape shape, enum dtype from,
                                float scale, struct error *error)
{
  enum status status = op_new(out, sizeof(struct rescale_op), &rescale_kind, error);
  if (status) return status;
  struct rescale_op *rescale = (struct rescale_op *)*out;
  rescale->elements = shape_elements(shape);
  rescale->from = from;
  rescale->to = context->dtype;
  rescale->scale = scale;
  return OK;
}

// --- convolution, depthwise convolution ------------------------------------------------------------------------------

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
  for (size_t i = 0; i < conv->kernel_count; i++) conv->kernel[i] = rounded(values[0][i], conv->dtype);
  if (values[1]) memcpy(conv->bias, values[1], (size_t)conv->spec.window.y.c * sizeof *conv->bias);
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
  enum status status = op_new(out, sizeof(struct conv_op), kind, error);
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

static enum status make_conv(struct op **out, const struct op_context *context, const struct conv_spec *spec,
                             struct error *error)
{
  const struct window *w = &spec->window;
  size_t taps = (size_t)w->size * (size_t)w->size, filters = (size_t)w->y.c;
  return conv_new(out, &conv_kind, context, spec, taps * (size_t)w->x.c * filters, filters, error);
}

// Nine weights a channel: rounding them would save nothing, so they stay fp32 in a bf16 net too.
static void depthwise_pack(struct op *op, float *const values[OP_PARAMETERS])
{
  struct conv_op *conv = (struct conv_op *)op;
  memcpy(conv->kernel, values[0], conv->kernel_count * sizeof *conv->kernel);
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
                                              .pack = depthwise_pack,
                                              .forward = depthwise_forward,
                                              .backward = depthwise_backward,
                                              .gradient = depthwise_gradient};

static enum status make_depthwise(struct op **out, const struct op_context *context, const struct conv_spec *spec,
                                  struct error *error)
{
  const struct window *w = &spec->window;
  return conv_new(out, &depthwise_kind, context, spec, (size_t)w->size * (size_t)w->size * (size_t)w->x.c, 0, error);
}

// --- max pool --------------------------------------------------------------------------------------------------------

struct pool_op {
  struct op op;
  struct window window;
  enum dtype dtype;
};

// saved: uint8 [H, W, C] of the output: the tap that held the maximum.
static void pool_forward(const struct op *op, const struct op_run *run)
{
  const struct pool_op *pool = (const struct pool_op *)op;
  const struct window *w = &pool->window;
  uint8_t *places = run->saved;
  for (int i = 0; i < w->y.h; i++)
    for (int j = 0; j < w->y.w; j++)
      for (int c = 0; c < w->y.c; c++) {
        int a, a_end, b_first, b_end, place = -1;
        float best = 0;
        window_taps(i, w->stride, w->top, w->size, w->x.h, &a, &a_end);
        window_taps(j, w->stride, w->left, w->size, w->x.w, &b_first, &b_end);
        for (; a < a_end; a++)
          for (int b = b_first; b < b_end; b++) {
            float value =
                get(run->x[0], pool->dtype, at(w->x, i * w->stride - w->top + a, j * w->stride - w->left + b, c));
            if (place >= 0 && !(value > best)) continue;
            best = value;
            place = a * w->size + b;
          }
        put(run->y, pool->dtype, at(w->y, i, j, c), best);
        if (places) places[at(w->y, i, j, c)] = (uint8_t)place;
      }
}

static void pool_backward(const struct op *op, const struct op_run *run)
{
  const struct pool_op *pool = (const struct pool_op *)op;
  const struct window *w = &pool->window;
  const uint8_t *places = run->saved;
  if (!run->dx[0]) return;
  if (!run->add[0]) memset(run->dx[0], 0, shape_elements(w->x) * dtype_size(pool->dtype));
  for (int i = 0; i < w->y.h; i++)
    for (int j = 0; j < w->y.w; j++)
      for (int c = 0; c < w->y.c; c++) {
        size_t y = at(w->y, i, j, c);
        int a = places[y] / w->size, b = places[y] % w->size;
        size_t x = at(w->x, i * w->stride - w->top + a, j * w->stride - w->left + b, c);
        put(run->dx[0], pool->dtype, x, get(run->dx[0], pool->dtype, x) + get(run->dy, pool->dtype, y));
      }
}

static const struct op_kind pool_kind = {
    .name = "max_pool", .free = plain_free, .forward = pool_forward, .backward = pool_backward};

static enum status make_max_pool(struct op **out, const struct op_context *context, const struct window *window,
                                 struct error *error)
{
  enum status status = op_new(out, sizeof(struct pool_op), &pool_kind, error);
  if (status) return status;
  struct pool_op *pool = (struct pool_op *)*out;
  pool->window = *window;
  pool->dtype = context->dtype;
  pool->op.saved_bytes = context->training ? shape_elements(window->y) : 0;
  return OK;
}

// --- add, dropout ----------------------------------------------------------------------------------------------------

struct map_op { // element by element
  struct op op;
  size_t elements;
  enum dtype dtype;
  struct dropout dropout;
  uint64_t seed;
  int layer;
};

static enum status map_new(struct op **out, const struct op_kind *kind, const struct op_context *context,
                           struct shape shape, struct error *error)
{
  enum status status = op_new(out, sizeof(struct map_op), kind, error);
  if (status) return status;
  struct map_op *map = (struct map_op *)*out;
  map->elements = shape_elements(shape);
  map->dtype = context->dtype;
  map->seed = context->seed;
  return OK;
}

static void add_forward(const struct op *op, const struct op_run *run)
{
  const struct map_op *map = (const struct map_op *)op;
  for (size_t i = 0; i < map->elements; i++)
    put(run->y, map->dtype, i, get(run->x[0], map->dtype, i) + get(run->x[1], map->dtype, i));
}

static void add_backward(const struct op *op, const struct op_run *run)
{
  const struct map_op *map = (const struct map_op *)op;
  for (int input = 0; input < 2; input++)
    for (size_t i = 0; run->dx[input] && i < map->elements; i++)
      put_gradient(run, input, map->dtype, i, get(run->dy, map->dtype, i));
}

static const struct op_kind add_kind = {
    .name = "add", .free = plain_free, .forward = add_forward, .backward = add_backward};

static enum status make_add(struct op **out, const struct op_context *context, struct shape shape, struct error *error)
{
  return map_new(out, &add_kind, context, shape, error);
}

static bool kept(const struct map_op *map, const struct op_run *run, size_t element)
{
  struct rng stream = dropout_stream(map->seed, run->step, run->image, map->layer);
  uint32_t words[4];
  stream.counter[0] = (uint32_t)(element / DROPOUT_GROUP * DROPOUT_BLOCKS + element % DROPOUT_BLOCKS);
  rng_block(stream.key, stream.counter, words);
  size_t word = element % DROPOUT_GROUP / DROPOUT_BLOCKS;
  return (words[word / 2] >> (word % 2 * 16) & 0xffff) >= map->dropout.threshold;
}

static void dropout_forward(const struct op *op, const struct op_run *run)
{
  const struct map_op *map = (const struct map_op *)op;
  for (size_t i = 0; i < map->elements; i++) {
    float x = get(run->x[0], map->dtype, i);
    if (run->training) x = kept(map, run, i) ? x * map->dropout.scale : 0;
    put(run->y, map->dtype, i, x);
  }
}

static void dropout_backward(const struct op *op, const struct op_run *run)
{
  const struct map_op *map = (const struct map_op *)op;
  for (size_t i = 0; run->dx[0] && i < map->elements; i++)
    put_gradient(run, 0, map->dtype, i, kept(map, run, i) ? get(run->dy, map->dtype, i) * map->dropout.scale : 0);
}

static const struct op_kind dropout_kind = {
    .name = "dropout", .free = plain_free, .forward = dropout_forward, .backward = dropout_backward};

static enum status make_dropout(struct op **out, const struct op_context *context, struct shape shape, float rate,
                                int layer, struct error *error)
{
  enum status status = map_new(out, &dropout_kind, context, shape, error);
  if (status) return status;
  ((struct map_op *)*out)->dropout = dropout_of(rate);
  ((struct map_op *)*out)->layer = layer;
  return OK;
}

// --- dense -----------------------------------------------------------------------------------------------------------

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

static void dense_batch_gradient(const struct op *op, size_t n, size_t part, size_t parts, void *scratch,
                                 float *const gradients[OP_PARAMETERS])
{
  (void)scratch;
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

static enum status make_dense(struct op **out, const struct op_context *context, const struct dense_spec *spec,
                              struct error *error)
{
  enum status status = op_new(out, sizeof(struct dense_op), &dense_kind, error);
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

const struct ops ops_reference = {.name = "reference",
                                  .rescale = make_rescale,
                                  .conv = make_conv,
                                  .depthwise = make_depthwise,
                                  .max_pool = make_max_pool,
                                  .add = make_add,
                                  .dropout = make_dropout,
                                  .dense = make_dense};
