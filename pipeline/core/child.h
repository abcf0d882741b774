// Running another program.
#ifndef CORE_CHILD_H
#define CORE_CHILD_H

#include <spawn.h>
#include <stdbool.h>
#include <sys/types.h>

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

// Starts a program and does not wait for it: arguments[0], looked for in PATH if it has no slash, with `actions` done
// to its descriptors and signals as any program expects them. 0, or the errno that says why not.
int child_spawn(pid_t *child, const posix_spawn_file_actions_t *actions, const char *const *arguments);

// "FOLDER/NAME", where FOLDER is beside the one that the running program is in: build/stages/weights finds
// build/helpers/NAME by child_path(out, "helpers", "NAME").
enum status child_path(char out[PATH_LIMIT], const char *folder, const char *name, struct error *error);

#endif
