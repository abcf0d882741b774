// The table of the plain versions (reference_*.c).
#include <stdlib.h>

#include "core/mem.h"
#include "engine/ops/int8.h"
#include "engine/ops/reference.h"
#include "engine/ops/row.h"

enum status reference_op_new(struct op **out, size_t size, const struct op_kind *kind, struct error *error)
{
  enum status status = mem_zeroed((void **)out, 1, size, kind->name, error);
  if (status) return status;
  (*out)->kind = kind;
  (*out)->implementation = "reference";
  return OK;
}

void reference_free(struct op *op)
{
  free(op);
}

const struct ops ops_reference = {.name = "reference",
                                  .rescale = reference_rescale,
                                  .conv = reference_conv,
                                  .depthwise = reference_depthwise,
                                  .conv_int8 = reference_conv_int8,
                                  .quantise = int8_quantise,
                                  .preprocess = reference_preprocess,
                                  .slice = row_slice,
                                  .row = row_join,
                                  .relu = reference_relu,
                                  .norm = reference_norm,
                                  .max_pool = reference_max_pool,
                                  .add = reference_add,
                                  .dropout = reference_dropout,
                                  .dense = reference_dense};
