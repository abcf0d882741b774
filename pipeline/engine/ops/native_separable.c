// A separable convolution in one op: depthwise 3x3, 1x1, bias, ReLU and, where a 2x2 max pool is its only reader, the
// pool too. Two rows at a time go through all of it in scratch, so that what lies between never leaves the second
// level of cache: a map of 100x100x64 is 2.5 MB in fp32, and backward would read and write it six times.
//
// Forward, rows r and r+1:   d = depthwise(x), y = ReLU(d * W + b), pooled and its places if there is a pool
// Backward, rows r and r+1:  g = dy unpooled and masked by ReLU; W's gradient += d^T * g;
//                            e = g * W^T, kept in a ring of four rows; the depthwise gradient += x by e;
//                            dx of rows r-1 and r = depthwise of e with the kernel turned by 180 degrees
//
// In bf16 forward keeps d: reading 1.3 MB costs less than computing them again. In fp32 it is the other way round.
//
// Behind a pool three of four values of g are zeros, in no order that a dense product could skip. Where the kernels
// can, g is never written out then: both products visit the winners of the windows alone (kernels.h, `winners`).
//
// The depthwise kernels make two rows at a time; where the map has one of them only, the other goes to (or is) a row
// that nobody reads (or zeros).
#include <stdlib.h>
#include <string.h>

#include "core/mem.h"
#include "engine/ops/native.h"

enum { TAPS = 9, PAIR = 2, RING = 4 };

struct separable_op {
  struct op op;
  const struct kernels *k;
  struct separable_spec spec;
  int height;
  size_t width, channels, filters;
  size_t x_row, y_row;         // bytes of a row of x and of y before pooling
  void *kernel, *turned;       // depthwise, packed; turned by 180 degrees
  float *turning;              // [9, C], before packing
  void *forward, *backward;    // the 1x1 kernel, packed
  bool winners;                // backward visits the winners alone; `backward` and the lane are in its order
  unsigned char *zeros;        // a row beside x
  size_t g_at, row_at, zip_at; // in scratch, behind two rows of d
  bool keeps_d;                // in what forward saves
  size_t ring_at, d_at;        // there, behind the places of the pool: e, and d
};

static void separable_free(struct op *op)
{
  struct separable_op *s = (struct separable_op *)op;
  free(s->kernel);
  free(s->turned);
  free(s->turning);
  free(s->forward);
  free(s->backward);
  free(s->zeros);
  free(s);
}

static void separable_pack(struct op *op, float *const values[OP_PARAMETERS])
{
  struct separable_op *s = (struct separable_op *)op;
  size_t c = s->channels, f = s->filters;
  s->k->depthwise_pack(c, values[0], s->kernel);
  s->k->pack(1, c, f, values[1], f, 1, values[2], s->forward);
  if (!s->turned) return;
  for (size_t tap = 0; tap < TAPS; tap++)
    memcpy(s->turning + tap * c, values[0] + (TAPS - 1 - tap) * c, c * sizeof(float));
  s->k->depthwise_pack(c, s->turning, s->turned);
  if (s->winners)
    s->k->winners_pack(c, f, values[1], s->backward);
  else
    s->k->pack(1, f, c, values[1], 1, f, NULL, s->backward);
}

// Rows first - 1 to first + 2 of a map x of which `held` are in memory; zeros where it has none.
static void x_rows_around(const struct separable_op *s, const void *x, int held, int first,
                          const void *around[PAIR + 2])
{
  for (int i = 0, row = first - 1; i < PAIR + 2; i++, row++)
    around[i] = row < 0 || row >= s->height ? s->zeros : op_row(x, row, held, s->x_row);
}

// d of rows `first` and the next.
static void depthwise_rows(const struct separable_op *s, const void *x, int held, int first, unsigned char *d)
{
  const void *around[PAIR + 2];
  x_rows_around(s, x, held, first, around);
  s->k->depthwise(s->width, s->channels, around, s->kernel, (void *[PAIR]){d, d + s->x_row});
}

static int pair_rows(const struct separable_op *s, int first)
{
  return s->height - first < PAIR ? s->height - first : PAIR;
}

// Where rows `first` and the next of d are: kept for backward, or two rows of scratch.
static unsigned char *d_rows(const struct separable_op *s, const struct op_run *run, int first)
{
  if (!run->training || !s->keeps_d) return run->scratch;
  return (unsigned char *)run->saved + s->d_at + (size_t)first * s->x_row;
}

