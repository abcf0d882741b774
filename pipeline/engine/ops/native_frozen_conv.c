// Convolutions that do not train, with a batch norm folded in and perhaps a sum behind, as products on tiles
// (kernels->tiles): ResNet50's frozen part.
//
// The rows of a product are pixels of y, and must lie one step apart in x, however long a row of the map is:
//
//   DIRECT    1x1: x itself
//   PADDED    above 1x1: a copy of x with its zeros around. Its rows are size - 1 pixels longer than y's. The product
//             goes on over those, which costs less than tiles that end with each row of a small map, and what it gives
//             there is left out
//   GATHERED  with a stride: copies of what each pixel of y reads
//   WIDENED   of a picture's three channels: a padded copy with four, in which eight pixels are the depth of a tile;
//             those beyond the kernel have weights of zero, and must be finite. Each row of y is a product
//
// Products go block by block of those rows, so that what was copied, and a result that is not in its place yet, are in
// the cache when they are read. The map that is added comes to the fp32 sums of a product: y is rounded once.
#include <stdlib.h>
#include <string.h>

#include "core/mem.h"
#include "engine/ops/native.h"

enum {
  // Channels of x and of y are a multiple of it: the depth of a tile, and two tiles beside each other.
  DEPTH = 32,
  PICTURE = 3, // channels that are widened
  WIDE = 4,    // to as many
  WIDE_PIXELS = DEPTH / WIDE,
  BLOCK_BYTES = 256 * 1024, // of a block's x and y, about: a part of the second cache
  BLOCK_ROWS = 64,          // at least, and a multiple of the 32 rows that tiles take at once
  // With a sum. The product's result, 32 KB, stays in the first cache.
  SUM_ROWS = 64,
  SUM_COLUMNS = 128
};

enum reads { DIRECT, PADDED, GATHERED, WIDENED };

struct frozen_conv {
  struct op op;
  const struct kernels *k;
  struct conv_spec spec;
  enum reads reads;
  struct shape copy;             // of x, PADDED or WIDENED
  size_t segments, depth, step;  // of a product's left factor: depth elements in each segment, step from row to row
  size_t rows, line, kept;       // of the product: all, those of a row of the map, those of them that y has
  size_t block, blocks;          // rows of a block, but for the last, which is longer
  size_t group;                  // columns of a product: all but with a sum
  unsigned char *weights;        // each group's, packed by itself
  size_t group_bytes;            // of the packed weights; the last group may need fewer
  float *kernel, *bias;          // folded
  float *wide;                   // the kernel with zeros for what is not there, WIDENED
  size_t gathered_at, result_at; // in scratch, where the copy comes first: gathered rows, what a product gives
};

static void frozen_free(struct op *op)
{
  struct frozen_conv *conv = (struct frozen_conv *)op;
  free(conv->weights);
  free(conv->kernel);
  free(conv->bias);
  free(conv->wide);
  free(conv);
}

// Columns of the group that begins at column `first`.
static size_t columns_of(const struct frozen_conv *conv, size_t first)
{
  const size_t left = (size_t)conv->spec.window.y.c - first;
  return left < conv->group ? left : conv->group;
}

// wide[a, b, c, f] = kernel[a, b, c, f], WIDE_PIXELS for b and WIDE for c
static void widen_kernel(const struct frozen_conv *conv)
{
  const size_t size = (size_t)conv->spec.window.size, run = PICTURE * (size_t)conv->spec.window.y.c;
  for (size_t a = 0; a < size; a++)
    for (size_t b = 0; b < size; b++)
      memcpy(conv->wide + (a * WIDE_PIXELS + b) * run / PICTURE * WIDE, conv->kernel + (a * size + b) * run,
             run * sizeof(float));
}

