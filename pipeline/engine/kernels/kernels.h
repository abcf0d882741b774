// The arithmetic of the fast path, one table per instruction set and activation type. Layers are written once against
// this table; the same template (kernels.inc) is compiled for each entry.
//
//   generic       fp32  16-byte vectors: SSE2, NEON, anything
//   avx2          fp32  32-byte vectors with FMA
//   avx512        fp32  64-byte vectors
//   avx512_bf16   bf16  activations and factors in bf16, sums in fp32 (VDPBF16PS)
//   avx512_amx    bf16  the same, with some products on tiles (TDPBF16PS) and depthwise convolutions by floats
//
// Elements are float or bf16 as `dtype` says; strides count elements. All kernels are single threaded: parallelism is
// over images. Sums run in an order that depends on the shapes alone.
#ifndef ENGINE_KERNELS_KERNELS_H
#define ENGINE_KERNELS_KERNELS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "engine/kernels/norm.h"
#include "engine/tensor.h"

enum { KERNEL_SEGMENTS = 8 }; // rows of a convolution kernel, at most
enum { WINNER_FILTERS = 64 }; // of `winners` below, at most

// The left factor of a product: M rows that the network's feature maps hold already. Row m is the concatenation of
// `segments` runs of `k` elements, run s at base[s] + m * stride. A 1x1 convolution has one run (a pixel's channels); a
// 3x3 convolution three (kernel rows), each of 3 * C elements, with stride = the step between output pixels.
// bf16 reads one element more where k is odd: it must be readable and finite.
struct rows {
  const void *base[KERNEL_SEGMENTS];
  size_t segments, k, stride;
};

// For `conv_weights`: a block of the gradient, channels channel ... and filters filter ... , from maps x [n, x_h, x_w,
// x_c] and dy [n, y_h, y_w, y_c]. x_c, y_c and all four numbers of the block are multiples of CONV_WEIGHTS_BLOCK;
// kernels above 1x1 have stride 1.
enum { CONV_WEIGHTS_BLOCK = 16 };
struct conv_weights {
  size_t n, x_h, x_w, x_c, y_h, y_w, y_c;
  size_t size, stride, top, left; // of the window
  const void *x, *dy;
  size_t channel, channels, filter, filters;
  float *sum;  // [size, size, x_c, y_c]: the block's numbers are written
  float *bias; // [filters]: the column sums of dy are added; NULL: not wanted
};

// Keras' Adam: epsilon is outside the bias correction, which is folded into lr: lr * sqrt(1 - beta2^t) / (1 - beta1^t).
struct adam {
  float lr, beta1, beta2, epsilon;
  float l2;    // added to the gradient: l2 * w
  float decay; // w is first shrunk by this share
};

struct kernels {
  const char *name; // "avx2"
  enum dtype dtype;
  bool tiles; // products run on AMX: of 16 rows and more, columns in 32s, and k in 32s or at most 32 of all segments

  // Packs B[segments * k, n] (element (i, j) at b[i * row + j * column]) and bias[n] (NULL: zeros) for `product`.
  size_t (*packed_bytes)(size_t segments, size_t k, size_t n);
  void (*pack)(size_t segments, size_t k, size_t n, const float *b, size_t row, size_t column, const float *bias,
               void *packed);

  // Rows first ... first + count - 1 of a packed B[k, n] of one segment anew, from rows[count, n]. first is even, and
  // so is count unless they are the last.
  void (*pack_again)(size_t k, size_t n, size_t first, size_t count, const float *rows, void *packed);
  // The transpose of those rows of a packed B[k, n]: a packed matrix of [n, count], without biases.
  void (*turn)(size_t k, size_t n, size_t first, size_t count, const void *packed, void *turned);

  // C[m, n] = A[m, segments * k] * B + bias, then max(0, .) if relu. C has rows of `stride` elements.
  void (*product)(size_t m, size_t n, const struct rows *a, const void *packed, bool relu, void *c, size_t stride);
  // The same with C in fp32 whatever the dtype.
  void (*product_f32)(size_t m, size_t n, const struct rows *a, const void *packed, bool relu, float *c, size_t stride);
  // The same of one segment, to the bits of m products of one row each; what is packed is read once for eight of them.
  void (*product_lines)(size_t m, size_t n, const struct rows *a, const void *packed, bool relu, float *c,
                        size_t stride);

  // sum[segments * k, n] += A[m, .]^T * B[m, n]: weight gradients. `scratch` holds transposed_scratch(m, n, segments *
  // k) bytes.
  size_t (*transposed_scratch)(size_t m, size_t n, size_t k);
  void (*product_transposed)(size_t m, size_t n, const struct rows *a, const void *b, size_t b_stride, float *sum,
                             void *scratch);

  // The same for one B and many A of one run each, written instead of added: B[m, n] is zipped once, to
  // zipped_bytes; `scratch` holds transposed_scratch(m, 0, a->k).
  size_t (*zipped_bytes)(size_t m, size_t n);
  void (*zip)(size_t m, size_t n, const void *b, size_t b_stride, void *zipped);
  void (*product_zipped)(size_t m, size_t n, const struct rows *a, const void *zipped, float *out, void *scratch);

  // sum[n] += column sums of B[m, n]: bias gradients.
  void (*column_sums)(size_t m, size_t n, const void *b, size_t stride, float *sum);

  // The gradient of a convolution's kernel over images that lie together. `scratch` holds conv_weights_scratch bytes.
  size_t (*conv_weights_scratch)(const struct conv_weights *job);
  void (*conv_weights)(const struct conv_weights *job, void *scratch);

