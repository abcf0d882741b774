// Opening a file whose path somebody else wrote: see file_open_beneath in core/files.h.
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "core/files.h"

// O_NONBLOCK: opening a FIFO for reading must not wait for its writer.
enum { OPEN_FLAGS = O_RDONLY | O_NONBLOCK | O_CLOEXEC | O_NOCTTY };

// The same promise with openat alone, component by component. The root is a folder that we hold open, and no component
// may be a link or "..", so that no step leads out of it.
static int walk_open(int root, const char *path)
{
  char rest[PATH_LIMIT];
  size_t length = strlen(path);
  if (length >= sizeof rest) return errno = ENAMETOOLONG, -1;
  if (length == 0) return errno = ENOENT, -1;
  if (path[0] == '/') return errno = EXDEV, -1;
  memcpy(rest, path, length + 1);
  int folder = root;
  for (char *name = rest, *next = NULL; name; name = next) {
    next = strchr(name, '/');
    if (next) *next++ = '\0';
    if (!*name || !strcmp(name, ".")) {
      if (!next && folder == root) return errno = EISDIR, -1;
      continue;
    }
    int flags = next ? O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC : OPEN_FLAGS | O_NOFOLLOW;
    int opened = !strcmp(name, "..") ? (errno = EXDEV, -1) : openat(folder, name, flags);
    int number = errno;
    if (folder != root) close(folder);
    if (opened < 0) return errno = number, -1;
    folder = opened;
  }
  return folder;
}

static int open_beneath(int root, const char *path)
{
  const struct open_how how = {.flags = OPEN_FLAGS, .resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS};
  for (int attempt = 0;; attempt++) {
    long fd = syscall(SYS_openat2, root, path, &how, sizeof how); // glibc 2.36 has no wrapper
    if (fd >= 0) return (int)fd;
    if (errno == EAGAIN && attempt < 100) continue; // a rename nearby raced with "..": the kernel asks to try again
    if (errno == EINTR) continue;
    // EPERM: a container's filter that is older than the call.
    return errno == ENOSYS || errno == EPERM ? walk_open(root, path) : -1;
  }
}

enum status file_open_beneath(int *out, uint64_t *size, int root, const char *path, struct error *error)
{
  *out = -1;
  *size = 0;
  int fd = open_beneath(root, path);
  if (fd < 0) {
    if (errno == ELOOP || errno == ENOTDIR) return fail(error, BAD_DATA, "%s: a link or no folder on the way", path);
    if (errno == EXDEV) return fail(error, BAD_DATA, "%s: leads out of its folder", path);
    if (errno == ENXIO || errno == EISDIR) return fail(error, BAD_DATA, "%s: not a plain file", path);
    return fail_errno(error, "cannot open %s", path);
  }
  struct stat info;
  enum status status = OK;
  if (fstat(fd, &info) < 0)
    status = fail_errno(error, "cannot look at %s", path);
  else if (!S_ISREG(info.st_mode))
    status = fail(error, BAD_DATA, "%s: not a plain file", path);
  if (status) {
    close(fd);
    return status;
  }
  *out = fd;
  *size = (uint64_t)info.st_size;
  return OK;
}