// Rows `first` and the next before pooling. run->y_rows is even, or they are the last of a whole map.
static void forward_pair(const struct separable_op *s, const struct op_run *run, int first)
{
  const int rows = pair_rows(s, first);
  unsigned char *d = d_rows(s, run, first);
  unsigned char *y =
      s->spec.pool ? (unsigned char *)run->scratch + s->g_at : op_row(run->y, first, run->y_rows, s->y_row);
  struct rows left = {.base = {d}, .segments = 1, .k = s->channels, .stride = s->channels};
  depthwise_rows(s, run->x[0], run->x_rows[0], first, d);
  s->k->product((size_t)rows * s->width, s->filters, &left, s->forward, s->spec.relu, y, s->filters);
  if (!s->spec.pool) return;
  const size_t elements = s->width / 2 * s->filters;
  uint8_t *places = run->training ? (uint8_t *)run->saved + (size_t)(first / PAIR) * elements : NULL;
  s->k->pool(s->width / 2, s->filters, y, y + s->y_row,
             op_row(run->y, first / PAIR, run->y_rows, elements * dtype_size(s->k->dtype)), places);
}

static void separable_rows(const struct op *op, const struct op_run *run, int first, int end)
{
  const struct separable_op *s = (const struct separable_op *)op;
  const int rows = s->spec.pool ? PAIR : 1; // before pooling, for one of y
  for (int row = first * rows; row < end * rows; row += PAIR) forward_pair(s, run, row);
}

static unsigned char *ring_row(const struct separable_op *s, const struct op_run *run, int row)
{
  if (row < 0 || row >= s->height) return s->zeros;
  return op_row((unsigned char *)run->saved + s->ring_at, row, RING, s->x_row);
}

// dx of rows `first`, which may be -1, and the next, which may be below the map.
static void input_rows(const struct separable_op *s, const struct op_run *run, int first)
{
  const void *around[PAIR + 2];
  void *out[PAIR];
  for (int i = 0; i < PAIR + 2; i++) around[i] = ring_row(s, run, first - 1 + i);
  for (int i = 0; i < PAIR; i++) {
    bool inside = first + i >= 0 && first + i < s->height;
    out[i] = (unsigned char *)run->scratch + s->row_at + (size_t)i * s->x_row;
    if (inside && !run->add[0]) out[i] = op_row(run->dx[0], first + i, run->dx_rows[0], s->x_row);
  }
  s->k->depthwise(s->width, s->channels, around, s->turned, out);
  for (int i = 0; run->add[0] && i < PAIR; i++) {
    if (first + i < 0 || first + i >= s->height) continue;
    unsigned char *dx = op_row(run->dx[0], first + i, run->dx_rows[0], s->x_row);
    s->k->add_dropout(s->width * s->channels, dx, out[i], NULL, 1, dx);
  }
}

// Of the pooled rows that come from row `first` and the next: y, and its gradient.
struct pooled {
  unsigned char *y, *dy;
  size_t at; // their first element in the map
};

static struct pooled pooled_rows(const struct separable_op *s, const struct op_run *run, int first)
{
  const size_t elements = s->width / 2 * s->filters, bytes = elements * dtype_size(s->k->dtype);
  const int row = first / PAIR;
  return (struct pooled){.y = op_row(run->y, row, run->y_rows, bytes),
                         .dy = op_row(run->dy, row, run->dy_rows, bytes),
                         .at = (size_t)row * elements};
}

// The gradient by y before pooling, of the rows from `first`, and in *value y itself where ReLU has yet to mask it.
static unsigned char *gradient_rows(const struct separable_op *s, const struct op_run *run, int first,
                                    const unsigned char **value)
{
  *value = NULL;
  if (s->spec.pool) {
    unsigned char *g = (unsigned char *)run->scratch + s->g_at;
    const struct pooled pooled = pooled_rows(s, run, first);
    s->k->unpool(s->width / 2, s->filters, pooled.dy, pooled.y, (uint8_t *)run->saved + pooled.at, s->spec.relu, g,
                 g + s->y_row);
    return g;
  }
  if (s->spec.relu) *value = op_row(run->y, first, run->y_rows, s->y_row);
  return op_row(run->dy, first, run->dy_rows, s->y_row);
}

// The same in backward, where they are there already or are made again.
static unsigned char *d_rows_again(const struct separable_op *s, const struct op_run *run, int first)
{
  unsigned char *d = d_rows(s, run, first);
  if (!s->keeps_d) depthwise_rows(s, run->x[0], run->x_rows[0], first, d);
  return d;
}

