#include "core/child.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

int child_spawn(pid_t *child, const posix_spawn_file_actions_t *actions, const char *const *arguments)
{
  posix_spawnattr_t attributes;
  sigset_t all, none;
  sigfillset(&all);
  sigemptyset(&none);
  int failed = posix_spawnattr_init(&attributes);
  if (failed) return failed;
  failed = posix_spawnattr_setsigdefault(&attributes, &all);
  if (!failed) failed = posix_spawnattr_setsigmask(&attributes, &none);
  if (!failed) failed = posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK);
  if (!failed) failed = posix_spawnp(child, arguments[0], actions, &attributes, (char *const *)arguments, environ);
  posix_spawnattr_destroy(&attributes);
  return failed;
}

static int spawn(pid_t *child, const char *const *arguments, int messages)
{
  posix_spawn_file_actions_t actions;
  int failed = posix_spawn_file_actions_init(&actions);
  if (failed) return failed;
  failed = posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
  if (!failed) failed = posix_spawn_file_actions_addopen(&actions, 1, "/dev/null", O_WRONLY, 0);
  if (!failed) failed = posix_spawn_file_actions_adddup2(&actions, messages, 2);
  if (!failed) failed = posix_spawn_file_actions_addclosefrom_np(&actions, 3);
  if (!failed) failed = child_spawn(child, &actions, arguments);
  posix_spawn_file_actions_destroy(&actions);
  return failed;
}

// Reads until the program closes its end; what does not fit is read and dropped. False if it was to stop.
static bool collect(int fd, bool (*stop)(void *), void *self, char *out, size_t size)
{
  size_t used = 0;
  for (;;) {
    if (stop && stop(self)) return false;
    struct pollfd waiting = {.fd = fd, .events = POLLIN};
    int ready = poll(&waiting, 1, 100);
    if (ready == 0 || (ready < 0 && errno == EINTR)) continue;
    char block[512];
    ssize_t got = ready < 0 ? -1 : read(fd, block, sizeof block);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) break;
    size_t room = size - 1 - used, take = (size_t)got < room ? (size_t)got : room;
    memcpy(out + used, block, take);
    used += take;
  }
  while (used > 0 && (out[used - 1] == '\n' || out[used - 1] == '\r')) used--;
  out[used] = '\0';
  return true;
}

enum status child_run(const char *const *arguments, bool (*stop)(void *), void *self, struct child_result *result,
                      struct error *error)
{
  int ends[2], ended = 0;
  pid_t child = 0;
  *result = (struct child_result){0};
  if (pipe2(ends, O_CLOEXEC) < 0) return fail_errno(error, "cannot start %s", arguments[0]);
  errno = spawn(&child, arguments, ends[1]);
  if (errno) {
    enum status status = fail_errno(error, "cannot start %s", arguments[0]);
    close(ends[0]);
    close(ends[1]);
    return status;
  }
  close(ends[1]);
  bool finished = collect(ends[0], stop, self, result->messages, sizeof result->messages);
  if (!finished) kill(child, SIGKILL);
  close(ends[0]);
  while (waitpid(child, &ended, 0) < 0)
    if (errno != EINTR) return fail_errno(error, "cannot wait for %s", arguments[0]);
  // Ctrl-C reaches it as well as us, and may have ended it before we looked.
  if (!finished || (stop && stop(self))) return fail(error, INTERRUPTED, "stopped while %s worked", arguments[0]);
  result->code = WIFEXITED(ended) ? WEXITSTATUS(ended) : 0;
  result->signal = WIFSIGNALED(ended) ? WTERMSIG(ended) : 0;
  return OK;
}

enum status child_path(char out[PATH_LIMIT], const char *folder, const char *name, struct error *error)
{
  char self[PATH_LIMIT], place[PATH_LIMIT];
  ssize_t length = readlink("/proc/self/exe", self, sizeof self - 1);
  if (length < 0) return fail_errno(error, "cannot find the folder of this program");
  self[length] = '\0';
  for (int up = 0; up < 2; up++) {
    char *slash = strrchr(self, '/');
    if (slash) *slash = '\0';
  }
  enum status status = path_join(place, self, folder, error);
  return status ? status : path_join(out, place, name, error);
}
