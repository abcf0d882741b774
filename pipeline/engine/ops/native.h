// What the files of ops_native share: ops on our own vector kernels (kernels/kernels.h), one image per thread.
#ifndef ENGINE_NATIVE_H
#define ENGINE_NATIVE_H

#include "engine/kernels/kernels.h"
#include "engine/ops/ops.h"

enum {
  // More weights than this do not stay in the cache from one image to the next: they are read once for a batch. In
  // training that splits an image's way in two, and all that backward needs is kept for the batch: more are needed. In
  // inference fewer are read once for some images.
  BATCH_DENSE_WEIGHTS = 1 << 20,
  SHARED_DENSE_WEIGHTS = 1 << 18,
  BATCH_CONV_WEIGHTS = 1 << 14, // the gradient of as many is summed over images that lie together
};

// The kernels for maps of `dtype` on this CPU, under oneDNN's ONEDNN_MAX_CPU_ISA; NULL if there are none.
const struct kernels *native_kernels(enum dtype dtype);

// The table for shapes that no kernel covers: oneDNN's, or the plain loops where there are no kernels for `dtype` at
// all (a CPU without bf16, of which oneDNN would make less still).
const struct ops *native_others(enum dtype dtype);

// A zeroed op of `size` bytes, named after the kernels it runs on.
enum status native_op_new(struct op **out, size_t size, const struct op_kind *kind, const struct kernels *kernels,
                          struct error *error);

// Makers of the table; those with a window fall back on native_others.
op_maker_conv native_conv, native_depthwise;
enum status native_separable(struct op **out, const struct op_context *context, const struct separable_spec *spec,
                             struct error *error);
enum status native_dense(struct op **out, const struct op_context *context, const struct dense_spec *spec,
                         struct error *error);

enum status native_preprocess(struct op **out, const struct op_context *context, struct shape shape,
                              const struct preprocess *preprocess, struct error *error);

// For layers of BATCH_DENSE_WEIGHTS and more, where there are kernels for the dtype.
enum status native_batch_dense(struct op **out, const struct op_context *context, const struct dense_spec *spec,
                               struct error *error);
// For convolutions of BATCH_CONV_WEIGHTS and more that train; whether it covers this one.
bool native_batch_conv_covers(const struct op_context *context, const struct conv_spec *spec);
enum status native_batch_conv(struct op **out, const struct op_context *context, const struct conv_spec *spec,
                              struct error *error);
// For convolutions that do not train and take over a batch norm, where products of bf16 run on tiles; whether it covers
// this one.
bool native_frozen_conv_covers(const struct kernels *kernels, const struct op_context *context,
                               const struct conv_spec *spec);
enum status native_frozen_conv(struct op **out, const struct kernels *kernels, const struct conv_spec *spec,
                               struct error *error);

// For 3x3 convolutions in fp32 that do not train and take over a batch norm; whether it covers this one.
bool native_winograd_covers(const struct kernels *kernels, const struct op_context *context,
                            const struct conv_spec *spec);
enum status native_winograd(struct op **out, const struct kernels *kernels, const struct conv_spec *spec,
                            struct error *error);

// Copies a map of elements of so many bytes into the middle of zeros: pixel (0, 0) goes to (top, left). What does not
// fit is left out. One element behind `out` is zeroed as well: an odd row of bf16 is read as far as that.
void native_pad(size_t element, const void *map, struct shape from, void *out, struct shape to, int top, int left);

enum status native_relu(struct op **out, const struct op_context *context, struct shape shape, struct error *error);
enum status native_norm(struct op **out, const struct op_context *context, const struct norm_spec *spec,
                        struct error *error);

#endif
