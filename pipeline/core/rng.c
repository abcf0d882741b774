#include "core/rng.h"

static uint64_t mixed(uint64_t x) // splitmix64's finaliser: every input bit reaches every output bit
{
  x += 0x9e3779b97f4a7c15u;
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
  x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
  return x ^ (x >> 31);
}

struct rng rng_at(uint64_t seed, enum rng_purpose purpose, uint64_t a, uint64_t b)
{
  uint64_t key = mixed(mixed(seed) ^ (uint64_t)purpose);
  // a and b share 96 bits of counter; b's upper half goes into the key, so that no pair (a, b) meets another.
  key ^= mixed(b >> 32) * (b >> 32 != 0);
  return (struct rng){
      .key = {(uint32_t)key, (uint32_t)(key >> 32)},
      .counter = {0, (uint32_t)b, (uint32_t)a, (uint32_t)(a >> 32)},
      .used = 4,
  };
}

void rng_block(const uint32_t key[2], const uint32_t counter[4], uint32_t out[4])
{
  uint32_t k0 = key[0], k1 = key[1];
  uint32_t c0 = counter[0], c1 = counter[1], c2 = counter[2], c3 = counter[3];
  for (int round = 0; round < 10; round++) {
    uint64_t p0 = (uint64_t)0xD2511F53u * c0, p1 = (uint64_t)0xCD9E8D57u * c2;
    c0 = (uint32_t)(p1 >> 32) ^ c1 ^ k0;
    c1 = (uint32_t)p1;
    c2 = (uint32_t)(p0 >> 32) ^ c3 ^ k1;
    c3 = (uint32_t)p0;
    k0 += 0x9E3779B9u;
    k1 += 0xBB67AE85u;
  }
  out[0] = c0, out[1] = c1, out[2] = c2, out[3] = c3;
}

uint32_t rng_bits(struct rng *rng)
{
  if (rng->used == 4) {
    rng_block(rng->key, rng->counter, rng->block);
    rng->counter[0]++;
    rng->used = 0;
  }
  return rng->block[rng->used++];
}

float rng_uniform(struct rng *rng, float low, float high)
{
  float unit = (float)(rng_bits(rng) >> 8) * 0x1p-24f;
  float value = low + (high - low) * unit;
  return value < high || low >= high ? value : low; // rounding may reach high, which is not in the interval
}

uint32_t rng_below(struct rng *rng, uint32_t n)
{
  uint32_t limit = -n % n; // 2^32 mod n: the draws below it would be one too many for some values
  for (;;) {
    uint64_t product = (uint64_t)rng_bits(rng) * n;
    if ((uint32_t)product >= limit) return (uint32_t)(product >> 32);
  }
}

void rng_shuffle(struct rng *rng, uint32_t *indices, size_t n)
{
  for (size_t i = n; i > 1; i--) {
    uint32_t j = rng_below(rng, (uint32_t)i), last = indices[i - 1];
    indices[i - 1] = indices[j];
    indices[j] = last;
  }
}
