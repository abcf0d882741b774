#include "engine/ops/onednn.h"

#include <dnnl_debug.h>
#include <stdlib.h>
#include <string.h>

#include "core/mem.h"

enum status onednn_check(dnnl_status_t status, const char *what, struct error *error)
{
  if (status == dnnl_success) return OK;
  if (status == dnnl_out_of_memory) return fail(error, OUT_OF_MEMORY, "out of memory: oneDNN, %s", what);
  return fail(error, FAILED, "oneDNN, %s: %s", what, dnnl_status2str(status));
}

enum status onednn_open(struct onednn *onednn, const struct op_context *context, struct error *error)
{
  *onednn = (struct onednn){.refused = context->refused};
  enum status status = onednn_check(dnnl_engine_create(&onednn->engine, dnnl_cpu, 0), "engine", error);
  if (status) return status;
  return onednn_check(dnnl_stream_create(&onednn->stream, onednn->engine, dnnl_stream_default_flags), "stream", error);
}

void onednn_close(struct onednn *onednn)
{
  if (onednn->stream) dnnl_stream_destroy(onednn->stream);
  if (onednn->engine) dnnl_engine_destroy(onednn->engine);
}

dnnl_data_type_t onednn_type(enum dtype dtype)
{
  switch (dtype) {
  case DTYPE_F32:
    return dnnl_f32;
  case DTYPE_BF16:
    return dnnl_bf16;
  case DTYPE_U8:
    return dnnl_u8;
  case DTYPE_S8:
    return dnnl_s8;
  }
  return dnnl_data_type_undef;
}

enum status onednn_attribute(dnnl_primitive_attr_t *out, unsigned after, struct error *error)
{
  dnnl_post_ops_t ops = NULL;
  *out = NULL;
  dnnl_status_t status = dnnl_primitive_attr_create(out);
  if (!status) status = dnnl_primitive_attr_set_scratchpad_mode(*out, dnnl_scratchpad_mode_user);
  if (!status && after) {
    status = dnnl_post_ops_create(&ops);
    if (!status && (after & AFTER_SUM)) status = dnnl_post_ops_append_sum(ops, 1);
    if (!status && (after & AFTER_RELU)) status = dnnl_post_ops_append_eltwise(ops, 1, dnnl_eltwise_relu, 0, 0);
    if (!status) status = dnnl_primitive_attr_set_post_ops(*out, ops);
    if (ops) dnnl_post_ops_destroy(ops);
  }
  if (status && *out) {
    dnnl_primitive_attr_destroy(*out);
    *out = NULL;
  }
  return onednn_check(status, "attributes", error);
}

void onednn_padding(const struct window *window, dnnl_dims_t before, dnnl_dims_t after)
{
  const struct window *w = window;
  int bottom = (w->y.h - 1) * w->stride + w->size - w->top - w->x.h;
  int right = (w->y.w - 1) * w->stride + w->size - w->left - w->x.w;
  before[0] = w->top, before[1] = w->left;
  after[0] = bottom > 0 ? bottom : 0, after[1] = right > 0 ? right : 0;
}

enum status onednn_description(dnnl_primitive_desc_t *out, const struct onednn *onednn, const_dnnl_op_desc_t op,
                               unsigned after, const_dnnl_primitive_desc_t hint, const char *what, struct error *error)
{
  dnnl_primitive_attr_t attribute = NULL;
  enum status status = onednn_attribute(&attribute, after, error);
  if (status) return status;
  status = onednn_check(dnnl_primitive_desc_create(out, op, attribute, onednn->engine, hint), what, error);
  dnnl_primitive_attr_destroy(attribute);
  return status;
}

void onednn_note(struct op *op, const_dnnl_primitive_desc_t description)
{
  const char *implementation = "";
  dnnl_primitive_desc_query(description, dnnl_query_impl_info_str, 0, (void *)&implementation);
  if (!op->implementation) op->implementation = "oneDNN";
  if (strstr(implementation, "ref")) op->implementation = "oneDNN ref";
}

// Memory objects of all threads for the call's arguments.
static dnnl_status_t make_memories(struct call *call, const struct onednn *onednn,
                                   const dnnl_memory_desc_t *const *shapes)
{
  for (int t = 0; t < call->threads; t++)
    for (int i = 0; i < call->count; i++) {
      dnnl_memory_t *memory = &call->memories[t * call->count + i];
      dnnl_status_t status = dnnl_memory_create(memory, shapes[i], onednn->engine, DNNL_MEMORY_NONE);
      if (status) return status;
    }
  return dnnl_success;
}

enum status call_new(struct call *call, const struct onednn *onednn, dnnl_primitive_desc_t description, int threads,
                     const int *kinds, int count, struct error *error)
{
  const dnnl_memory_desc_t *shapes[CALL_ARGUMENTS] = {0};
  *call = (struct call){.count = count + 1, .threads = threads};
  for (int i = 0; i <= count; i++) {
    call->kinds[i] = i < count ? kinds[i] : DNNL_ARG_SCRATCHPAD;
    shapes[i] = dnnl_primitive_desc_query_md(description, dnnl_query_exec_arg_md, call->kinds[i]);
  }
  call->scratchpad_bytes = dnnl_memory_desc_get_size(shapes[count]);
  enum status status = mem_zeroed((void **)&call->memories, (size_t)threads * (size_t)call->count,
                                  sizeof(dnnl_memory_t), "oneDNN memory", error);
  if (!status) status = onednn_check(make_memories(call, onednn, shapes), "memory", error);
  if (!status) status = onednn_check(dnnl_primitive_create(&call->primitive, description), "primitive", error);
  dnnl_primitive_desc_destroy(description);
  if (status) call_free(call);
  return status;
}

void call_free(struct call *call)
{
  for (int i = 0; call->memories && i < call->threads * call->count; i++)
    if (call->memories[i]) dnnl_memory_destroy(call->memories[i]);
  free(call->memories);
  if (call->primitive) dnnl_primitive_destroy(call->primitive);
  *call = (struct call){0};
}

bool onednn_done(const struct onednn *onednn, dnnl_status_t status)
{
  if (status && onednn->refused) atomic_store(onednn->refused, (int)status);
  return status == dnnl_success;
}

bool call_run(const struct call *call, const struct onednn *onednn, int thread, void *const *data)
{
  dnnl_exec_arg_t arguments[CALL_ARGUMENTS];
  for (int i = 0; i < call->count; i++) {
    dnnl_memory_t memory = call->memories[thread * call->count + i];
    if (!onednn_done(onednn, dnnl_memory_set_data_handle(memory, data[i]))) return false;
    arguments[i] = (dnnl_exec_arg_t){call->kinds[i], memory};
  }
  return onednn_done(onednn, dnnl_primitive_execute(call->primitive, onednn->stream, call->count, arguments));
}

enum status reorder_new(struct call *call, const struct onednn *onednn, const dnnl_memory_desc_t *from,
                        const dnnl_memory_desc_t *to, struct error *error)
{
  dnnl_primitive_desc_t description = NULL;
  dnnl_primitive_attr_t attribute = NULL;
  enum status status = onednn_attribute(&attribute, false, error);
  if (status) return status;
  status = onednn_check(
      dnnl_reorder_primitive_desc_create(&description, from, onednn->engine, to, onednn->engine, attribute), "reorder",
      error);
  dnnl_primitive_attr_destroy(attribute);
  if (status) return status;
  return call_new(call, onednn, description, 1, (int[]){DNNL_ARG_FROM, DNNL_ARG_TO}, 2, error);
}
