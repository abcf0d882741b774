// A folder of its own for each test program: made by group set-up, removed with all that it holds by group tear-down.
//
//   return cmocka_run_group_tests(tests, folder_setup, folder_teardown);
#ifndef TESTS_FOLDER_H
#define TESTS_FOLDER_H

#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char folder[64];

static inline int folder_setup(void **state)
{
  (void)state;
  memcpy(folder, "/tmp/test-XXXXXX", sizeof "/tmp/test-XXXXXX");
  return mkdtemp(folder) ? 0 : -1;
}

static inline int folder_remove_one(const char *path, const struct stat *info, int kind, struct FTW *walk)
{
  (void)info, (void)kind, (void)walk;
  return remove(path);
}

static inline int folder_teardown(void **state)
{
  (void)state;
  return nftw(folder, folder_remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

// "FOLDER/NAME"; good until the eighth call after it.
static inline const char *in_folder(const char *name)
{
  static char paths[8][512];
  static int next;
  char *path = paths[next++ % 8];
  snprintf(path, sizeof paths[0], "%s/%s", folder, name);
  return path;
}

static inline const char *write_file(const char *name, const void *bytes, size_t size)
{
  const char *path = in_folder(name);
  FILE *file = fopen(path, "wb");
  if (!file || fwrite(bytes, 1, size, file) != size || fclose(file) != 0) abort();
  return path;
}

#endif
