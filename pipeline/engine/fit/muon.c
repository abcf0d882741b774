// The matrix of a kernel, U [inputs, outputs], turned if it is wider than high, has few columns. Its Gram matrix is
// summed over chunks of its rows; U p(U^T U) is then a product of small matrices and one of U. The polynomial p is five
// steps of Jordan's, which bring singular values from 0.002 of their norm to between 0.7 and 1.2, and one of Newton and
// Schulz towards 1.
#include "engine/fit/muon.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/mem.h"
#include "engine/ops/native.h"

enum { CHUNK_ELEMENTS = 1 << 15, SQUARES = 5 };

struct matrix {
  size_t parameter;
  size_t rows, columns; // of U; columns <= rows
  bool turned;          // the kernel is U's transpose
  float scale;
  float *u;       // [rows, columns], if turned
  float *squares; // SQUARES of [columns, columns], each on cache lines of its own
  void *packed;   // a square, for products
  size_t first_chunk, chunks;
};

// Rows of a matrix that one thread takes; all of a turned one.
struct chunk {
  size_t matrix, first, rows;
  float *gram; // [columns, columns]
  float *out;  // [rows, columns]
  void *scratch;
};

struct muon {
  struct net *net;
  const struct kernels *kernels;
  struct matrix *matrices;
  struct chunk *chunks;
  size_t matrix_count, chunk_count;
};

bool muon_takes(const struct parameter *parameter)
{
  if (parameter->rank < 2) return false;
  size_t outputs = (size_t)parameter->shape[parameter->rank - 1];
  return outputs > 1 && parameter->count > outputs;
}

static size_t square_floats(const struct matrix *matrix)
{
  return mem_whole(matrix->columns * matrix->columns * sizeof(float)) / sizeof(float);
}

static enum status add_matrix(struct muon *muon, size_t index, size_t *capacity, struct error *error)
{
  const struct parameter *parameter = net_parameter(muon->net, index);
  if (net_pieces_of(muon->net, index).count > 0)
    return fail(error, BAD_USAGE, "the gradient of %s is made in pieces: muon needs it whole", parameter->name);
  enum status status = mem_grow((void **)&muon->matrices, capacity, muon->matrix_count + 1, sizeof *muon->matrices,
                                "an optimizer", error);
  if (status) return status;
  size_t outputs = (size_t)parameter->shape[parameter->rank - 1], inputs = parameter->count / outputs;
  struct matrix *matrix = &muon->matrices[muon->matrix_count++];
  *matrix = (struct matrix){.parameter = index, .rows = inputs, .columns = outputs, .scale = 1};
  if (outputs > inputs) {
    *matrix = (struct matrix){.parameter = index, .rows = outputs, .columns = inputs, .turned = true};
    matrix->scale = sqrtf((float)outputs / (float)inputs);
    status = mem_aligned((void **)&matrix->u, parameter->count, sizeof(float), "an optimizer", error);
  }
  if (!status)
    status =
        mem_aligned((void **)&matrix->squares, SQUARES * square_floats(matrix), sizeof(float), "an optimizer", error);
  if (!status)
    status = mem_aligned(&matrix->packed, muon->kernels->packed_bytes(1, matrix->columns, matrix->columns), 1,
                         "an optimizer", error);
  return status;
}

static enum status add_chunks(struct muon *muon, size_t index, size_t *capacity, struct error *error)
{
  struct matrix *matrix = &muon->matrices[index];
  size_t size = CHUNK_ELEMENTS / matrix->columns;
  if (size < matrix->columns) size = matrix->columns; // Gram matrices take no more memory than U
  if (matrix->turned) size = matrix->rows;
  matrix->first_chunk = muon->chunk_count;
  enum status status = OK;
  for (size_t first = 0; !status && first < matrix->rows; first += size) {
    status =
        mem_grow((void **)&muon->chunks, capacity, muon->chunk_count + 1, sizeof *muon->chunks, "an optimizer", error);
    if (status) break;
    size_t left = matrix->rows - first;
    struct chunk *chunk = &muon->chunks[muon->chunk_count++];
    *chunk = (struct chunk){.matrix = index, .first = first, .rows = left < size ? left : size};
    matrix->chunks++;
    status = mem_aligned((void **)&chunk->gram, square_floats(matrix), sizeof(float), "an optimizer", error);
    if (!status)
      status = mem_aligned((void **)&chunk->out, chunk->rows * matrix->columns, sizeof(float), "an optimizer", error);
    if (!status)
      status =
          mem_aligned(&chunk->scratch, muon->kernels->transposed_scratch(chunk->rows, matrix->columns, matrix->columns),
                      1, "an optimizer", error);
  }
  return status;
}

