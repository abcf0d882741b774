// One process per stage and manifest: a lock of an open file description on $(WORK)/.lock-STAGE. The kernel frees it
// with the process, so a stale file means nothing, and F_OFD_GETLK can ask without taking.
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "stage/parts.h"
#include "store/log.h"

static enum status lock_path(const struct stage *stage, const char *name, char out[PATH_LIMIT], struct error *error)
{
  char file[128];
  snprintf(file, sizeof file, ".lock-%s", name);
  return path_join(out, stage->folder, file, error);
}

// A process that was killed keeps its locks until the kernel has taken it down, some time after its parent was told:
// whoever starts the stage again at once must not be refused for that.
static int take_lock(int fd)
{
  enum { ATTEMPTS = 50, MILLISECONDS = 20 };
  for (int attempt = 1;; attempt++) {
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    int result = fcntl(fd, F_OFD_SETLK, &lock);
    if (result == 0 || (errno != EAGAIN && errno != EACCES) || attempt == ATTEMPTS) return result;
    nanosleep(&(struct timespec){.tv_nsec = MILLISECONDS * 1000000L}, NULL);
  }
}

// Takes the lock of the stage `name` for this process. *fd is -1 where it could not be opened.
static enum status lock_name(const struct stage *stage, const char *name, int *fd, struct error *error)
{
  char path[PATH_LIMIT], text[32] = "";
  *fd = -1;
  enum status status = lock_path(stage, name, path, error);
  if (status) return status;
  *fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0666);
  if (*fd < 0) return fail_errno(error, "cannot open %s", path);
  if (take_lock(*fd) < 0) {
    if (errno != EAGAIN && errno != EACCES) return fail_errno(error, "cannot lock %s", path);
    ssize_t length = pread(*fd, text, sizeof text - 1, 0);
    text[length > 0 ? length : 0] = '\0';
    long pid = strtol(text, NULL, 10);
    if (pid <= 0) return fail(error, FAILED, "%s is running on this manifest already; wait for it or stop it", name);
    return fail(error, FAILED, "%s is running on this manifest already, as process %ld; wait for it or stop it", name,
                pid);
  }
  // Only for the message above: nobody's right depends on it.
  int length = snprintf(text, sizeof text, "%ld\n", (long)getpid());
  if (ftruncate(*fd, 0) < 0 || pwrite(*fd, text, (size_t)length, 0) != length)
    return fail_errno(error, "cannot write %s", path);
  return OK;
}

enum status stage_lock(struct stage *stage, struct error *error)
{
  return lock_name(stage, stage->definition->name, &stage->lock, error);
}

enum status stage_hold(struct stage *stage, const char *name, int *held, struct error *error)
{
  enum status status = lock_name(stage, name, held, error);
  if (status) stage_release(held);
  return status;
}

void stage_release(int *held)
{
  if (*held >= 0) close(*held);
  *held = -1;
}

static bool is_locked(const struct stage *stage, const char *name)
{
  char path[PATH_LIMIT];
  if (strchr(name, '/')) return false; // no stage of ours: the name is from the manifest, and must not lead elsewhere
  if (lock_path(stage, name, path, NULL)) return true;
  int fd = open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
  if (fd < 0) return errno != ENOENT;
  struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
  bool locked = fcntl(fd, F_OFD_GETLK, &lock) < 0 || lock.l_type != F_UNLCK;
  close(fd);
  return locked;
}

static void close_one(void *self, const char *name)
{
  struct stage *stage = self;
  struct error error = {0};
  bool own = !strcmp(name, stage->definition->name); // we hold its lock: nobody else runs it
  if (!own && is_locked(stage, name)) return;
  if (log_close_abandoned(stage->db, name, stage->log_id, &error)) stage_warn(stage, "%s", error.text);
}

enum status stage_close_abandoned(struct stage *stage, struct error *error)
{
  return log_running_stages(stage->db, stage, close_one, error);
}
