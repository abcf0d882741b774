// 3x3 convolutions with stride 1 that do not train, in fp32, with a batch norm folded in, by Winograd's F(4x4, 3x3) or
// F(2x2, 3x3) (kernels->winograd_patch): a fourth of the multiplications of the direct way, or four ninths.
//
// y is cut into squares. The patch of x that a square reads becomes a row of numbers for each of the matrices that the
// kernel has become, 36 or 16; products of TOGETHER squares at once are what takes the time. Large squares multiply
// least, for weights that take four times the memory; on a small map they are so few that reading the weights takes
// longer. What is rounded differs from the direct way: by less than 1e-5 of the largest result.
#include <stdlib.h>
#include <string.h>

#include "core/mem.h"
#include "engine/ops/native.h"

enum {
  CHANNELS = 16, // of x and of y: multiples of it fill the vectors of any table
  TOGETHER = 24, // squares: four tiles of rows; of 64 channels their numbers stay in the second cache
  SQUARES = 12   // at least, for the products to be worth what they read
};

struct winograd_conv {
  struct op op;
  const struct kernels *k;
  struct conv_spec spec;
  int square;              // pixels a side
  size_t numbers;          // of matrices: (square + 2)^2
  size_t across, squares;  // of y: in a row, in all
  unsigned char *matrices; // [numbers], packed, of matrix_bytes each
  size_t matrix_bytes;
  float *kernel, *bias;    // folded
  float *matrix;           // one of them, [channels, filters]
  size_t rows_at, sums_at; // in scratch, where a patch with its zeros comes first
};

static void winograd_free(struct op *op)
{
  struct winograd_conv *conv = (struct winograd_conv *)op;
  free(conv->matrices);
  free(conv->kernel);
  free(conv->bias);
  free(conv->matrix);
  free(conv);
}

static void winograd_pack(struct op *op, float *const values[OP_PARAMETERS])
{
  struct winograd_conv *conv = (struct winograd_conv *)op;
  const size_t channels = (size_t)conv->spec.window.x.c, filters = (size_t)conv->spec.window.y.c;
  op->packing = conv_fold(&conv->spec, values, conv->kernel, conv->bias) ? PACKED : PACKING_NOT_FINITE;
  for (size_t number = 0; number < conv->numbers; number++) {
    conv->k->winograd_kernel((size_t)conv->square, channels * filters, conv->kernel, number, conv->matrix);
    conv->k->pack(1, channels, filters, conv->matrix, filters, 1, NULL, conv->matrices + number * conv->matrix_bytes);
  }
}

// Square number `index` of y: its first pixel, and how many of its rows and columns y has.
struct square {
  int row, column, rows, columns;
};

static struct square square_at(const struct winograd_conv *conv, size_t index)
{
  const struct shape *y = &conv->spec.window.y;
  struct square at = {.row = (int)(index / conv->across) * conv->square,
                      .column = (int)(index % conv->across) * conv->square};
  at.rows = y->h - at.row < conv->square ? y->h - at.row : conv->square;
  at.columns = y->w - at.column < conv->square ? y->w - at.column : conv->square;
  return at;
}

// The patch of x whose first pixel is (top, left): where it lies in the map, or else a copy with zeros for what the map
// does not have.
static const float *patch_at(const struct winograd_conv *conv, const float *map, int top, int left, float *copy,
                             size_t *row_floats)
{
  const struct shape *x = &conv->spec.window.x;
  const int side = conv->square + 2;
  const size_t channels = (size_t)x->c, map_row = (size_t)x->w * channels;
  *row_floats = map_row;
  if (top >= 0 && left >= 0 && top + side <= x->h && left + side <= x->w)
    return map + (size_t)top * map_row + (size_t)left * channels;
  *row_floats = (size_t)side * channels;
  memset(copy, 0, (size_t)side * *row_floats * sizeof *copy);
  const int first = left < 0 ? 0 : left, end = left + side < x->w ? left + side : x->w;
  for (int row = 0; row < side; row++)
    if (top + row >= 0 && top + row < x->h && first < end)
      memcpy(copy + (size_t)row * *row_floats + (size_t)(first - left) * channels,
             map + (size_t)(top + row) * map_row + (size_t)first * channels,
             (size_t)(end - first) * channels * sizeof *copy);
  return copy;
}