enum status muon_new(struct muon **out, struct net *net, struct error *error)
{
  struct muon *muon = NULL;
  enum status status = mem_zeroed((void **)&muon, 1, sizeof *muon, "an optimizer", error);
  if (status) return status;
  muon->net = net;
  muon->kernels = native_kernels(DTYPE_F32);
  size_t matrices = 0, chunks = 0;
  for (size_t p = 0; !status && p < net_parameter_count(net); p++)
    if (net_parameter(net, p)->trainable && muon_takes(net_parameter(net, p)))
      status = add_matrix(muon, p, &matrices, error);
  for (size_t i = 0; !status && i < muon->matrix_count; i++) status = add_chunks(muon, i, &chunks, error);
  if (status)
    muon_free(muon);
  else
    *out = muon;
  return status;
}

void muon_free(struct muon *muon)
{
  if (!muon) return;
  for (size_t i = 0; i < muon->matrix_count; i++) {
    free(muon->matrices[i].u);
    free(muon->matrices[i].squares);
    free(muon->matrices[i].packed);
  }
  for (size_t i = 0; i < muon->chunk_count; i++) {
    free(muon->chunks[i].gram);
    free(muon->chunks[i].out);
    free(muon->chunks[i].scratch);
  }
  free(muon->matrices);
  free(muon->chunks);
  free(muon);
}

// out[columns, rows] = in[rows, columns], transposed.
static void transpose(size_t rows, size_t columns, const float *restrict in, float *restrict out)
{
  for (size_t r = 0; r < rows; r++)
    for (size_t c = 0; c < columns; c++) out[c * rows + r] = in[r * columns + c];
}

// Its momentum, and in the gradient's place the way that Nesterov would step.
static void accumulate(size_t n, float beta, float *restrict momentum, float *restrict gradient)
{
#pragma omp simd
  for (size_t i = 0; i < n; i++) {
    momentum[i] = beta * momentum[i] + gradient[i];
    gradient[i] += beta * momentum[i];
  }
}

static void sum_gram(const struct muon *muon, const struct chunk *chunk, float beta, float *momentum)
{
  const struct matrix *matrix = &muon->matrices[chunk->matrix];
  const struct kernels *k = muon->kernels;
  const size_t columns = matrix->columns, first = chunk->first * columns;
  float *gradient = net_parameter(muon->net, matrix->parameter)->gradient;
  accumulate(chunk->rows * columns, beta, momentum + first, gradient + first);
  if (matrix->turned) transpose(columns, matrix->rows, gradient, matrix->u);
  const float *u = (matrix->turned ? matrix->u : gradient) + first;
  memset(chunk->gram, 0, columns * columns * sizeof *chunk->gram);
  const struct rows rows = {.base = {u}, .segments = 1, .k = columns, .stride = columns};
  k->product_transposed(chunk->rows, columns, &rows, u, columns, chunk->gram, chunk->scratch);
}

// out = a * b, all [n, n].
static void multiply(const struct kernels *k, size_t n, const float *a, const float *b, void *packed, float *out)
{
  k->pack(1, n, n, b, n, 1, NULL, packed);
  const struct rows rows = {.base = {a}, .segments = 1, .k = n, .stride = n};
  k->product(n, n, &rows, packed, false, out, n);
}

// out[n, n] = c[0] + c[1] a + c[2] a^2, by way of `square`.
static void polynomial(const struct kernels *k, size_t n, const float c[3], const float *a, void *packed, float *square,
                       float *out)
{
  multiply(k, n, a, a, packed, square);
#pragma omp simd
  for (size_t i = 0; i < n * n; i++) out[i] = c[1] * a[i] + c[2] * square[i];
  for (size_t i = 0; i < n; i++) out[i * n + i] += c[0];
}

