// Makers of slice and row, the same in all tables: see ops.h.
#ifndef ENGINE_ROW_H
#define ENGINE_ROW_H

#include "engine/ops/ops.h"

enum status row_slice(struct op **out, const struct op_context *context, enum dtype from, const struct slice *slice,
                      struct error *error);
enum status row_join(struct op **out, const struct op_context *context, struct shape a, struct shape b,
                     struct error *error);

#endif
