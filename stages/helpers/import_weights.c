// Reads a file of ResNet50's weights (Keras HDF5 or safetensors) and writes the project's own: see weights/import.h.
// The stage `weights` runs it as a process of its own, because libhdf5 is not to be trusted with a file from elsewhere:
// memory, time and files are limited here, and a crash is only this process's.
//
//   build/helpers/import_weights SOURCE TARGET.safetensors [--width 64] [--stride-on-3x3]
//
// Ends with 0, or with a status of core/status.h without its sign; the message is on stderr.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>

#include "weights/import.h"

#if defined __SANITIZE_ADDRESS__ || defined __SANITIZE_THREAD__
enum { LIMITED_MEMORY = 0 }; // a sanitizer's shadow takes terabytes of addresses
#else
enum { LIMITED_MEMORY = 1 };
#endif

static void limit(int what, rlim_t most)
{
  struct rlimit limits;
  if (getrlimit(what, &limits) < 0) return;
  if (limits.rlim_max != RLIM_INFINITY && limits.rlim_max < most) most = limits.rlim_max;
  limits = (struct rlimit){.rlim_cur = most, .rlim_max = most};
  (void)setrlimit(what, &limits); // a limit that is refused leaves the file's checks
}

static void lock_down(void)
{
  enum { MIB = 1 << 20 };
  if (LIMITED_MEMORY) limit(RLIMIT_AS, (rlim_t)2048 * MIB);
  limit(RLIMIT_CPU, 120);
  limit(RLIMIT_FSIZE, (rlim_t)512 * MIB);
  limit(RLIMIT_NOFILE, 32);
  limit(RLIMIT_CORE, 0);
  (void)prctl(PR_SET_PDEATHSIG, 9); // the stage's end is ours
  // What the environment may tell libhdf5: nothing. The file is only read; locks fail on some network file systems.
  unsetenv("HDF5_PLUGIN_PATH");
  unsetenv("HDF5_PLUGIN_PRELOAD");
  unsetenv("HDF5_DRIVER");
  setenv("HDF5_USE_FILE_LOCKING", "FALSE", 1);
}

static enum status read_arguments(struct import_options *options, int argc, char **argv, struct error *error)
{
  for (int i = 1; i < argc; i++) {
    if (!strcmp(argv[i], "--stride-on-3x3"))
      options->stride_on_3x3 = true;
    else if (!strcmp(argv[i], "--width") && i + 1 < argc)
      options->width = (int)strtol(argv[++i], NULL, 10);
    else if (!options->source)
      options->source = argv[i];
    else if (!options->target)
      options->target = argv[i];
    else
      return fail(error, BAD_USAGE, "unexpected argument %s", argv[i]);
  }
  if (!options->target)
    return fail(error, BAD_USAGE, "usage: import_weights SOURCE TARGET.safetensors [--width 64] [--stride-on-3x3]");
  if (options->width < 1 || options->width > 64)
    return fail(error, BAD_USAGE, "--width %d; allowed: 1 to 64", options->width);
  return OK;
}

int main(int argc, char **argv)
{
  struct import_options options = {.width = 64};
  struct error error = {0};
  enum status status = read_arguments(&options, argc, argv, &error);
  if (!status) {
    lock_down();
    status = import_weights(&options, &error);
  }
  if (status) fprintf(stderr, "%s\n", error.text);
  return -(int)status;
}
