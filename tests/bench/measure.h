// Runs a measuring program to its end and takes down what it printed (ours.h has the lines) and the memory it took.
#ifndef BENCH_MEASURE_H
#define BENCH_MEASURE_H

#include <stdbool.h>
#include <stddef.h>

#include "core/status.h"

enum { NAME_LIMIT = 64, EXIT_MISSING = 77 };

struct figure {
  char task[96], unit[24], peer[NAME_LIMIT]; // peer "": none
  double value, peer_value;
};

struct measured {
  bool missing; // the program said that what it needs is not here
  char name[NAME_LIMIT];
  double images_per_second, peak_mib;
  struct figure *figures;
  size_t figure_count, figure_capacity;
};

// arguments[0] is the program, a path or a name in PATH; NULL ends them. BAD_DATA for a line that cannot be understood,
// FAILED for a program that ends in any way but 0 and 77, or prints neither a rate nor figures. Release in any case.
enum status measure(const char *const *arguments, struct measured *out, struct error *error);

// A measurement as the programs of this folder and their peers understand it.
struct conditions {
  const char *task, *precision;
  int threads, batch, seconds;
  const char *more; // a further option; NULL: none
};

// `PROGRAM TASK --precision P --threads N --batch N --seconds S [MORE]`, in an environment for as many threads.
enum status measure_under(const char *program, const struct conditions *under, struct measured *out,
                          struct error *error);

void measured_release(struct measured *measured);

#endif
