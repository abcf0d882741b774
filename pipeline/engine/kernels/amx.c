#include "engine/kernels/amx.h"

#ifdef __x86_64__
#include <cpuid.h>
#include <sys/syscall.h>
#include <unistd.h>

enum {
  FEATURE_LEAF = 7,
  AMX_BF16 = 1 << 22, // of its edx
  AMX_TILE = 1 << 24,
  TILE_LEAF = 0x1d,
  TILES = 8,
  TILE_ROWS = 16,
  TILE_ROW_BYTES = 64,
  ARCH_REQ_XCOMP_PERM = 0x1023, // asm/prctl.h of Linux 5.16
  XFEATURE_XTILEDATA = 18
};

static bool has_tiles(void)
{
  unsigned eax = 0, ebx = 0, ecx = 0, edx = 0;
  if (!__get_cpuid_count(FEATURE_LEAF, 0, &eax, &ebx, &ecx, &edx)) return false;
  if (!(edx & AMX_BF16) || !(edx & AMX_TILE)) return false;
  if (!__get_cpuid_count(TILE_LEAF, 1, &eax, &ebx, &ecx, &edx)) return false; // palette 1
  return (ebx & 0xffff) >= TILE_ROW_BYTES && ebx >> 16 >= TILES && (ecx & 0xffff) >= TILE_ROWS;
}

bool amx_usable(void)
{
  return has_tiles() && syscall(SYS_arch_prctl, ARCH_REQ_XCOMP_PERM, XFEATURE_XTILEDATA) == 0;
}
#else
bool amx_usable(void)
{
  return false;
}
#endif