static void frozen_pack(struct op *op, float *const values[OP_PARAMETERS])
{
  struct frozen_conv *conv = (struct frozen_conv *)op;
  const size_t filters = (size_t)conv->spec.window.y.c;
  op->packing = conv_fold(&conv->spec, values, conv->kernel, conv->bias) ? PACKED : PACKING_NOT_FINITE;
  if (conv->wide) widen_kernel(conv);
  const float *kernel = conv->wide ? conv->wide : conv->kernel;
  for (size_t first = 0; first < filters; first += conv->group)
    conv->k->pack(conv->segments, conv->depth, columns_of(conv, first), kernel + first, filters, 1, conv->bias + first,
                  conv->weights + first / conv->group * conv->group_bytes);
}

// What pixel `pixel` of y reads, taps in order.
static void gather(const struct window *w, const uint16_t *x, size_t pixel, uint16_t *out)
{
  const int row = (int)pixel / w->y.w, column = (int)pixel % w->y.w;
  const int top = row * w->stride - w->top, left = column * w->stride - w->left;
  const size_t channels = (size_t)w->x.c, run = (size_t)w->size * channels;
  int first, end, first_row, end_row;
  window_taps(column, w->stride, w->left, w->size, w->x.w, &first, &end);
  window_taps(row, w->stride, w->top, w->size, w->x.h, &first_row, &end_row);
  if (end - first < w->size || end_row - first_row < w->size) memset(out, 0, (size_t)w->size * run * sizeof *out);
  for (int tap = first_row; tap < end_row && first < end; tap++)
    memcpy(out + (size_t)tap * run + (size_t)first * channels,
           x + (size_t)((top + tap) * w->x.w + left + first) * channels,
           (size_t)(end - first) * channels * sizeof *out);
}

// Pixels beside each other: a fourth channel of zeros to each.
static void widen_pixels(const uint16_t *pixels, size_t count, uint16_t *out)
{
  for (size_t i = 0; i < count; i++, pixels += PICTURE, out += WIDE) {
    const bool last = i + 1 == count; // behind it there may be no more memory
    memcpy(out, pixels, (last ? PICTURE : WIDE) * sizeof *out);
    out[PICTURE] = 0;
  }
}

// native_pad, widened.
static void widen(const struct frozen_conv *conv, const uint16_t *map, uint16_t *out)
{
  const struct window *w = &conv->spec.window;
  const int there = conv->copy.w - w->left < w->x.w ? conv->copy.w - w->left : w->x.w;
  const size_t row = (size_t)conv->copy.w * WIDE, before = (size_t)w->left * WIDE, end = before + (size_t)there * WIDE;
  for (int i = -w->top; i < conv->copy.h - w->top; i++, out += row) {
    const bool inside = i >= 0 && i < w->x.h;
    memset(out, 0, (inside ? before : row) * sizeof *out);
    if (!inside) continue;
    widen_pixels(map + (size_t)i * (size_t)w->x.w * PICTURE, (size_t)there, out + before);
    memset(out + end, 0, (row - end) * sizeof *out);
  }
}

// Rows first ... first + m - 1 of the product's left factor.
static struct rows block_rows(const struct frozen_conv *conv, const struct op_run *run, size_t first, size_t m)
{
  const uint16_t *map = conv->reads == DIRECT ? run->x[0] : run->scratch;
  struct rows rows = {.segments = conv->segments, .k = conv->depth, .stride = conv->step};
  if (conv->reads == GATHERED) {
    uint16_t *copies = (uint16_t *)(void *)((unsigned char *)run->scratch + conv->gathered_at);
    for (size_t i = 0; i < m; i++) gather(&conv->spec.window, run->x[0], first + i, copies + i * conv->depth);
    rows.base[0] = copies;
    return rows;
  }
  const size_t line = (size_t)conv->copy.w * (size_t)conv->copy.c; // a row of y in each block, if it is widened
  map += conv->reads == WIDENED ? first / conv->block * (size_t)conv->spec.window.stride * line : first * conv->step;
  for (size_t s = 0; s < rows.segments; s++) rows.base[s] = map + s * line;
  return rows;
}

