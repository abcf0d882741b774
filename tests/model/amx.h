// AMX's tiles as plain C, as avx512.h has AVX-512: what a tile's shape forbids ends the program.
#ifndef TESTS_MODEL_AMX_H
#define TESTS_MODEL_AMX_H

#include "avx512.h"

#include <stdlib.h>

struct model_tiles {
  uint8_t palette;
  uint16_t row_bytes[8];
  uint8_t rows[8];
  unsigned char data[8][16][64];
};
static _Thread_local struct model_tiles model_tiles;

MODEL void model_must(int holds)
{
  if (!holds) abort(); // the CPU would raise an exception
}

MODEL void model_tile_loadconfig(const void *memory)
{
  const unsigned char *config = (const unsigned char *)memory;
  struct model_tiles *t = &model_tiles;
  memset(t, 0, sizeof *t);
  t->palette = config[0];
  model_must(t->palette == 1);
  for (int i = 1; i < 16; i++) model_must(config[i] == 0);
  for (int i = 0; i < 16; i++) {
    const unsigned row_bytes = config[16 + 2 * i] + 256u * config[17 + 2 * i], rows = config[48 + i];
    model_must(i < 8 ? row_bytes <= 64 && rows <= 16 && !row_bytes == !rows : row_bytes == 0 && rows == 0);
    if (i < 8) t->row_bytes[i] = (uint16_t)row_bytes, t->rows[i] = (uint8_t)rows;
  }
}
MODEL void model_tile_storeconfig(void *memory)
{
  unsigned char *config = (unsigned char *)memory;
  const struct model_tiles *t = &model_tiles;
  memset(config, 0, 64);
  config[0] = t->palette;
  for (int i = 0; i < 8; i++) {
    config[16 + 2 * i] = (unsigned char)t->row_bytes[i];
    config[48 + i] = t->rows[i];
  }
}
MODEL void model_tile_zero(int tile)
{
  struct model_tiles *t = &model_tiles;
  model_must(t->palette == 1 && t->rows[tile] > 0);
  memset(t->data[tile], 0, sizeof t->data[tile]);
}
MODEL void model_tile_loadd(int tile, const void *base, size_t stride)
{
  struct model_tiles *t = &model_tiles;
  model_must(t->palette == 1 && t->rows[tile] > 0);
  memset(t->data[tile], 0, sizeof t->data[tile]);
  for (size_t row = 0; row < t->rows[tile]; row++)
    memcpy(t->data[tile][row], (const char *)base + row * stride, t->row_bytes[tile]);
}
MODEL void model_tile_stored(int tile, void *base, size_t stride)
{
  const struct model_tiles *t = &model_tiles;
  model_must(t->palette == 1 && t->rows[tile] > 0);
  for (size_t row = 0; row < t->rows[tile]; row++)
    memcpy((char *)base + row * stride, t->data[tile][row], t->row_bytes[tile]);
}
MODEL void model_tile_dpbf16ps(int sum, int left, int right)
{
  struct model_tiles *t = &model_tiles;
  model_must(t->palette == 1 && sum != left && sum != right && left != right);
  model_must(t->rows[left] == t->rows[sum] && t->row_bytes[right] == t->row_bytes[sum]);
  model_must(t->row_bytes[left] / 4 == t->rows[right]);
  for (size_t m = 0; m < t->rows[sum]; m++)
    for (size_t n = 0; n < t->row_bytes[sum] / 4u; n++) {
      float total;
      memcpy(&total, t->data[sum][m] + 4 * n, sizeof total);
      for (size_t k = 0; k < t->row_bytes[left] / 4u; k++) {
        uint16_t a[2], b[2];
        memcpy(a, t->data[left][m] + 4 * k, sizeof a);
        memcpy(b, t->data[right][k] + 4 * n, sizeof b);
        for (int half = 0; half < 2; half++) total += model_from_bf16(a[half]) * model_from_bf16(b[half]);
      }
      memcpy(t->data[sum][m] + 4 * n, &total, sizeof total);
    }
}

#undef _tile_zero
#undef _tile_loadd
#undef _tile_stored
#undef _tile_dpbf16ps
#define _tile_loadconfig  model_tile_loadconfig
#define _tile_storeconfig model_tile_storeconfig
#define _tile_zero        model_tile_zero
#define _tile_loadd       model_tile_loadd
#define _tile_stored      model_tile_stored
#define _tile_dpbf16ps    model_tile_dpbf16ps

#endif
