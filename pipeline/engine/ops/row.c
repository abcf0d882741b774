// Rows of numbers: feature maps that were kept, and their way back. All tables have these.
#include <stdlib.h>
#include <string.h>

#include "core/mem.h"
#include "engine/ops/row.h"

struct row_op {
  struct op op;
  enum dtype from, to;
  size_t first, count; // of a slice
  size_t bytes[2];     // of a row's maps
};

static void row_free(struct op *op)
{
  free(op);
}

static enum status row_new(struct op **out, const struct op_kind *kind, struct error *error)
{
  enum status status = mem_zeroed((void **)out, 1, sizeof(struct row_op), kind->name, error);
  if (status) return status;
  (*out)->kind = kind;
  (*out)->implementation = "memory";
  return OK;
}

static void slice_forward(const struct op *op, const struct op_run *run)
{
  const struct row_op *row = (const struct row_op *)op;
  const unsigned char *x = (const unsigned char *)run->x[0] + row->first * dtype_size(row->from);
  if (row->from == row->to)
    memcpy(run->y, x, row->count * dtype_size(row->to));
  else if (row->to == DTYPE_BF16)
    for (size_t i = 0; i < row->count; i++)
      ((uint16_t *)run->y)[i] = bf16_from_float(((const float *)(const void *)x)[i]);
  else
    for (size_t i = 0; i < row->count; i++)
      ((float *)run->y)[i] = bf16_to_float(((const uint16_t *)(const void *)x)[i]);
}

static const struct op_kind slice_kind = {.name = "slice", .free = row_free, .forward = slice_forward};

enum status row_slice(struct op **out, const struct op_context *context, enum dtype from, const struct slice *slice,
                      struct error *error)
{
  enum status status = row_new(out, &slice_kind, error);
  if (status) return status;
  struct row_op *row = (struct row_op *)*out;
  row->from = from;
  row->to = context->dtype;
  row->first = slice->first;
  row->count = shape_elements(slice->shape);
  return OK;
}

static void join_forward(const struct op *op, const struct op_run *run)
{
  const struct row_op *row = (const struct row_op *)op;
  for (int i = 0; i < 2; i++) memcpy((unsigned char *)run->y + (i ? row->bytes[0] : 0), run->x[i], row->bytes[i]);
}

static const struct op_kind join_kind = {.name = "row", .free = row_free, .forward = join_forward};

enum status row_join(struct op **out, const struct op_context *context, struct shape a, struct shape b,
                     struct error *error)
{
  enum status status = row_new(out, &join_kind, error);
  if (status) return status;
  struct row_op *row = (struct row_op *)*out;
  row->bytes[0] = shape_elements(a) * dtype_size(context->dtype);
  row->bytes[1] = shape_elements(b) * dtype_size(context->dtype);
  return OK;
}
