// What the fuzz targets share. Each target hands arbitrary bytes to one reader of files from outside (make fuzz).
#ifndef TESTS_FUZZ_H
#define TESTS_FUZZ_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

// Readers open paths: the bytes as a file in memory, the same one for this process. Its name ends in `suffix`.
static inline const char *fuzz_file(const uint8_t *bytes, size_t size, const char *suffix)
{
  static char path[64];
  snprintf(path, sizeof path, "/dev/shm/fuzz-%d%s", (int)getpid(), suffix);
  FILE *file = fopen(path, "wb");
  if (!file || fwrite(bytes, 1, size, file) != size || fclose(file) != 0) {
    perror(path);
    abort();
  }
  return path;
}

#endif