// Packs scale * p(U^T U), where U times that is orthogonal but for what p leaves. Zeros for zeros. Whether the sum of
// squares is finite.
static bool invert_root(const struct muon *muon, const struct matrix *matrix)
{
  static const float steps[][3] = {{3.4445F, -4.7750F, 2.0315F}, {3.4445F, -4.7750F, 2.0315F},
                                   {3.4445F, -4.7750F, 2.0315F}, {3.4445F, -4.7750F, 2.0315F},
                                   {3.4445F, -4.7750F, 2.0315F}, {1.875F, -1.25F, 0.375F}};
  enum { STEPS = sizeof steps / sizeof *steps };
  const struct kernels *k = muon->kernels;
  const size_t n = matrix->columns, size = square_floats(matrix);
  float *gram = matrix->squares, *root = gram + size, *factor = root + size, *one = factor + size, *other = one + size;
  memset(gram, 0, n * n * sizeof *gram);
  for (size_t c = 0; c < matrix->chunks; c++)
    for (size_t i = 0; i < n * n; i++) gram[i] += muon->chunks[matrix->first_chunk + c].gram[i];
  double squares = 0;
  for (size_t i = 0; i < n; i++) squares += (double)gram[i * n + i];
  if (!isfinite(squares)) return false;
  const bool some = squares > (double)FLT_MIN; // less is as good as none: its reciprocal is not a float
  const float inverse = some ? (float)(1 / squares) : 0, norm = some ? (float)(1 / sqrt(squares)) : 0;
  for (size_t i = 0; i < n * n; i++) gram[i] *= inverse;
  memset(root, 0, n * n * sizeof *root);
  for (size_t i = 0; i < n; i++) root[i * n + i] = norm * matrix->scale;
  for (size_t s = 0; s < STEPS; s++) {
    polynomial(k, n, steps[s], gram, matrix->packed, one, factor);
    multiply(k, n, factor, root, matrix->packed, one);
    memcpy(root, one, n * n * sizeof *root);
    if (s + 1 == STEPS) break;
    multiply(k, n, factor, gram, matrix->packed, one);
    multiply(k, n, one, factor, matrix->packed, other);
    memcpy(gram, other, n * n * sizeof *gram);
  }
  k->pack(1, n, n, root, n, 1, NULL, matrix->packed);
  return true;
}

static void write_direction(const struct muon *muon, const struct chunk *chunk)
{
  const struct matrix *matrix = &muon->matrices[chunk->matrix];
  const size_t columns = matrix->columns, first = chunk->first * columns;
  float *gradient = net_parameter(muon->net, matrix->parameter)->gradient;
  const float *u = (matrix->turned ? matrix->u : gradient) + first;
  const struct rows rows = {.base = {u}, .segments = 1, .k = columns, .stride = columns};
  muon->kernels->product(chunk->rows, columns, &rows, matrix->packed, false, chunk->out, columns);
  if (matrix->turned)
    transpose(matrix->rows, columns, chunk->out, gradient);
  else
    memcpy(gradient + first, chunk->out, chunk->rows * columns * sizeof *gradient);
}

enum status muon_directions(struct muon *muon, float *const *momenta, float beta, int threads, struct error *error)
{
  size_t bad = SIZE_MAX;
#pragma omp parallel num_threads(threads)
  {
#pragma omp for schedule(dynamic)
    for (size_t i = 0; i < muon->chunk_count; i++) {
      const struct chunk *chunk = &muon->chunks[i];
      sum_gram(muon, chunk, beta, momenta[muon->matrices[chunk->matrix].parameter]);
    }
#pragma omp for schedule(dynamic) reduction(min : bad)
    for (size_t i = 0; i < muon->matrix_count; i++)
      if (!invert_root(muon, &muon->matrices[i]) && muon->matrices[i].parameter < bad)
        bad = muon->matrices[i].parameter;
#pragma omp for schedule(dynamic)
    for (size_t i = 0; i < muon->chunk_count; i++) write_direction(muon, &muon->chunks[i]);
  }
  if (bad == SIZE_MAX) return OK;
  return fail(error, FAILED, "the gradients of %s are too large: their squares have no finite sum",
              net_parameter(muon->net, bad)->name);
}
