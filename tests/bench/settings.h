// What the programs that compare have in common: whom, how and where to, and how they begin and end.
#ifndef BENCH_SETTINGS_H
#define BENCH_SETTINGS_H

#include <stdbool.h>
#include <stddef.h>

#include "core/status.h"

enum side { OURS, TORCH, ONNXRUNTIME, SIDES };

struct settings {
  const char *programs[SIDES]; // --ours, --torch, --onnxruntime; NULL: not asked for
  const char *manifest;        // NULL: nothing is stored
  const char *isa;             // --isa: the instruction set that both sides may use at most; NULL: all there is
  int threads, rounds, seconds;
};

// An option of one program alone. One of the three is set.
struct option {
  const char *name;
  bool *flag; // takes no value
  const char **text;
  int *count; // from 1 to `most`
  int most;
};

// The command line over what `settings` and the options hold already; false if it has what there is not.
bool settings_parse(struct settings *settings, const struct option *more, size_t more_count, int argc, char **argv);

// Caps the instruction set of programs that are started from now on, but for onnxruntime, which has no such setting.
enum status settings_cap(const struct settings *settings, struct error *error);

// A neighbour on the same CPUs slows both sides, and not alike: says so on stdout.
void warn_of_load(void);

// The exit status of a program called `name`, with its message on stderr. Unwritten figures are a failure, too.
int settings_end(const char *name, enum status status, struct error *error);

#endif
