// A progress bar with rate and time to go on stderr when it is a terminal (NO_COLOR and TERM=dumb honoured, resized
// with the window); nothing but a line a step otherwise. Thread safe: progress_add may be called from an OpenMP team.
//
//   resize  [=========>          ]  48%  4,176/8,700  2,310 images/s  ETA 0:02
#ifndef CORE_PROGRESS_H
#define CORE_PROGRESS_H

#include <stdbool.h>
#include <stdint.h>

struct progress {
  const char *label, *unit;
  uint64_t total, done;
  double started, drawn; // seconds of CLOCK_MONOTONIC
  bool bar;              // stderr can show one and it is wanted
  int width;             // columns of what stands there, to be wiped
};

// Seconds of a clock that only goes forward.
double clock_seconds(void);

void progress_start(struct progress *progress, const char *label, const char *unit, uint64_t total, bool quiet);
void progress_add(struct progress *progress, uint64_t count);
void progress_clear(struct progress *progress); // before another line is printed; drawn again by the next add
void progress_stop(struct progress *progress);  // removes the bar
double progress_seconds(const struct progress *progress);

// The bar's text as it would stand after `done` in `seconds`, cut to size - 1 columns.
void progress_line(const struct progress *progress, uint64_t done, double seconds, char *out, int size);

#endif
