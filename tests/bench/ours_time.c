// Time of steps: of training or of inference.
#include <stdio.h>
#include <stdlib.h>

#include "core/mem.h"
#include "core/progress.h"
#include "median.h"
#include "ours.h"

enum { STEPS_LIMIT = 1 << 16, WARM_UP = 2, FEWEST_STEPS = 3 };

enum status ours_time(const struct ours *ours, enum status (*step)(void *self, uint64_t number, struct error *error),
                      void *self, struct error *error)
{
  double *took = NULL, begun = 0;
  size_t count = 0;
  enum status status = mem_zeroed((void **)&took, STEPS_LIMIT, sizeof *took, "times", error);
  for (uint64_t number = 1; !status && count < STEPS_LIMIT; number++) {
    double start = clock_seconds();
    if (number == WARM_UP + 1) begun = start;
    if (number > WARM_UP && count >= FEWEST_STEPS && start - begun > ours->seconds) break;
    status = step(self, number, error);
    if (number > WARM_UP) took[count++] = clock_seconds() - start;
  }
  if (!status) printf("images_per_second=%.2f\n", ours->batch / median(took, count));
  free(took);
  return status;
}