// Backward through the 1x1 convolution of a pair of rows: its gradients to the lane, e into the ring.
static void pointwise_backward(const struct separable_op *s, const struct op_run *run, int first)
{
  int rows = pair_rows(s, first);
  size_t pixels = (size_t)rows * s->width;
  const unsigned char *value;
  unsigned char *d = d_rows_again(s, run, first), *g = gradient_rows(s, run, first, &value);
  float *pointwise = run->lane + TAPS * s->channels, *bias = pointwise + s->channels * s->filters;
  struct rows left = {.base = {d}, .segments = 1, .k = s->channels, .stride = s->channels};
  s->k->weights_gradient(pixels, s->filters, &left, value, g, pointwise, bias,
                         (unsigned char *)run->scratch + s->zip_at);
  left = (struct rows){.base = {g}, .segments = 1, .k = s->filters, .stride = s->filters};
  s->k->product(pixels, s->channels, &left, s->backward, false, ring_row(s, run, first), s->channels);
}

// The same from the winners of the pool.
static void winners_backward(const struct separable_op *s, const struct op_run *run, int first)
{
  const size_t windows = s->width / 2, c = s->channels, f = s->filters;
  const struct pooled pooled = pooled_rows(s, run, first);
  unsigned char *winners = (unsigned char *)run->scratch + s->g_at;
  float *pointwise = run->lane + TAPS * c, *bias = pointwise + c * f;
  const uint8_t *which = (uint8_t *)run->saved + pooled.at;
  s->k->winners(windows, c, f, pooled.dy, pooled.y, which, s->spec.relu, winners, bias);
  s->k->winners_transposed(windows, c, f, winners, which, d_rows_again(s, run, first), pointwise);
  s->k->winners_product(windows, c, f, winners, which, s->backward, ring_row(s, run, first));
}

// Backward meets x again when most of it has left the caches. The rows that the next pair adds are asked for in order,
// a line at a time: the kernels, which go from pixel to pixel, would wait for each.
static void fetch_next_rows(const struct separable_op *s, const struct op_run *run, int first)
{
  const void *around[PAIR + 2];
  x_rows_around(s, run->x[0], run->x_rows[0], first + PAIR, around);
  for (int i = PAIR; i < PAIR + 2; i++)
    for (size_t at = 0; at < s->x_row; at += MEM_ALIGNMENT) __builtin_prefetch((const char *)around[i] + at, 0, 2);
}

// Back from rows `first` and the next before pooling. dx follows a row behind: it needs the row below in the ring.
static void backward_pair(const struct separable_op *s, const struct op_run *run, int first)
{
  fetch_next_rows(s, run, first);
  (s->winners ? winners_backward : pointwise_backward)(s, run, first);
  const void *around[PAIR + 2], *e[PAIR] = {ring_row(s, run, first), ring_row(s, run, first + 1)};
  x_rows_around(s, run->x[0], run->x_rows[0], first, around);
  s->k->depthwise_weights(s->width, s->channels, around, e, run->lane);
  if (!run->dx[0]) return;
  input_rows(s, run, first - 1);
  if (first + PAIR == s->height) input_rows(s, run, s->height - 1);
}

static void separable_rows_back(const struct op *op, const struct op_run *run, int first, int end)
{
  const struct separable_op *s = (const struct separable_op *)op;
  const int rows = s->spec.pool ? PAIR : 1; // before pooling, for one of y
  for (int row = first * rows; row < end * rows; row += PAIR) backward_pair(s, run, row);
}

static void separable_gradient(const struct op *op, float *sum, float *const gradients[OP_PARAMETERS])
{
  const struct separable_op *s = (const struct separable_op *)op;
  size_t depthwise = TAPS * s->channels, pointwise = s->channels * s->filters;
  memcpy(gradients[0], sum, depthwise * sizeof *sum);
  if (s->winners)
    s->k->winners_unpack(s->channels, s->filters, sum + depthwise, gradients[1]);
  else
    memcpy(gradients[1], sum + depthwise, pointwise * sizeof *sum);
  memcpy(gradients[2], sum + depthwise + pointwise, s->filters * sizeof *sum);
}

static const struct op_kind separable_kind = {.name = "separable",
                                              .free = separable_free,
                                              .pack = separable_pack,
                                              .forward = op_forward_whole,
                                              .forward_rows = separable_rows,
                                              .backward = op_backward_whole,
                                              .backward_rows = separable_rows_back,
                                              .gradient = separable_gradient};