// What a product gave for its rows first ... first + m - 1 and the columns of a group, to y.
static void put(const struct frozen_conv *conv, const void *result, size_t first, size_t m, size_t column, uint16_t *y)
{
  const size_t filters = (size_t)conv->spec.window.y.c, columns = columns_of(conv, column);
  for (size_t row = first, count; row < first + m; row += count) {
    const size_t at = row % conv->line, left = first + m - row;
    count = conv->line - at < left ? conv->line - at : left;
    if (at >= conv->kept) continue;
    const size_t kept = conv->kept - at < count ? conv->kept - at : count, from = (row - first) * columns;
    uint16_t *to = y + (row / conv->line * conv->kept + at) * filters + column;
    if (conv->spec.sum)
      conv->k->add_f32(kept, columns, (const float *)result + from, conv->spec.relu, to, filters);
    else
      memcpy(to, (const uint16_t *)result + from, kept * filters * sizeof *to);
  }
}

static void forward_block(const struct frozen_conv *conv, const struct op_run *run, size_t first, size_t m)
{
  const size_t filters = (size_t)conv->spec.window.y.c;
  const struct rows rows = block_rows(conv, run, first, m);
  void *result = (unsigned char *)run->scratch + conv->result_at;
  if (!conv->spec.sum) {
    const bool direct = conv->reads != PADDED;
    conv->k->product(m, filters, &rows, conv->weights, conv->spec.relu,
                     direct ? (uint16_t *)run->y + first * filters : result, filters);
    if (!direct) put(conv, result, first, m, 0, run->y);
    return;
  }
  for (size_t column = 0; column < filters; column += conv->group) {
    const size_t columns = columns_of(conv, column);
    conv->k->product_f32(m, columns, &rows, conv->weights + column / conv->group * conv->group_bytes, false, result,
                         columns);
    put(conv, result, first, m, column, run->y);
  }
}

static void frozen_forward(const struct op *op, const struct op_run *run)
{
  const struct frozen_conv *conv = (const struct frozen_conv *)op;
  const struct window *w = &conv->spec.window;
  if (conv->reads == PADDED) native_pad(sizeof(uint16_t), run->x[0], w->x, run->scratch, conv->copy, w->top, w->left);
  if (conv->reads == WIDENED) widen(conv, run->x[0], run->scratch);
  for (size_t b = 0; b < conv->blocks; b++) {
    const size_t first = b * conv->block;
    forward_block(conv, run, first, b + 1 < conv->blocks ? conv->block : conv->rows - first);
  }
}

static const struct op_kind frozen_kind = {
    .name = "conv", .free = frozen_free, .pack = frozen_pack, .forward = frozen_forward};

static enum reads reads_of(const struct window *w)
{
  if (w->x.c == PICTURE) return WIDENED;
  if (w->stride > 1) return GATHERED;
  return w->size == 1 && w->x.h == w->y.h && w->x.w == w->y.w ? DIRECT : PADDED;
}

static void plan_rows(struct frozen_conv *conv)
{
  const struct window *w = &conv->spec.window;
  const size_t size = (size_t)w->size, channels = (size_t)w->x.c;
  conv->reads = reads_of(w);
  conv->rows = conv->line = conv->kept = (size_t)w->y.h * (size_t)w->y.w;
  conv->segments = 1;
  conv->depth = conv->step = size * size * channels;
  if (conv->reads == PADDED) {
    conv->copy = (struct shape){w->y.h + w->size - 1, w->y.w + w->size - 1, w->x.c};
    conv->segments = size;
    conv->depth = size * channels;
    conv->step = channels;
    conv->line = (size_t)conv->copy.w;
    conv->kept = (size_t)w->y.w;
    conv->rows = ((size_t)w->y.h - 1) * conv->line + conv->kept;
  }
  if (conv->reads == WIDENED) {
    conv->copy = (struct shape){(w->y.h - 1) * w->stride + w->size, (w->y.w - 1) * w->stride + WIDE_PIXELS, WIDE};
    conv->segments = size;
    conv->depth = DEPTH;
    conv->step = (size_t)w->stride * WIDE;
  }
}

