// Running another program of ours and waiting for it.
#ifndef CORE_CHILD_H
#define CORE_CHILD_H

#include <stdbool.h>

#include "core/files.h"
#include "core/status.h"

struct child_result {
  int code, signal;    // what it ended with; signal is 0 unless one ended it
  char messages[1024]; // the first that it wrote to stderr, without line ends at its end
};

// Starts arguments[0] (a path; the list ends with NULL) without a shell, with stdin and stdout at /dev/null, stderr
// kept, no other descriptor of ours, and signals as any program expects them; waits for its end. `stop` (may be NULL)
// is asked several times a second: once it says true, the program is killed, and INTERRUPTED returned.
enum status child_run(const char *const *arguments, bool (*stop)(void *), void *self, struct child_result *result,
                      struct error *error);

// "FOLDER/NAME", where FOLDER is beside the one that the running program is in: build/stages/weights finds
// build/helpers/NAME by child_path(out, "helpers", "NAME").
enum status child_path(char out[PATH_LIMIT], const char *folder, const char *name, struct error *error);

#endif
