// A network: built by calls that read like a Keras functional listing, planned once, then run without
// allocating.
//
//   struct net *net = net_new("seed-cnn", (struct shape){100, 100, 3}, DTYPE_U8);
//   int x = net_rescale(net, "rescale", NET_INPUT, 1 / 255.0f);
//   const struct conv2d conv = {.filters = 64, .kernel = 3, .stride = 1, .padding = PAD_SAME, .activation = ACT_RELU};
//   x = net_conv2d(net, "conv1", x, &conv);
//   ...
//   x = net_dense(net, "predictions", x, &(struct dense){.units = 29}); // logits; softmax is in the loss
//   status = net_plan(net, &(struct net_options){...}, error);          // the first to report errors of building
//
// How it runs: depth first. An image goes through all layers, forward and backward, on one thread, while its
// activations are in that thread's cache; layers-over-batch execution would send 2.5 MB per layer and image
// through DRAM instead. Only what needs the whole batch stops it: a batch norm that trains, a large dense layer
// (net_schedule.c). The weight gradients of convolutions are summed per lane: image i of a batch belongs to lane
// i % NET_LANES, a lane's images are summed in order, lanes in order, so that the bits do not depend on the number
// of threads. Those of large layers are computed from the batch, split in a way that depends on the shapes alone.
#ifndef ENGINE_NET_H
#define ENGINE_NET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/status.h"
#include "engine/layers.h"
#include "engine/tensor.h"

struct net;

enum { NET_INPUT = 0, NET_LANES = 16 };

// --- building: each returns the index of its output, or -1 after an error that net_plan reports ----------------------
struct net *net_new(const char *name, struct shape input, enum dtype input_dtype); // NULL: out of memory
void net_free(struct net *net);

int net_rescale(struct net *net, const char *name, int x, float scale); // x * scale
// (x[channel[c]] - mean[c]) * scale[c] for each of the input's three channels.
int net_preprocess(struct net *net, const char *name, int x, const struct preprocess *preprocess);
// Zeros on all four sides. Read by VALID convolutions and by VALID max pools, of which the latter ignore them: the same
// as Keras' zeros where no value is negative, so the map must come from a ReLU. `pixels` is below the window's size.
int net_zero_pad2d(struct net *net, const char *name, int x, int pixels);
int net_conv2d(struct net *net, const char *name, int x,
               const struct conv2d *conv); // kernel [kh, kw, C, filters], bias
int net_separable_conv2d(struct net *net, const char *name, int x, const struct conv2d *conv);
// depthwise kernel [kh, kw, C, 1] without bias or activation, pointwise [1, 1, C, filters], bias; then the
// activation
int net_max_pool2d(struct net *net, const char *name, int x, const struct pool2d *pool);
int net_add(struct net *net, const char *name, int a, int b);
int net_relu(struct net *net, const char *name, int x);
// gamma * (x - mean) / sqrt(variance + epsilon) + beta, per channel (Ioffe and Szegedy, 2015). Parameters gamma, beta,
// moving_mean, moving_variance. Frozen or in inference it takes the moving statistics.
int net_batch_norm(struct net *net, const char *name, int x, const struct batch_norm *norm);
int net_dropout(struct net *net, const char *name, int x, float rate); // kept values times 1 / (1 - rate)
int net_flatten(struct net *net, const char *name, int x);
int net_slice(struct net *net, const char *name, int x, const struct slice *slice); // of the input alone
int net_row(struct net *net, const char *name, int a, int b); // both flattened, one behind the other
int net_dense(struct net *net, const char *name, int x, const struct dense *dense); // kernel [C, units], bias

// Keeps the weights of layers first ... last as they are: no gradient is computed for them, nor below the first layer
// that trains. What is frozen runs as in inference: batch norms are folded into the convolutions before them.
void net_freeze(struct net *net, int first, int last);

// --- planning --------------------------------------------------------------------------------------------------------
enum net_precision { NET_FP32, NET_BF16 };
enum net_kernels { KERNELS_REFERENCE, KERNELS_ONEDNN, KERNELS_NATIVE }; // plain loops; a library; our own: fastest

struct net_options {
  enum net_precision precision; // bf16: activations and products; master weights, sums and the loss stay fp32
  enum net_kernels kernels;
  int threads;   // OpenMP threads to use, >= 1
  int batch;     // the most images in one call
  bool training; // gradients and their memory are needed
  uint64_t seed; // of dropout
  bool pieces;   // gradients of large kernels are given in pieces, while an optimizer consumes them: net_pieces below
  // [net_layer_count], from ranges_choose for a net of the same layers: what is frozen works on bytes, as layer_int8.c
  // has it, and on `precision` between. NULL: nothing does. net_plan alone reads them.
  const float *ranges;
};

