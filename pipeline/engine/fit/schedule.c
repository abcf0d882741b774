#include "engine/fit/schedule.h"

#include <math.h>

static double after_warmup(const struct schedule *schedule, double epoch)
{
  double lr = (double)schedule->lr, final_lr = (double)schedule->final_lr;
  switch (schedule->kind) {
  case SCHEDULE_CONSTANT:
    return lr;
  case SCHEDULE_COSINE: {
    double warmup = (double)schedule->warmup_epochs, span = schedule->epochs - warmup;
    double part = span > 0 ? fmin(fmax((epoch - warmup) / span, 0), 1) : 1;
    return final_lr + (lr - final_lr) * (1 + cos(3.14159265358979323846 * part)) / 2;
  }
  case SCHEDULE_STEP:
    if (schedule->step_epochs < 1) return lr;
    return lr * pow((double)schedule->step_factor, floor(epoch / schedule->step_epochs));
  }
  return lr;
}

float schedule_lr(const struct schedule *schedule, uint64_t step, uint64_t steps_per_epoch)
{
  if (steps_per_epoch == 0) return schedule->lr;
  double warmup_epochs = fmax((double)schedule->warmup_epochs, 0);
  uint64_t warmup = (uint64_t)(warmup_epochs * (double)steps_per_epoch + 0.5);
  // The first step already learns: step s of w warm-up steps has (s + 1) / w of the rate.
  if (step < warmup) return (float)((double)schedule->lr * (double)(step + 1) / (double)warmup);
  return (float)after_warmup(schedule, (double)step / (double)steps_per_epoch);
}
