// Publication: see core/files.h. A file is under its name only when it is whole and on the disk.
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "core/files.h"

#define TEMPORARY ".publishing-" // process id, time, attempt

// The folder of `path` into out: "a/b" -> "a", "b" -> ".", "/b" -> "/".
static void folder_of(char out[PATH_LIMIT], const char *path)
{
  const char *slash = strrchr(path, '/');
  size_t length = slash ? (size_t)(slash - path) : 0;
  if (!slash)
    out[length++] = '.';
  else if (length == 0)
    out[length++] = '/';
  else
    memcpy(out, path, length);
  out[length] = '\0';
}

// A lock of the open file description, which the kernel frees with the process. False where another one has it (EAGAIN,
// EACCES), and where the file system has no locks.
static bool lock(int fd, short type)
{
  struct flock whole = {.l_type = type, .l_whence = SEEK_SET};
  return fcntl(fd, F_OFD_SETLK, &whole) == 0;
}

// Makes a new temporary ours: a collector that found it before it was locked has it, or has removed it.
static bool claim(int fd)
{
  struct stat info;
  if (!lock(fd, F_WRLCK) && (errno == EAGAIN || errno == EACCES)) return false;
  return fstat(fd, &info) == 0 && info.st_nlink > 0;
}

// A new file beside the target, as rename cannot leave the file system. Not mkstemp: its mode is 0600 whatever the
// umask, and a published file is as readable as any other that this person makes. The dot keeps it out of walks over
// results.
static int create_temporary(char out[PATH_LIMIT], const char *folder)
{
  for (int attempt = 0; attempt < 1000; attempt++) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    char name[64];
    snprintf(name, sizeof name, TEMPORARY "%ld-%ld-%d", (long)getpid(), now.tv_nsec, attempt);
    if (path_join(out, folder, name, NULL)) return errno = ENAMETOOLONG, -1;
    int fd = open(out, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    if (fd < 0 && errno != EEXIST) return -1;
    if (fd >= 0 && claim(fd)) return fd;
    if (fd >= 0) close(fd);
  }
  return errno = EEXIST, -1;
}

enum status publication_open(struct publication *file, const char *path, struct error *error)
{
  char folder[PATH_LIMIT];
  *file = (struct publication){.fd = -1};
  enum status status = path_join(file->path, "", path, error);
  if (status) return status;
  folder_of(folder, file->path);
  file->fd = create_temporary(file->temporary, folder);
  if (file->fd < 0) {
    file->temporary[0] = '\0';
    return fail_errno(error, "cannot write into the folder %s", folder);
  }
  file->stream = fdopen(file->fd, "w+");
  if (file->stream) return OK;
  status = fail_errno(error, "cannot write %s", path);
  publication_discard(file);
  return status;
}

static enum status sync_folder(const char *path, struct error *error)
{
  char folder[PATH_LIMIT];
  folder_of(folder, path);
  int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) return fail_errno(error, "cannot open the folder %s", folder);
  // Never again after a failure: the kernel drops what it could not write, and a second call would say OK.
  enum status status = fsync(fd) < 0 ? fail_errno(error, "cannot sync the folder %s", folder) : OK;
  close(fd);
  return status;
}

enum status file_rename(const char *from, const char *to, struct error *error)
{
  if (rename(from, to) < 0) return fail_errno(error, "cannot give %s the name %s", from, to);
  return sync_folder(to, error);
}

static enum status commit(struct publication *file, bool synced, struct error *error)
{
  enum status status = OK;
  int held = fcntl(file->fd, F_DUPFD_CLOEXEC, 0); // keeps the lock until the file has its name
  if (held < 0 || fflush(file->stream) != 0 || ferror(file->stream))
    status = fail_errno(error, "cannot write %s", file->path);
  if (!status && synced && fsync(file->fd) < 0) status = fail_errno(error, "cannot sync %s", file->path);
  int closed = fclose(file->stream);
  file->stream = NULL;
  file->fd = -1;
  if (!status && closed != 0) status = fail_errno(error, "cannot close %s", file->path);
  if (!status && rename(file->temporary, file->path) < 0)
    status = fail_errno(error, "cannot give %s its name", file->path);
  if (held >= 0) close(held);
  if (!status) {
    file->committed = true;
    return synced ? sync_folder(file->path, error) : OK;
  }
  publication_discard(file);
  return status;
}

enum status publication_commit(struct publication *file, struct error *error)
{
  return commit(file, true, error);
}

enum status publication_commit_unsynced(struct publication *file, struct error *error)
{
  return commit(file, false, error);
}

void publication_discard(struct publication *file)
{
  if (file->committed || !file->temporary[0]) return;
  if (file->stream)
    (void)fclose(file->stream); // what it held is thrown away
  else if (file->fd >= 0)
    close(file->fd);
  unlink(file->temporary);
  *file = (struct publication){.fd = -1};
}

// Removes a temporary that no process holds. Process ids would not tell: of a container beside this one, the writer's
// is nobody's here. What cannot be locked is kept, and so is all on a file system without locks.
static enum status collect(const char *path, struct error *error)
{
  enum status status = OK;
  int fd = open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
  if (fd < 0) return OK;
  if (lock(fd, F_RDLCK) && unlink(path) < 0 && errno != ENOENT) status = fail_errno(error, "cannot remove %s", path);
  close(fd); // and not before: the writer of a file that is just being made would take it for its own
  return status;
}

enum status publications_collect(const char *folder, struct error *error)
{
  struct listing listing = {0};
  char path[PATH_LIMIT];
  if (access(folder, F_OK) < 0) return OK;
  enum status status = folder_list(&listing, folder, error);
  for (size_t i = 0; !status && i < listing.count; i++) {
    const struct entry *entry = &listing.entries[i];
    if (!entry->is_regular || strncmp(entry->name, TEMPORARY, sizeof TEMPORARY - 1) != 0) continue;
    status = path_join(path, folder, entry->name, error);
    if (!status) status = collect(path, error);
  }
  listing_release(&listing);
  return status;
}
