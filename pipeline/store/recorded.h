// A file below $(WORK) that a row of the manifest names: tensors, imported weights. A row is not trusted more than a
// file: what we made lies in our folder.
#ifndef STORE_RECORDED_H
#define STORE_RECORDED_H

#include <stdint.h>

#include "core/status.h"

// OK if `path`, which is below `work`, is a plain file of `bytes` bytes directly in the folder `subfolder` there.
// BAD_DATA names what is wrong.
enum status recorded_file_check(const char *work, const char *subfolder, const char *path, uint64_t bytes,
                                struct error *error);

#endif
