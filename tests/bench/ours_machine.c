// The roofs: multiply-adds in registers, reads from each level of memory. No framework's figure, only what this machine
// gives a loop that does nothing else. Each thread takes the best of many short tries, all at the same time, so that a
// neighbour who takes the CPU now and then does not lower the roof.
#include <omp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/mem.h"
#include "core/progress.h"
#include "ours.h"

#ifdef __x86_64__
#include <immintrin.h>
#endif

enum { TURNS = 1 << 17, TRIES = 60 };

// Ten independent sums hide the latency of two units. The empty assembly keeps each in a register and the compiler from
// summing up beforehand. Each function returns the operations that it did.
#define TEN(DO) DO(0) DO(1) DO(2) DO(3) DO(4) DO(5) DO(6) DO(7) DO(8) DO(9)
#define KEEP(i) __asm__ volatile("" : "+" REGISTER(sum##i));
#define LOOP(type, lanes)                                                                                              \
  TEN(START)                                                                                                           \
  for (int turn = 0; turn < TURNS; turn++) {                                                                           \
    TEN(STEP)                                                                                                          \
    TEN(KEEP)                                                                                                          \
  }                                                                                                                    \
  return 2.0 * (lanes)*10 * TURNS

typedef float four __attribute__((vector_size(16)));

#ifdef __x86_64__
#define REGISTER "x"
#else
#define REGISTER "w"
#endif
#define START(i) four sum##i = {0};
#define STEP(i)  sum##i += x * y;
static double multiply_add_generic(void)
{
  four x = {1, 1, 1, 1}, y = {1e-9f, 1e-9f, 1e-9f, 1e-9f};
  __asm__ volatile("" : "+" REGISTER(x), "+" REGISTER(y));
  LOOP(four, 4);
}
#undef STEP
#undef START
#undef REGISTER

#ifdef __x86_64__
#define REGISTER "v"
#define START(i) __m256 sum##i = _mm256_setzero_ps();
#define STEP(i)  sum##i = _mm256_fmadd_ps(x, y, sum##i);
__attribute__((target("avx2,fma"))) static double multiply_add_avx2(void)
{
  __m256 x = _mm256_set1_ps(1), y = _mm256_set1_ps(1e-9f);
  LOOP(__m256, 8);
}
#undef STEP
#undef START

#define START(i) __m512 sum##i = _mm512_setzero_ps();
#define STEP(i)  sum##i = _mm512_fmadd_ps(x, y, sum##i);
__attribute__((target("avx512f"))) static double multiply_add_avx512(void)
{
  __m512 x = _mm512_set1_ps(1), y = _mm512_set1_ps(1e-9f);
  LOOP(__m512, 16);
}
#undef STEP

#define STEP(i) sum##i = _mm512_dpbf16_ps(sum##i, x, x);
__attribute__((target("avx512f,avx512bf16"))) static double multiply_add_bf16(void)
{
  __m512 ones = _mm512_set1_ps(1);
  __m512bh x = _mm512_cvtne2ps_pbh(ones, ones);
  LOOP(__m512, 32);
}
#undef STEP
#undef START
#endif

double machine_flops(enum net_precision precision, int threads)
{
  double (*loop)(void) = multiply_add_generic;
#ifdef __x86_64__
  if (strstr(net_isa(), "avx2")) loop = multiply_add_avx2;
  if (strstr(net_isa(), "avx512")) loop = precision == NET_BF16 ? multiply_add_bf16 : multiply_add_avx512;
#else
  (void)precision;
#endif
  double sum = 0;
#pragma omp parallel num_threads(threads) reduction(+ : sum)
  {
    double best = 0;
    for (int try = 0; try < TRIES; try++) {
      double start = clock_seconds(), rate = loop() / (clock_seconds() - start);
      if (rate > best) best = rate;
    }
    sum += best;
  }
  return sum;
}

// Sums the words of `bytes` bytes, a multiple of 256.
#define READ                                                                                                           \
  {                                                                                                                    \
    words a = {0}, b = {0}, c = {0}, d = {0};                                                                          \
    const words *from = data, *end = from + bytes / sizeof(words);                                                     \
    for (; from < end; from += 4) a += from[0], b += from[1], c += from[2], d += from[3];                              \
    a += b + c + d;                                                                                                    \
    __asm__ volatile("" : : "m"(a));                                                                                   \
  }

static void read_generic(const void *data, size_t bytes)
{
  typedef uint64_t words __attribute__((vector_size(16), may_alias));
  READ
}

#ifdef __x86_64__
__attribute__((target("avx2"))) static void read_avx2(const void *data, size_t bytes)
{
  typedef uint64_t words __attribute__((vector_size(32), may_alias));
  READ
}

__attribute__((target("avx512f"))) static void read_avx512(const void *data, size_t bytes)
{
  typedef uint64_t words __attribute__((vector_size(64), may_alias));
  READ
}
#endif

static void (*reader(void))(const void *data, size_t bytes)
{
#ifdef __x86_64__
  if (strstr(net_isa(), "avx512")) return read_avx512;
  if (strstr(net_isa(), "avx2")) return read_avx2;
#endif
  return read_generic;
}

double machine_bandwidth(size_t bytes, int threads)
{
  void (*read)(const void *data, size_t bytes) = reader();
  unsigned char *data = NULL;
  if (mem_aligned((void **)&data, bytes, (size_t)threads, "data to read", NULL)) return 0;
  memset(data, 1, bytes * (size_t)threads);
  int turns = (int)(((size_t)4 << 20) / bytes) + 1; // a try reads 4 MiB or more: long beside the clock's own time
  int tries = bytes > ((size_t)16 << 20) ? 8 : TRIES;
  double sum = 0;
#pragma omp parallel num_threads(threads) reduction(+ : sum)
  {
    const unsigned char *own = data + bytes * (size_t)omp_get_thread_num();
    double best = 0;
    for (int try = 0; try < tries; try++) {
      double start = clock_seconds();
      for (int turn = 0; turn < turns; turn++) read(own, bytes);
      double rate = (double)bytes * turns / (clock_seconds() - start);
      if (rate > best) best = rate;
    }
    sum += best;
  }
  free(data);
  return sum;
}

enum status ours_machine(const struct ours *ours, struct error *error)
{
  (void)error;
  static const struct {
    const char *name;
    size_t bytes;
  } levels[] = {{"256 KiB a thread", 256 << 10}, {"4 MiB a thread", 4 << 20}, {"64 MiB a thread", 64 << 20}};
  printf("row=machine multiply-add|%.1f|GFLOP/s||\n", machine_flops(ours->precision, ours->threads) * 1e-9);
  if (ours->precision == NET_BF16) return OK;
  for (size_t i = 0; i < sizeof levels / sizeof *levels; i++)
    printf("row=machine read, %s|%.1f|GB/s||\n", levels[i].name,
           machine_bandwidth(levels[i].bytes, ours->threads) * 1e-9);
  return OK;
}