  // Both for y[m, n] = A * W + bias, then ReLU (`value` is y, or NULL: no ReLU): gradient[m, n] becomes zero where y is
  // not positive, sum and bias are added to.
  void (*weights_gradient)(size_t m, size_t n, const struct rows *a, const void *value, void *gradient, float *sum,
                           float *bias, void *scratch);

  // A depthwise 3x3 kernel [9, c] as `depthwise` reads it, rounded to the table's dtype: depthwise_bytes(c) bytes.
  size_t (*depthwise_bytes)(size_t c);
  void (*depthwise_pack)(size_t c, const float *kernel, void *packed);
  // Two rows of a depthwise 3x3 convolution, stride 1: out[0] and out[1], [w, c] each, from the four input rows [w, c]
  // above, at and below them (zeros beside them). Backward data is the same with the kernel turned by 180 degrees.
  void (*depthwise)(size_t w, size_t c, const void *const rows[4], const void *packed, void *const out[2]);
  // sum[9, c] += the weight gradient of the two output rows.
  void (*depthwise_weights)(size_t w, size_t c, const void *const rows[4], const void *const gradients[2], float *sum);

  // Max pool 2x2, stride 2, of two rows of 2w pixels; which[w, c] is 0..3, the first of equal values (NULL: not
  // wanted).
  void (*pool)(size_t w, size_t c, const void *top, const void *bottom, void *out, uint8_t *which);
  // Its gradient, zero where the pooled value is not positive if relu: the pool's input went through one.
  void (*unpool)(size_t w, size_t c, const void *gradient, const void *pooled, const uint8_t *which, bool relu,
                 void *top, void *bottom);

  // Backward through y = pool(ReLU(A * kernel + bias)), two rows of 2w pixels at a time, without unpooling: of the four
  // pixels of a window one has a gradient, for each of n <= WINNER_FILTERS filters another. A is [4w, k], k a multiple
  // of `winner_channels` (0: there are no such kernels, because dense products are faster); the kernel is [k, n].
  size_t winner_channels;
  size_t (*winners_packed_bytes)(size_t k, size_t n);
  void (*winners_pack)(size_t k, size_t n, const float *kernel, void *packed); // for winners_product
  // First, into winners_bytes(w, n) bytes: what gradient each winner has, none where the pooled value is not positive
  // if relu. bias[n] += the sum of its gradients.
  size_t (*winners_bytes)(size_t w, size_t n);
  void (*winners)(size_t w, size_t k, size_t n, const void *gradient, const void *pooled, const uint8_t *which,
                  bool relu, void *winners, float *bias);
  // sum[k * n] += the gradient of the kernel, in an order of its own, which winners_unpack undoes.
  void (*winners_transposed)(size_t w, size_t k, size_t n, const void *winners, const uint8_t *which, const void *a,
                             float *sum);
  void (*winners_unpack)(size_t k, size_t n, const float *sum, float *gradient);
  // out[4w, k] = the gradient of A.
  void (*winners_product)(size_t w, size_t k, size_t n, const void *winners, const uint8_t *which, const void *packed,
                          void *out);

  // Winograd's convolution by 3x3 kernels, fp32 alone (NULL in other tables). y is made in squares of 4x4 or 2x2
  // pixels (`square`: 4 or 2), each from a patch of x that has two rows and columns more (side = square + 2): side^2
  // products of matrices instead of square^2 * 9. Counts of numbers, channels and filters are multiples of 16.
  //
  // Matrix `number` of side^2, out[n], from kernels [9, n].
  void (*winograd_kernel)(size_t square, size_t n, const float *kernel, size_t number, float *out);
  // What a patch of x, [side, side, c], multiplies: a row of c numbers for matrix i at out + i * step. Rows of x are
  // x_row floats apart.
  void (*winograd_patch)(size_t square, size_t c, const float *x, size_t x_row, float *out, size_t step);
  // The first rows and columns of a square of y, [square, square, f], from the products' sums, `step` apart: + bias,
  // then max(0, .) if relu. Rows of y are y_row floats apart.
  void (*winograd_square)(size_t square, size_t f, const float *sums, size_t step, const float *bias, bool relu,
                          size_t rows, size_t columns, float *y, size_t y_row);

  // out = a + b, times 1 / (1 - rate) where mask is 255 and 0 where it is 0 (mask NULL: the sum). b may be NULL.
  void (*add_dropout)(size_t n, const void *a, const void *b, const uint8_t *mask, float scale, void *out);
  // C[m, n] += sums[m, n], rounded once, then max(0, .) if relu. C has rows of `stride` elements.
  void (*add_f32)(size_t m, size_t n, const float *sums, bool relu, void *c, size_t stride);
  // mask[n]: 0 where dropout drops an element, else 255. Numbers and their order: engine/ops/dropout.h.
  void (*dropout_mask)(size_t n, const uint32_t key[2], const uint32_t counter[4], uint32_t threshold, uint8_t *mask);
  void (*relu_gradient)(size_t n, const void *value, void *gradient);      // gradient = value > 0 ? gradient : 0
  void (*from_u8)(size_t n, const uint8_t *bytes, float scale, void *out); // out = bytes * scale
  void (*from_f32)(size_t n, const float *values, void *out);
  void (*to_f32)(size_t n, const void *values, float *out);
  struct norm_loops norm;
  // One update of n weights by their gradients; m and v are the moments. Whether the new weights are finite.
  bool (*adam)(const struct adam *adam, size_t n, float *w, const float *g, float *m, float *v);
};

// The best table for this CPU and dtype, not above `cap` ("avx2", "generic", ...; NULL: no cap). NULL if there is none
// (bf16 on a CPU without it).
const struct kernels *kernels_select(enum dtype dtype, const char *cap);

// All tables that this CPU can run, for tests; returns their number.
size_t kernels_available(const struct kernels *out[], size_t limit);

#endif
