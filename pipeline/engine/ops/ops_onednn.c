// The table of ops on oneDNN (onednn_*.c): a second opinion on our own kernels, and what they do not cover.
//
// Some ops are ops_native's: dropout, which has no oneDNN primitive and whose masks are a part of the reproducible run
// (dropout.h), preprocess, ReLU and batch norm. A separable convolution is made in its two parts. The loss is in double
// for all tables (loss.h).
//
// oneDNN's ReLU and max pool swallow NaN: max(NaN, 0) is 0 there. A weight that is not finite would not reach the loss,
// so net_train and net_infer refuse it before they start, whatever the table, also one that only folding a batch norm
// in makes so. Sums that overflow to infinity do reach the gradients (0 * infinity), which the optimizer checks; in
// inference net_run.c looks at the maps of one image and at every output.
#include "engine/ops/int8.h"
#include "engine/ops/native.h"
#include "engine/ops/onednn.h"
#include "engine/ops/row.h"

static enum status make_dropout(struct op **out, const struct op_context *context, struct shape shape, float rate,
                                int layer, struct error *error)
{
  return ops_native.dropout(out, context, shape, rate, layer, error);
}

const struct ops ops_onednn = {.name = "onednn",
                               .rescale = onednn_rescale,
                               .conv = onednn_conv,
                               .depthwise = onednn_depthwise,
                               .conv_int8 = onednn_conv_int8,
                               .quantise = int8_quantise,
                               .preprocess = native_preprocess,
                               .slice = row_slice,
                               .row = row_join,
                               .relu = native_relu,
                               .norm = native_norm,
                               .max_pool = onednn_max_pool,
                               .add = onednn_add,
                               .dropout = make_dropout,
                               .dense = onednn_dense};
