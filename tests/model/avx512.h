// The AVX-512 instructions that engine/kernels uses, as plain C: so that a CPU without them can run the kernels written
// for them, slowly, and compare them with their references (make check-avx512). Included before a kernel's file; lanes
// are counted from the lowest. Follows the pseudo code of Intel's Intrinsics Guide.
#ifndef TESTS_MODEL_AVX512_H
#define TESTS_MODEL_AVX512_H

#include <immintrin.h>
#include <math.h>
#include <stdint.h>
#include <string.h>

#define MODEL static inline __attribute__((unused))

union lanes {
  __m512i i;
  __m512 f;
  __m512bh bf;
  __m256i half[2];
  __m128i quarter[4];
  uint8_t b[64];
  uint16_t w[32];
  int16_t sw[32];
  uint32_t d[16];
  uint64_t q[8];
  float s[16];
};

// One loop over lanes: `r` is the result, `a` and `b` the factors.
#define LANES_OF(type) (64 / sizeof(type))
#define BINARY(name, member, expression)                                                                               \
  MODEL __m512i model_##name(__m512i va, __m512i vb)                                                                   \
  {                                                                                                                    \
    union lanes a = {.i = va}, b = {.i = vb}, r = {.i = va};                                                           \
    for (size_t l = 0; l < LANES_OF(r.member[0]); l++) r.member[l] = expression;                                       \
    return r.i;                                                                                                        \
  }
#define COMPARE(name, member, mask, test)                                                                              \
  MODEL mask model_##name(__m512i va, __m512i vb)                                                                      \
  {                                                                                                                    \
    union lanes a = {.i = va}, b = {.i = vb};                                                                          \
    mask r = 0;                                                                                                        \
    for (size_t l = 0; l < LANES_OF(a.member[0]); l++) r |= (mask)((mask)(test) << l);                                 \
    return r;                                                                                                          \
  }

BINARY(or, q, a.q[l] | b.q[l])
BINARY(and, q, a.q[l] & b.q[l])
BINARY(xor, q, a.q[l] ^ b.q[l])
BINARY(mullo_epi16, w, (uint16_t)(a.w[l] * b.w[l]))
BINARY(mul_epu32, q, (a.q[l] & 0xffffffff) * (b.q[l] & 0xffffffff))
BINARY(add_epi8, b, (uint8_t)(a.b[l] + b.b[l]))
BINARY(max_epi16, sw, a.sw[l] > b.sw[l] ? a.sw[l] : b.sw[l])
BINARY(permutexvar_epi16, w, b.w[a.w[l] % 32])
BINARY(permutexvar_epi32, d, b.d[a.d[l] % 16])
BINARY(add_epi16, w, (uint16_t)(a.w[l] + b.w[l]))
BINARY(shuffle_epi8, b, b.b[l] & 0x80 ? 0 : a.b[l / 16 * 16 + b.b[l] % 16])
// Of each 16 bytes the lower or the upper half, elements of a and b in turns.
#define UNPACK(name, member, from) BINARY(name, member, (l % 2 ? b : a).member[UNPACKED(a.member[0], from)])
#define UNPACKED(element, from)                                                                                        \
  (l / (16 / sizeof(element)) * (16 / sizeof(element)) + l % (16 / sizeof(element)) / 2 + (from)*8 / sizeof(element))
UNPACK(unpacklo_epi16, w, 0)
UNPACK(unpackhi_epi16, w, 1)
UNPACK(unpacklo_epi32, d, 0)
UNPACK(unpackhi_epi32, d, 1)
UNPACK(unpacklo_epi64, q, 0)
UNPACK(unpackhi_epi64, q, 1)
COMPARE(cmpgt_epi16_mask, sw, __mmask32, a.sw[l] > b.sw[l])
COMPARE(cmplt_epu16_mask, w, __mmask32, a.w[l] < b.w[l])
COMPARE(cmpeq_epi8_mask, b, __mmask64, a.b[l] == b.b[l])
COMPARE(test_epi16_mask, w, __mmask32, (a.w[l] & b.w[l]) != 0)

