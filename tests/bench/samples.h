// What one program has reached in one measurement, round after round.
#ifndef BENCH_SAMPLES_H
#define BENCH_SAMPLES_H

#include <stddef.h>

#include "core/status.h"
#include "measure.h"

enum { ROUNDS_LIMIT = 99 };

struct samples {                                   // zeroed: none yet
  char name[NAME_LIMIT];                           // as the program says it
  double rates[ROUNDS_LIMIT], peaks[ROUNDS_LIMIT]; // images/s, MiB
  size_t count;
};

// Measures once more. Where what the program needs is not here, there is one sample less and no error.
enum status samples_take(struct samples *samples, const char *program, const struct conditions *under,
                         struct error *error);

// The medians; 0 of none.
double samples_rate(const struct samples *samples);
double samples_peak(const struct samples *samples);

#endif