// The last built layer is the output: its shape must be 1 x 1 x classes, and to be trained it must be a dense layer.
// Weights are zero until net_initialise or a load.
enum status net_plan(struct net *net, const struct net_options *options, struct error *error);

// Glorot-uniform kernels (fan as Keras computes it; depthwise kernels: kh*kw*C over 1 multiplier), zero
// biases; batch norms that do nothing yet.
void net_initialise(struct net *net, uint64_t seed);

bool net_precision_supported(enum net_precision precision); // by this CPU
enum net_precision net_fastest_precision(void); // on it: bf16 where that is faster (core/cpu.h), or on tiles
const char *net_isa(void);                      // "avx512_core_bf16", "avx2", ...
void net_library_version(char out[32]);         // oneDNN's: "2.6.3"

// --- weights ---------------------------------------------------------------------------------------------------------
struct parameter {
  const char *name; // "conv1/kernel"
  int rank;
  int shape[4]; // in Keras' order
  size_t count;
  bool trainable;
  bool variance; // no value is below 0
  float initial; // what net_initialise gives to a parameter of rank 1
  float *value;  // fp32 master weights, owned by the net
  // Of the mean loss over the batch of the last net_train; NULL unless planned for training, and where it has pieces.
  float *gradient;
};

size_t net_parameter_count(const struct net *net);
struct parameter *net_parameter(struct net *net, size_t index);
void net_parameters_changed(struct net *net); // after writing to values: packed copies are made anew

// The gradient of a large kernel, written out, is as large as the kernel and would be read once. With
// net_options.pieces it stays in pieces: behind a net_train, each is computed on the thread that updates those weights.
struct net_pieces {
  size_t count;  // 0: the parameter has a gradient of its own
  size_t floats; // in each piece but the last
};
struct net_pieces net_pieces_of(const struct net *net, size_t parameter);
// Whether all pieces are known to be finite, from the largest numbers that they are made of.
bool net_pieces_bounded(const struct net *net, size_t parameter);
// On thread `thread` below net_options.threads; the piece is valid until the thread's next call.
const float *net_piece_gradient(const struct net *net, size_t parameter, size_t piece, int thread);
void net_piece_stepped(struct net *net, size_t parameter, size_t piece); // its values were updated
int net_threads(const struct net *net);

// After an update from the gradients of the last net_train, to what trains alone: moving statistics follow that batch,
// and packed copies of what trains are made anew. not_finite: the first parameter that is not; SIZE_MAX: all are.
void net_stepped(struct net *net, size_t not_finite);

// --- running ---------------------------------------------------------------------------------------------------------
// Where images come from: `fetch` writes image `index` of the batch, [H, W, C] of the input's type. It is
// called once per image, from the thread that will use it, in no order.
struct net_input {
  void *self;
  void (*fetch)(void *self, size_t index, void *pixels);
};

struct net_target {
  const int32_t *labels; // [N] class ordinals
  float label_smoothing; // 0: none; target = (1 - s) * one-hot + s / classes
  // Of images that are mixed of two: the other's label, and the share of `labels`. Both NULL: none is.
  const int32_t *others; // [N]
  const float *shares;   // [N] 0..1
};

// One forward and backward pass over n <= batch images. dropout masks come from (seed, step, index). Fills
// the gradients of the mean loss; *loss is the mean cross-entropy; logits [n, classes] if not NULL. FAILED if
// the loss or a weight is not finite, or OUT_OF_MEMORY where oneDNN is, here and below (nothing changed).
enum status net_train(struct net *net, const struct net_input *input, const struct net_target *target, size_t n,
                      uint64_t step, double *loss, float *logits, struct error *error);

// Inference over n <= batch images: logits [n, classes]. Of a net that does not end in a dense layer they are its
// output's values, exactly. FAILED if a weight or an output is not finite, or a map on the way is as good as that: the
// first pass after weights changed looks at all maps of its first image.
enum status net_infer(struct net *net, const struct net_input *input, size_t n, float *logits, struct error *error);

// The same, of an fp32 net; the numbers of all maps are added to `ranges`, which were made for it.
struct ranges;
enum status net_observe(struct net *net, const struct net_input *input, size_t n, struct ranges *ranges, float *logits,
                        struct error *error);

// --- describing ------------------------------------------------------------------------------------------------------
struct layer_summary {
  const char *name, *kind; // "conv1", "Conv2D"
  struct shape output;
  size_t parameters, trainable; // numbers, and how many of them train
  int inputs[2], input_count;   // layer indices
};
size_t net_layer_count(const struct net *net);
struct layer_summary net_layer(const struct net *net, size_t index);
size_t net_memory(const struct net *net); // bytes of all buffers

#endif