MODEL __m512i model_permutex2var_epi16(__m512i va, __m512i order, __m512i vb)
{
  union lanes a = {.i = va}, at = {.i = order}, b = {.i = vb}, r;
  for (int l = 0; l < 32; l++) r.w[l] = (at.w[l] & 32 ? b : a).w[at.w[l] % 32];
  return r.i;
}
MODEL __m512 model_permutex2var_ps(__m512 va, __m512i order, __m512 vb)
{
  union lanes a = {.f = va}, at = {.i = order}, b = {.f = vb}, r;
  for (int l = 0; l < 16; l++) r.s[l] = (at.d[l] & 16 ? b : a).s[at.d[l] % 16];
  return r.f;
}
MODEL __m512i model_shuffle_i32x4(__m512i va, __m512i vb, int control)
{
  union lanes a = {.i = va}, b = {.i = vb}, r;
  for (int l = 0; l < 4; l++) r.quarter[l] = (l < 2 ? a : b).quarter[control >> 2 * l & 3];
  return r.i;
}
MODEL __m512i model_slli_epi32(__m512i v, unsigned count)
{
  union lanes a = {.i = v};
  for (int l = 0; l < 16; l++) a.d[l] <<= count;
  return a.i;
}
MODEL __m512i model_srai_epi16(__m512i v, unsigned count)
{
  union lanes a = {.i = v};
  for (int l = 0; l < 32; l++) a.sw[l] = (int16_t)(a.sw[l] >> count);
  return a.i;
}

// --- constants, loads, stores ----------------------------------------------------------------------------------------

MODEL __m512i model_set1_epi8(char x)
{
  union lanes r;
  memset(r.b, x, sizeof r);
  return r.i;
}
MODEL __m512i model_set1_epi16(short x)
{
  union lanes r;
  for (int l = 0; l < 32; l++) r.sw[l] = x;
  return r.i;
}
MODEL __m512i model_set1_epi32(int x)
{
  union lanes r;
  for (int l = 0; l < 16; l++) r.d[l] = (uint32_t)x;
  return r.i;
}
MODEL __m512i model_set1_epi64(long long x)
{
  union lanes r;
  for (int l = 0; l < 8; l++) r.q[l] = (uint64_t)x;
  return r.i;
}
MODEL __m512i model_set_epi16(const short from_the_highest[32])
{
  union lanes r;
  for (int l = 0; l < 32; l++) r.sw[l] = from_the_highest[31 - l];
  return r.i;
}
MODEL __m512i model_set_epi32(const int from_the_highest[16])
{
  union lanes r;
  for (int l = 0; l < 16; l++) r.d[l] = (uint32_t)from_the_highest[15 - l];
  return r.i;
}
MODEL __m512i model_broadcast_i32x4(__m128i v)
{
  union lanes r;
  for (int l = 0; l < 4; l++) r.quarter[l] = v;
  return r.i;
}
MODEL __m512i model_zeros(void)
{
  return model_set1_epi8(0);
}
MODEL __m512 model_zeros_ps(void)
{
  return (__m512)model_zeros();
}
MODEL __m512i model_castsi256_si512(__m256i v) // the upper half means nothing: here it is all ones
{
  union lanes r = {.i = model_set1_epi8(-1)};
  r.half[0] = v;
  return r.i;
}
MODEL __m512i model_inserti64x4(__m512i v, __m256i half, int which)
{
  union lanes r = {.i = v};
  r.half[which] = half;
  return r.i;
}
MODEL __m512i model_castsi128_si512(__m128i v)
{
  union lanes r = {.i = model_set1_epi8(-1)};
  r.quarter[0] = v;
  return r.i;
}
MODEL __m512i model_inserti32x4(__m512i v, __m128i quarter, int which)
{
  union lanes r = {.i = v};
  r.quarter[which] = quarter;
  return r.i;
}
MODEL __m512i model_load(const void *p)
{
  union lanes r;
  memcpy(&r, p, sizeof r);
  return r.i;
}
MODEL void model_store(void *p, __m512i v)
{
  memcpy(p, &v, sizeof v);
}
MODEL void model_store_aligned(void *p, __m512i v)
{
  if ((uintptr_t)p % sizeof v != 0) __builtin_trap();
  model_store(p, v);
}
MODEL __m512 model_load_ps(const void *p)
{
  return (__m512)model_load(p);
}
// Elements that the mask leaves out are not touched: they may lie outside of any memory.
MODEL union lanes model_load_some(uint64_t mask, const void *p, size_t size, size_t count)
{
  union lanes r = {.i = model_zeros()};
  for (size_t l = 0; l < count; l++)
    if (mask >> l & 1) memcpy(r.b + l * size, (const char *)p + l * size, size);
  return r;
}
MODEL void model_store_some(void *p, uint64_t mask, const void *v, size_t size, size_t count)
{
  for (size_t l = 0; l < count; l++)
    if (mask >> l & 1) memcpy((char *)p + l * size, (const char *)v + l * size, size);
}
MODEL __m512 model_maskz_loadu_ps(__mmask16 mask, const void *p)
{
  return model_load_some(mask, p, 4, 16).f;
}
MODEL __m512i model_mask_loadu_epi32(__m512i v, __mmask16 mask, const void *p)
{
  union lanes r = {.i = v}, there = model_load_some(mask, p, 4, 16);
  for (size_t l = 0; l < 16; l++)
    if (mask >> l & 1) r.d[l] = there.d[l];
  return r.i;
}
MODEL __m512i model_maskz_loadu_epi16(__mmask32 mask, const void *p)
{
  return model_load_some(mask, p, 2, 32).i;
}
MODEL __m512i model_maskz_loadu_epi8(__mmask64 mask, const void *p)
{
  return model_load_some(mask, p, 1, 64).i;
}
MODEL __m256i model_256_maskz_loadu_epi16(__mmask16 mask, const void *p)
{
  return model_load_some(mask, p, 2, 16).half[0];
}
MODEL __m256i model_256_maskz_loadu_epi8(__mmask32 mask, const void *p)
{
  return model_load_some(mask, p, 1, 32).half[0];
}
MODEL __m128i model_128_maskz_loadu_epi16(__mmask8 mask, const void *p)
{
  return model_load_some(mask, p, 2, 8).quarter[0];
}
MODEL __m128i model_128_maskz_loadu_epi8(__mmask16 mask, const void *p)
{
  return model_load_some(mask, p, 1, 16).quarter[0];
}
MODEL void model_mask_storeu_ps(void *p, __mmask16 mask, __m512 v)
{
  model_store_some(p, mask, &v, 4, 16);
}
MODEL void model_mask_storeu_epi32(void *p, __mmask16 mask, __m512i v)
{
  model_store_some(p, mask, &v, 4, 16);
}
MODEL void model_mask_storeu_epi16(void *p, __mmask32 mask, __m512i v)
{
  model_store_some(p, mask, &v, 2, 32);
}

