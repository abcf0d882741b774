#include "data/feature_rows.h"

#include <math.h>
#include <string.h>

#include "engine/tensor.h"

static size_t groups_of(size_t count)
{
  return (count + FEATURE_GROUP - 1) / FEATURE_GROUP;
}

size_t feature_row_bytes(size_t count)
{
  return count + groups_of(count) * sizeof(float);
}

size_t feature_row_values(size_t bytes)
{
  size_t whole = FEATURE_GROUP + sizeof(float), rest = bytes % whole;
  if (rest && rest <= sizeof(float)) return 0;
  return bytes / whole * FEATURE_GROUP + (rest ? rest - sizeof(float) : 0);
}

static size_t group_size(size_t count, size_t first)
{
  return count - first < FEATURE_GROUP ? count - first : FEATURE_GROUP;
}

// Rounds to the nearest, halves to even, like every conversion here.
static void pack_group(const float *values, size_t count, uint8_t *row, float *scale)
{
  float most = 0;
  for (size_t i = 0; i < count; i++) most = fmaxf(most, values[i]);
  *scale = most / 255;
  // The least numbers of all have no scale that divides by them: they are zeros.
  float factor = isfinite(1 / *scale) ? 1 / *scale : 0;
  for (size_t i = 0; i < count; i++) row[i] = (uint8_t)fminf(nearbyintf(fmaxf(values[i], 0) * factor), 255);
}

void feature_row_pack(const float *values, size_t count, uint8_t *row)
{
  uint8_t *scales = row + count; // of any alignment
  for (size_t first = 0; first < count; first += FEATURE_GROUP, scales += sizeof(float)) {
    float scale = 0;
    pack_group(values + first, group_size(count, first), row + first, &scale);
    memcpy(scales, &scale, sizeof scale);
  }
}

void feature_row_unpack(const uint8_t *row, size_t count, uint16_t *values)
{
  const uint8_t *scales = row + count;
  for (size_t first = 0; first < count; first += FEATURE_GROUP, scales += sizeof(float)) {
    float scale;
    memcpy(&scale, scales, sizeof scale);
    size_t size = group_size(count, first);
    for (size_t i = 0; i < size; i++) values[first + i] = bf16_from_float((float)row[first + i] * scale);
  }
}
