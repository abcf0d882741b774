// Learning rate by step: linear warm-up from 0, then constant, cosine (Loshchilov and Hutter, 2017) down to
// final_lr, or steps.
#ifndef ENGINE_SCHEDULE_H
#define ENGINE_SCHEDULE_H

#include <stdint.h>

enum schedule_kind { SCHEDULE_CONSTANT, SCHEDULE_COSINE, SCHEDULE_STEP };

struct schedule {
  enum schedule_kind kind;
  float lr, final_lr;  // cosine ends at final_lr
  int epochs;          // in which cosine reaches its end
  float warmup_epochs; // 0.1: a tenth of the steps of the first epoch
  int step_epochs;     // SCHEDULE_STEP: every so many epochs ...
  float step_factor;   // ... lr is multiplied by this
};

// The rate of step `step` (from 0) where an epoch has `steps_per_epoch` steps.
float schedule_lr(const struct schedule *schedule, uint64_t step, uint64_t steps_per_epoch);

#endif