// --- by masks --------------------------------------------------------------------------------------------------------

MODEL __m512i model_maskz_mov_epi16(__mmask32 mask, __m512i v)
{
  return model_load_some(mask, &v, 2, 32).i;
}
MODEL __m512i model_mask_set1_epi16(__m512i v, __mmask32 mask, short x)
{
  __m512i all = model_set1_epi16(x);
  model_store_some(&v, mask, &all, 2, 32);
  return v;
}
MODEL __m512i model_compress(uint64_t mask, __m512i v, size_t size, size_t count)
{
  union lanes from = {.i = v}, r = {.i = model_zeros()};
  size_t at = 0;
  for (size_t l = 0; l < count; l++)
    if (mask >> l & 1) memcpy(r.b + size * at++, from.b + size * l, size);
  return r.i;
}
MODEL __mmask16 model_128_cmpeq_epi8_mask(__m128i a, __m128i b)
{
  return (__mmask16)_mm_movemask_epi8(_mm_cmpeq_epi8(a, b));
}
MODEL __mmask32 model_256_cmpeq_epi8_mask(__m256i a, __m256i b)
{
  return (__mmask32)_mm256_movemask_epi8(_mm256_cmpeq_epi8(a, b));
}
MODEL __mmask32 model_256_movepi8_mask(__m256i v)
{
  return (__mmask32)_mm256_movemask_epi8(v);
}

// --- numbers ---------------------------------------------------------------------------------------------------------

