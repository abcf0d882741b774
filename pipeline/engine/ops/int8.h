// Numbers as bytes, for convolutions that do not train (spec: ops.h, struct conv_int8_spec).
//
// Weights are of 7 bits, from -64 to 64 times a scale of each filter: CPUs without VNNI add two products of a byte and
// a weight in 16 bits, and 2 * 255 * 64 fits there. So the sums are exact on every CPU, and the same.
#ifndef ENGINE_INT8_H
#define ENGINE_INT8_H

#include <math.h>

#include "engine/ops/ops.h"

enum { INT8_WEIGHT_LIMIT = 64 };

// The least and largest byte of a map.
static inline float int8_least(enum dtype dtype)
{
  return dtype == DTYPE_S8 ? -128 : 0;
}

static inline float int8_largest(enum dtype dtype)
{
  return dtype == DTYPE_S8 ? 127 : 255;
}

// The byte for `number`, in units of the map's scale: to nearest, halves to even.
static inline int int8_round(float number, enum dtype dtype)
{
  float least = int8_least(dtype), largest = int8_largest(dtype);
  return (int)lrintf(number > least ? (number < largest ? number : largest) : least);
}

// Weights as the convolution needs them: y / y.scale = (sum x * kernel + bias) * factor + added.
struct int8_weights {
  float *folded;  // [k, k, C, F]: scratch
  int8_t *kernel; // [k, k, C, F]
  float *bias;    // [F]
  float *factor;  // [F]
};

// Memory for a spec's weights, and its end. `folded` is needed by int8_pack alone.
enum status int8_weights_new(struct int8_weights *out, const struct conv_int8_spec *spec, struct error *error);
void int8_weights_free(struct int8_weights *weights);
size_t int8_weights_bytes(const struct conv_int8_spec *spec);

// From the parameters of conv_int8. Whether they are finite; if not, `weights` is half done.
bool int8_pack(struct int8_weights *weights, const struct conv_int8_spec *spec, float *const values[OP_PARAMETERS]);

// The maker `quantise` of all tables.
enum status int8_quantise(struct op **out, const struct op_context *context, struct shape shape, struct byte_map y,
                          struct error *error);

#endif