static void plan_blocks(struct frozen_conv *conv)
{
  const size_t filters = (size_t)conv->spec.window.y.c;
  conv->group = conv->spec.sum && filters > SUM_COLUMNS ? SUM_COLUMNS : filters;
  conv->block = BLOCK_BYTES / ((conv->step + filters) * sizeof(uint16_t)) / BLOCK_ROWS * BLOCK_ROWS;
  if (conv->block < BLOCK_ROWS) conv->block = BLOCK_ROWS;
  if (conv->spec.sum) conv->block = SUM_ROWS;
  if (conv->reads == WIDENED) conv->block = (size_t)conv->spec.window.y.w;
  conv->blocks = conv->rows / conv->block; // a last one of a few rows would fill no tiles
  if (conv->blocks == 0) conv->blocks = 1;
}

static void plan_scratch(struct frozen_conv *conv)
{
  const size_t longest = conv->rows - (conv->blocks - 1) * conv->block;
  size_t at = 0;
  if (conv->copy.h > 0) at += mem_whole((shape_elements(conv->copy) + 1) * sizeof(uint16_t));
  conv->gathered_at = at;
  if (conv->reads == GATHERED) at += mem_whole(longest * conv->depth * sizeof(uint16_t));
  conv->result_at = at;
  if (conv->spec.sum || conv->reads == PADDED)
    at += mem_whole(longest * conv->group * (conv->spec.sum ? sizeof(float) : sizeof(uint16_t)));
  conv->op.scratch_bytes = at;
}

static enum status plan_weights(struct frozen_conv *conv, struct error *error)
{
  const struct window *w = &conv->spec.window;
  const size_t filters = (size_t)w->y.c, groups = (filters + conv->group - 1) / conv->group;
  const size_t count = (size_t)w->size * (size_t)w->size * (size_t)w->x.c * filters;
  const size_t wide = conv->reads == WIDENED ? conv->segments * conv->depth * filters : 0;
  conv->group_bytes = mem_whole(conv->k->packed_bytes(conv->segments, conv->depth, conv->group));
  conv->op.own_bytes = groups * conv->group_bytes + (count + wide + filters) * sizeof(float);
  enum status status = mem_aligned((void **)&conv->weights, groups * conv->group_bytes, 1, "packed weights", error);
  if (!status) status = mem_aligned((void **)&conv->kernel, count, sizeof(float), "weights", error);
  if (!status) status = mem_aligned((void **)&conv->bias, filters, sizeof(float), "biases", error);
  if (!status && wide) status = mem_zeroed((void **)&conv->wide, wide, sizeof(float), "weights", error);
  return status;
}

bool native_frozen_conv_covers(const struct kernels *kernels, const struct op_context *context,
                               const struct conv_spec *spec)
{
  const struct window *w = &spec->window;
  return kernels && kernels->tiles && !context->training && spec->norm && w->size <= KERNEL_SEGMENTS &&
         (w->x.c % DEPTH == 0 || w->x.c == PICTURE) && w->y.c % DEPTH == 0;
}

enum status native_frozen_conv(struct op **out, const struct kernels *kernels, const struct conv_spec *spec,
                               struct error *error)
{
  enum status status = native_op_new(out, sizeof(struct frozen_conv), &frozen_kind, kernels, error);
  if (status) return status;
  struct frozen_conv *conv = (struct frozen_conv *)*out;
  conv->k = kernels;
  conv->spec = *spec;
  plan_rows(conv);
  plan_blocks(conv);
  plan_scratch(conv);
  status = plan_weights(conv, error);
  if (!status) return OK;
  frozen_free(*out);
  *out = NULL;
  return status;
}