MODEL __m512i model_cvtepu16_epi32(__m256i v)
{
  union lanes a, r;
  a.half[0] = v;
  for (int l = 0; l < 16; l++) r.d[l] = a.w[l];
  return r.i;
}
MODEL __m512i model_cvtepu8_epi32(__m128i v)
{
  union lanes a, r;
  a.quarter[0] = v;
  for (int l = 0; l < 16; l++) r.d[l] = a.b[l];
  return r.i;
}
MODEL __m512i model_cvtepi8_epi32(__m128i v)
{
  union lanes a, r;
  a.quarter[0] = v;
  for (int l = 0; l < 16; l++) r.d[l] = (uint32_t)(int8_t)a.b[l];
  return r.i;
}
MODEL __m128i model_cvtepi32_epi8(__m512i v)
{
  union lanes a = {.i = v}, r;
  for (int l = 0; l < 16; l++) r.b[l] = (uint8_t)a.d[l];
  return r.quarter[0];
}
MODEL __m256i model_cvtepi16_epi8(__m512i v)
{
  union lanes a = {.i = v}, r;
  for (int l = 0; l < 32; l++) r.b[l] = (uint8_t)a.w[l];
  return r.half[0];
}
MODEL __m512 model_max_ps(__m512 va, __m512 vb) // the second where they are equal, or either is no number
{
  union lanes a = {.f = va}, b = {.f = vb};
  for (int l = 0; l < 16; l++) a.s[l] = a.s[l] > b.s[l] ? a.s[l] : b.s[l];
  return a.f;
}
MODEL __m512 model_sqrt_ps(__m512 v)
{
  union lanes a = {.f = v};
  for (int l = 0; l < 16; l++) a.s[l] = sqrtf(a.s[l]);
  return a.f;
}
MODEL __mmask16 model_differ_ps(__m512 va, __m512 vb)
{
  union lanes a = {.f = va}, b = {.f = vb};
  unsigned r = 0;
  for (int l = 0; l < 16; l++) r |= (unsigned)(a.s[l] != b.s[l]) << l;
  return (__mmask16)r;
}
MODEL uint16_t model_bf16(float value) // to the nearest, ties to even
{
  uint32_t bits;
  memcpy(&bits, &value, sizeof bits);
  if ((bits & 0x7fffffff) > 0x7f800000) return (uint16_t)(bits >> 16 | 0x40);
  return (uint16_t)((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
}
MODEL float model_from_bf16(uint16_t half)
{
  uint32_t bits = (uint32_t)half << 16;
  float value;
  memcpy(&value, &bits, sizeof value);
  return value;
}
MODEL __m256i model_cvtneps_pbh(__m512 v)
{
  union lanes a = {.f = v}, r;
  for (int l = 0; l < 16; l++) r.w[l] = model_bf16(a.s[l]);
  return r.half[0];
}
MODEL __m512i model_cvtne2ps_pbh(__m512 upper, __m512 lower)
{
  union lanes r;
  r.half[0] = model_cvtneps_pbh(lower);
  r.half[1] = model_cvtneps_pbh(upper);
  return r.i;
}
MODEL __m512 model_dpbf16_ps(__m512 sum, __m512bh va, __m512bh vb)
{
  union lanes r = {.f = sum}, a = {.bf = va}, b = {.bf = vb};
  for (int l = 0; l < 16; l++)
    for (int half = 1; half >= 0; half--)
      r.s[l] += model_from_bf16(a.w[2 * l + half]) * model_from_bf16(b.w[2 * l + half]);
  return r.f;
}

#define _mm512_or_si512           model_or
#define _mm512_and_si512          model_and
#define _mm512_xor_si512          model_xor
#define _mm512_mullo_epi16        model_mullo_epi16
#define _mm512_mul_epu32          model_mul_epu32
#define _mm512_add_epi8           model_add_epi8
#define _mm512_max_epi16          model_max_epi16
#define _mm512_permutexvar_epi16  model_permutexvar_epi16
#define _mm512_permutexvar_epi32  model_permutexvar_epi32
#define _mm512_add_epi16          model_add_epi16
#define _mm512_shuffle_epi8       model_shuffle_epi8
#define _mm512_unpacklo_epi16     model_unpacklo_epi16
#define _mm512_unpackhi_epi16     model_unpackhi_epi16
#define _mm512_unpacklo_epi32     model_unpacklo_epi32
#define _mm512_unpackhi_epi32     model_unpackhi_epi32
#define _mm512_unpacklo_epi64     model_unpacklo_epi64
#define _mm512_unpackhi_epi64     model_unpackhi_epi64
#define _mm512_cmpgt_epi16_mask   model_cmpgt_epi16_mask
#define _mm512_cmplt_epu16_mask   model_cmplt_epu16_mask
#define _mm512_cmpeq_epi8_mask    model_cmpeq_epi8_mask
#define _mm512_test_epi16_mask    model_test_epi16_mask
#define _mm512_permutex2var_epi16 model_permutex2var_epi16
#define _mm512_permutex2var_ps    model_permutex2var_ps
#undef _mm512_shuffle_i32x4
#define _mm512_shuffle_i32x4   model_shuffle_i32x4
#define _mm512_slli_epi32      model_slli_epi32
#define _mm512_srai_epi16      model_srai_epi16
#define _mm512_set1_epi8       model_set1_epi8
#define _mm512_set1_epi16      model_set1_epi16
#define _mm512_set1_epi32      model_set1_epi32
#define _mm512_set1_epi64      model_set1_epi64
#define _mm512_set_epi16(...)  model_set_epi16((short[32]){__VA_ARGS__})
#define _mm512_set_epi32(...)  model_set_epi32((int[16]){__VA_ARGS__})
#define _mm512_broadcast_i32x4 model_broadcast_i32x4
#define _mm512_setzero_si512   model_zeros
#define _mm512_setzero_ps      model_zeros_ps
#define _mm512_castsi256_si512 model_castsi256_si512
#undef _mm512_inserti64x4
#define _mm512_inserti64x4     model_inserti64x4
#define _mm512_castsi128_si512 model_castsi128_si512
#undef _mm512_inserti32x4
#define _mm512_inserti32x4                   model_inserti32x4
#define _mm512_mask_loadu_epi32              model_mask_loadu_epi32
#define _mm512_store_si512                   model_store_aligned
#define _mm512_loadu_si512                   model_load
#define _mm512_storeu_si512                  model_store
#define _mm512_loadu_ps                      model_load_ps
#define _mm512_storeu_ps(p, v)               model_store(p, (__m512i)(v))
#define _mm512_maskz_loadu_ps                model_maskz_loadu_ps
#define _mm512_maskz_loadu_epi16             model_maskz_loadu_epi16
#define _mm512_maskz_loadu_epi8              model_maskz_loadu_epi8
#define _mm256_maskz_loadu_epi16             model_256_maskz_loadu_epi16
#define _mm256_maskz_loadu_epi8              model_256_maskz_loadu_epi8
#define _mm_maskz_loadu_epi16                model_128_maskz_loadu_epi16
#define _mm_maskz_loadu_epi8                 model_128_maskz_loadu_epi8
#define _mm512_mask_storeu_ps                model_mask_storeu_ps
#define _mm512_mask_storeu_epi32             model_mask_storeu_epi32
#define _mm512_mask_storeu_epi16             model_mask_storeu_epi16
#define _mm512_maskz_mov_epi16               model_maskz_mov_epi16
#define _mm512_mask_set1_epi16               model_mask_set1_epi16
#define _mm512_maskz_compress_epi8(mask, v)  model_compress(mask, v, 1, 64)
#define _mm512_maskz_compress_epi16(mask, v) model_compress(mask, v, 2, 32)
#define _mm512_maskz_compress_epi32(mask, v) model_compress(mask, v, 4, 16)
#define _mm_cmpeq_epi8_mask                  model_128_cmpeq_epi8_mask
#define _mm256_cmpeq_epi8_mask               model_256_cmpeq_epi8_mask
#define _mm256_movepi8_mask                  model_256_movepi8_mask
#define _mm512_cvtepu16_epi32                model_cvtepu16_epi32
#define _mm512_cvtepu8_epi32                 model_cvtepu8_epi32
#define _mm512_cvtepi8_epi32                 model_cvtepi8_epi32
#define _mm512_cvtepi32_epi8                 model_cvtepi32_epi8
#define _mm512_cvtepi16_epi8                 model_cvtepi16_epi8
#define _mm512_max_ps                        model_max_ps
#define _mm512_sqrt_ps                       model_sqrt_ps
#undef _mm512_cmp_ps_mask
#define _mm512_cmp_ps_mask(a, b, how) ((void)sizeof(char[(how) == _CMP_NEQ_UQ ? 1 : -1]), model_differ_ps(a, b))
#define _mm512_cvtneps_pbh            model_cvtneps_pbh
#define _mm512_cvtne2ps_pbh           model_cvtne2ps_pbh
#define _mm512_dpbf16_ps              model_dpbf16_ps

#endif
