// A thin layer over oneDNN's C API (2.6) for ops that run one image on one thread.
//
// A `struct call` is a primitive with the memory objects of each thread: handles are set before each execution, which
// is what makes one primitive usable by many threads (together with scratchpads of their own).
#ifndef ENGINE_ONEDNN_H
#define ENGINE_ONEDNN_H

#include <dnnl.h>

#include "core/status.h"
#include "engine/ops.h"

enum { CALL_ARGUMENTS = 6 };

struct onednn {
  dnnl_engine_t engine;
  dnnl_stream_t stream;
};

struct call {
  dnnl_primitive_t primitive;
  int count, threads;
  int kinds[CALL_ARGUMENTS]; // DNNL_ARG_SRC, ...
  dnnl_memory_t *memories;   // [threads, count]
  size_t scratchpad_bytes;
};

enum status onednn_open(struct onednn *onednn, struct error *error);
void onednn_close(struct onednn *onednn);

// FAILED with oneDNN's own word for it, unless status is dnnl_success.
enum status onednn_check(dnnl_status_t status, const char *what, struct error *error);

dnnl_data_type_t onednn_type(enum dtype dtype);

// An attribute for scratchpads in the caller's memory, and for ReLU after the op.
enum status onednn_attribute(dnnl_primitive_attr_t *out, bool relu, struct error *error);

// Takes over `description` (freed on error too). `kinds`: the arguments in the order in which call_run gets their data;
// the scratchpad is added last.
enum status call_new(struct call *call, const struct onednn *onednn, dnnl_primitive_desc_t description, int threads,
                     const int *kinds, int count, struct error *error);
void call_free(struct call *call);

// Runs on `thread`; data: one pointer per argument, then the scratchpad. False if oneDNN refused.
bool call_run(const struct call *call, const struct onednn *onednn, int thread, void *const *data);

// Copies between layouts and types.
enum status reorder_new(struct call *call, const struct onednn *onednn, const dnnl_memory_desc_t *from,
                        const dnnl_memory_desc_t *to, struct error *error);

#endif
