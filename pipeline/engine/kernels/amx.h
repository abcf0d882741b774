// Whether this process may use AMX's tiles for bf16.
#ifndef ENGINE_KERNELS_AMX_H
#define ENGINE_KERNELS_AMX_H

#include <stdbool.h>

// Asks the CPU (some virtual machines announce tiles that they do not have) and Linux, which gives tiles to a process
// only on request: for all its threads, and for good.
bool amx_usable(void);

#endif
