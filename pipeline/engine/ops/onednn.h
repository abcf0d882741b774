// A thin layer over oneDNN's C API (2.6) for ops that run one image on one thread.
//
// A `struct call` is a primitive with the memory objects of each thread: handles are set before each execution, which
// is what makes one primitive usable by many threads (together with scratchpads of their own).
#ifndef ENGINE_ONEDNN_H
#define ENGINE_ONEDNN_H

#include <dnnl.h>

#include "core/status.h"
#include "engine/ops/ops.h"

enum { CALL_ARGUMENTS = 6 };

struct onednn {
  dnnl_engine_t engine;
  dnnl_stream_t stream;
  atomic_int *refused; // op_context.refused
};

struct call {
  dnnl_primitive_t primitive;
  int count, threads;
  int kinds[CALL_ARGUMENTS]; // DNNL_ARG_SRC, ...
  dnnl_memory_t *memories;   // [threads, count]
  size_t scratchpad_bytes;
};

enum status onednn_open(struct onednn *onednn, const struct op_context *context, struct error *error);
void onednn_close(struct onednn *onednn);

// FAILED with oneDNN's own word for it, unless status is dnnl_success.
enum status onednn_check(dnnl_status_t status, const char *what, struct error *error);

dnnl_data_type_t onednn_type(enum dtype dtype);

// The padding of a window on all four sides, as oneDNN wants it.
void onednn_padding(const struct window *window, dnnl_dims_t before, dnnl_dims_t after);

// What happens to an op's result: what lies at its place already is added, then ReLU.
enum onednn_after { AFTER_NOTHING = 0, AFTER_RELU = 1, AFTER_SUM = 2 };

// An attribute for scratchpads in the caller's memory and for a set of enum onednn_after.
enum status onednn_attribute(dnnl_primitive_attr_t *out, unsigned after, struct error *error);

// oneDNN's choice of an implementation for `op`, with that attribute; hint: of forward, for backward. To be freed.
enum status onednn_description(dnnl_primitive_desc_t *out, const struct onednn *onednn, const_dnnl_op_desc_t op,
                               unsigned after, const_dnnl_primitive_desc_t hint, const char *what, struct error *error);

// Names the op's implementation: "oneDNN", or "oneDNN ref" once one of its primitives is oneDNN's own plain loops.
void onednn_note(struct op *op, const_dnnl_primitive_desc_t description);

// Takes over `description` (freed on error too). `kinds`: the arguments in the order in which call_run gets their data;
// the scratchpad is added last.
enum status call_new(struct call *call, const struct onednn *onednn, dnnl_primitive_desc_t description, int threads,
                     const int *kinds, int count, struct error *error);
void call_free(struct call *call);

// Runs on `thread`; data: one pointer per argument, then the scratchpad. False if oneDNN refused (it is out of memory),
// which op_context.refused tells, too: what an op was to write is then what was there before, whatever its type.
bool call_run(const struct call *call, const struct onednn *onednn, int thread, void *const *data);

// Whether oneDNN did what it was asked for; if not, op_context.refused tells.
bool onednn_done(const struct onednn *onednn, dnnl_status_t status);

// Copies between layouts and types.
enum status reorder_new(struct call *call, const struct onednn *onednn, const dnnl_memory_desc_t *from,
                        const dnnl_memory_desc_t *to, struct error *error);

// Makers of the table ops_onednn.
op_maker_conv onednn_conv, onednn_depthwise;
enum status onednn_conv_int8(struct op **out, const struct op_context *context, const struct conv_int8_spec *spec,
                             struct error *error);
enum status onednn_rescale(struct op **out, const struct op_context *context, struct shape shape, enum dtype from,
                           float scale, struct error *error);
enum status onednn_max_pool(struct op **out, const struct op_context *context, const struct window *window,
                            struct error *error);
enum status onednn_add(struct op **out, const struct op_context *context, struct shape shape, struct error *error);
enum status onednn_dense(struct op **out, const struct op_context *context, const struct dense_spec *spec,
                         struct error *error);

#endif