static bool covered(const struct op_context *context, const struct separable_spec *spec)
{
  const struct window *w = &spec->window;
  bool same = w->size == 3 && w->stride == 1 && w->top == 1 && w->left == 1 && w->y.h == w->x.h && w->y.w == w->x.w;
  bool paired = context->dtype == DTYPE_F32 || (w->x.c % 2 == 0 && spec->filters % 2 == 0); // bf16 reads pairs
  bool even = w->x.h % 2 == 0 && w->x.w % 2 == 0;
  return same && paired && (even || !spec->pool) && native_kernels(context->dtype);
}

static void plan_scratch(struct separable_op *s, bool training)
{
  size_t row = mem_whole(PAIR * s->x_row), g = mem_whole(PAIR * s->y_row);
  s->g_at = row;
  if (s->winners) g = mem_larger(g, mem_whole(s->k->winners_bytes(s->width / 2, s->filters)));
  s->row_at = s->g_at + g;
  s->zip_at = s->row_at + (training ? row : 0);
  s->op.scratch_bytes = s->zip_at;
  if (training && !s->winners)
    s->op.scratch_bytes += s->k->transposed_scratch(PAIR * s->width, s->filters, s->channels);
}

static enum status allocate(struct separable_op *s, bool training, struct error *error)
{
  size_t taps = TAPS * s->channels, kernel = s->k->depthwise_bytes(s->channels);
  size_t forward = s->k->packed_bytes(1, s->channels, s->filters);
  size_t backward =
      s->winners ? s->k->winners_packed_bytes(s->channels, s->filters) : s->k->packed_bytes(1, s->filters, s->channels);
  s->op.own_bytes = kernel + forward + s->x_row;
  enum status status = mem_aligned(&s->kernel, kernel, 1, "weights", error);
  if (!status) status = mem_aligned(&s->forward, forward, 1, "packed weights", error);
  if (!status) status = mem_aligned((void **)&s->zeros, s->x_row, 1, "a row of zeros", error);
  if (!training || status) return status;
  s->op.own_bytes += kernel + taps * sizeof(float) + backward;
  status = mem_aligned(&s->turned, kernel, 1, "weights", error);
  if (!status) status = mem_aligned((void **)&s->turning, taps, sizeof(float), "weights", error);
  if (!status) status = mem_aligned(&s->backward, backward, 1, "packed weights", error);
  return status;
}

enum status native_separable(struct op **out, const struct op_context *context, const struct separable_spec *spec,
                             struct error *error)
{
  *out = NULL;
  if (!covered(context, spec)) return OK;
  const struct window *w = &spec->window;
  const struct kernels *kernels = native_kernels(context->dtype);
  enum status status = native_op_new(out, sizeof(struct separable_op), &separable_kind, kernels, error);
  if (status) return status;
  struct separable_op *s = (struct separable_op *)*out;
  size_t element = dtype_size(context->dtype);
  s->k = kernels;
  s->spec = *spec;
  s->height = w->x.h;
  s->width = (size_t)w->x.w, s->channels = (size_t)w->x.c, s->filters = (size_t)spec->filters;
  const size_t at_once = kernels->winner_channels;
  s->winners =
      spec->pool && context->training && s->filters <= WINNER_FILTERS && at_once > 0 && s->channels % at_once == 0;
  s->x_row = s->width * s->channels * element;
  s->y_row = s->width * s->filters * element;
  s->op.lane_floats = TAPS * s->channels + (s->channels + 1) * s->filters;
  s->op.reach = spec->pool ? (struct reach){.stride = PAIR, .before = 1, .after = PAIR, .y_rows = s->height / PAIR}
                           : (struct reach){.stride = 1, .before = 1, .after = 1, .y_rows = s->height};
  s->op.reach.x_rows = s->height;
  s->op.rows_at_once = spec->pool ? 1 : PAIR;
  s->op.backward_reads_x = true;
  s->op.backward_reads_y = spec->relu;
  s->ring_at = spec->pool ? mem_whole((size_t)(w->y.h / 2) * (s->width / 2) * s->filters) : 0;
  s->d_at = s->ring_at + mem_whole(RING * s->x_row);
  s->keeps_d = context->dtype == DTYPE_BF16;
  s->op.saved_bytes = s->d_at + (s->keeps_d ? (size_t)(s->height + s->height % PAIR) * s->x_row : 0);
  if (!context->training) s->op.saved_bytes = 0;
  plan_scratch(s, context->training);
  status = allocate(s, context->training, error);
  if (!status) return OK;
  separable_free(*out);
  *out = NULL;
  return status;
}