static void forward_squares(const struct winograd_conv *conv, const struct op_run *run, size_t first, size_t count)
{
  const struct window *w = &conv->spec.window;
  const size_t square = (size_t)conv->square;
  const size_t channels = (size_t)w->x.c, filters = (size_t)w->y.c, y_row = (size_t)w->y.w * filters;
  float *copy = run->scratch, *rows = copy + conv->rows_at, *sums = copy + conv->sums_at;
  for (size_t i = 0; i < count; i++) {
    const struct square at = square_at(conv, first + i);
    size_t row_floats;
    const float *patch = patch_at(conv, run->x[0], at.row - w->top, at.column - w->left, copy, &row_floats);
    conv->k->winograd_patch(square, channels, patch, row_floats, rows + i * channels, count * channels);
  }
  for (size_t number = 0; number < conv->numbers; number++) {
    const struct rows left = {
        .base = {rows + number * count * channels}, .segments = 1, .k = channels, .stride = channels};
    conv->k->product(count, filters, &left, conv->matrices + number * conv->matrix_bytes, false,
                     sums + number * count * filters, filters);
  }
  for (size_t i = 0; i < count; i++) {
    const struct square at = square_at(conv, first + i);
    conv->k->winograd_square(square, filters, sums + i * filters, count * filters, conv->bias, conv->spec.relu,
                             (size_t)at.rows, (size_t)at.columns,
                             (float *)run->y + (size_t)at.row * y_row + (size_t)at.column * filters, y_row);
  }
}

static void winograd_forward(const struct op *op, const struct op_run *run)
{
  const struct winograd_conv *conv = (const struct winograd_conv *)op;
  for (size_t first = 0; first < conv->squares; first += TOGETHER)
    forward_squares(conv, run, first, conv->squares - first < TOGETHER ? conv->squares - first : TOGETHER);
}

static const struct op_kind winograd_kind = {
    .name = "conv", .free = winograd_free, .pack = winograd_pack, .forward = winograd_forward};

// How many squares a map is cut into.
static size_t squares_of(struct shape y, int square)
{
  return (size_t)((y.h + square - 1) / square) * (size_t)((y.w + square - 1) / square);
}

// Pixels a side: large squares where there are enough of them.
static int square_for(struct shape y)
{
  return squares_of(y, 4) >= SQUARES ? 4 : 2;
}

static enum status plan_memory(struct winograd_conv *conv, struct error *error)
{
  const size_t channels = (size_t)conv->spec.window.x.c, filters = (size_t)conv->spec.window.y.c;
  const size_t together = conv->squares < TOGETHER ? conv->squares : TOGETHER;
  const size_t kernel = 9 * channels * filters;
  conv->rows_at = conv->numbers * channels; // multiples of CHANNELS floats, and so of a cache line
  conv->sums_at = conv->rows_at + conv->numbers * together * channels;
  conv->op.scratch_bytes = mem_whole((conv->sums_at + conv->numbers * together * filters) * sizeof(float));
  conv->matrix_bytes = mem_whole(conv->k->packed_bytes(1, channels, filters));
  conv->op.own_bytes = conv->numbers * conv->matrix_bytes + (kernel + channels * filters + filters) * sizeof(float);
  enum status status =
      mem_aligned((void **)&conv->matrices, conv->numbers, conv->matrix_bytes, "packed weights", error);
  if (!status) status = mem_aligned((void **)&conv->kernel, kernel, sizeof(float), "weights", error);
  if (!status) status = mem_aligned((void **)&conv->matrix, channels * filters, sizeof(float), "weights", error);
  if (!status) status = mem_aligned((void **)&conv->bias, filters, sizeof(float), "biases", error);
  return status;
}

bool native_winograd_covers(const struct kernels *kernels, const struct op_context *context,
                            const struct conv_spec *spec)
{
  const struct window *w = &spec->window;
  return kernels && kernels->winograd_patch && !context->training && spec->norm && !spec->sum && w->size == 3 &&
         w->stride == 1 && w->x.c % CHANNELS == 0 && w->y.c % CHANNELS == 0 &&
         squares_of(w->y, square_for(w->y)) >= SQUARES;
}

enum status native_winograd(struct op **out, const struct kernels *kernels, const struct conv_spec *spec,
                            struct error *error)
{
  enum status status = native_op_new(out, sizeof(struct winograd_conv), &winograd_kind, kernels, error);
  if (status) return status;
  struct winograd_conv *conv = (struct winograd_conv *)*out;
  conv->k = kernels;
  conv->spec = *spec;
  conv->square = square_for(spec->window.y);
  conv->numbers = (size_t)(conv->square + 2) * (size_t)(conv->square + 2);
  conv->across = (size_t)((spec->window.y.w + conv->square - 1) / conv->square);
  conv->squares = squares_of(spec->window.y, conv->square);
  status = plan_memory(conv, error);
  if (!status) return OK;
  winograd_free(*out);
  *out = NULL;
  return status;
}
