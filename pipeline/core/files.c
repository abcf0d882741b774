#include "core/files.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/mem.h"

enum status path_join(char out[PATH_LIMIT], const char *folder, const char *name, struct error *error)
{
  size_t length = strlen(folder);
  const char *slash = length > 0 && folder[length - 1] != '/' ? "/" : "";
  int needed = snprintf(out, PATH_LIMIT, "%s%s%s", folder, slash, name);
  if (needed < PATH_LIMIT) return OK;
  return fail(error, BAD_DATA, "the path %.100s...%s%.100s has %d bytes, at most %d are allowed", folder, slash, name,
              needed, PATH_LIMIT - 1);
}

bool path_lies_within(const char *inner, const char *outer)
{
  size_t length = strlen(outer);
  if (length == 1) return strlen(inner) > 1; // "/"
  return strncmp(inner, outer, length) == 0 && inner[length] == '/';
}

enum status folder_find(char out[PATH_LIMIT], const char *who, const char *path, struct error *error)
{
  struct stat info;
  if (!realpath(path, out)) {
    if (errno == ENOENT || errno == ENOTDIR) return fail(error, BAD_USAGE, "%s: no folder at %s", who, path);
    return fail_errno(error, "%s: cannot open %s", who, path);
  }
  if (stat(out, &info) == 0 && !S_ISDIR(info.st_mode))
    return fail(error, BAD_USAGE, "%s: %s is not a folder", who, path);
  return OK;
}

static enum status make_one(const char *path, struct error *error)
{
  struct stat info;
  if (mkdir(path, 0777) == 0) return OK;
  int number = errno;
  if (stat(path, &info) == 0 && S_ISDIR(info.st_mode)) return OK; // also what EROFS or EACCES may hide
  errno = number == EEXIST ? ENOTDIR : number;
  return fail_errno(error, "cannot make the folder %s", path);
}

enum status folder_make(const char *path, struct error *error)
{
  char partial[PATH_LIMIT];
  enum status status = path_join(partial, "", path, error);
  for (char *slash = strchr(partial + 1, '/'); !status && *partial && slash; slash = strchr(slash + 1, '/')) {
    *slash = '\0';
    status = make_one(partial, error);
    *slash = '/';
  }
  return status ? status : make_one(path, error);
}

// --- whole reads and writes ------------------------------------------------------------------------------------------

enum status file_read_exactly(int fd, void *bytes, size_t size, const char *path, struct error *error)
{
  for (size_t done = 0; done < size;) {
    ssize_t got = read(fd, (char *)bytes + done, size - done);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return fail_errno(error, "cannot read %s", path);
    if (got == 0) return fail(error, BAD_DATA, "%s: ends after %zu of %zu bytes", path, done, size);
    done += (size_t)got;
  }
  return OK;
}

enum status file_write_all(int fd, const void *bytes, size_t size, const char *path, struct error *error)
{
  for (size_t done = 0; done < size;) {
    ssize_t put = write(fd, (const char *)bytes + done, size - done);
    if (put < 0 && errno == EINTR) continue;
    if (put < 0) return fail_errno(error, "cannot write %s", path);
    done += (size_t)put;
  }
  return OK;
}

enum status file_write_all_at(int fd, const void *bytes, size_t size, uint64_t offset, const char *path,
                              struct error *error)
{
  for (size_t done = 0; done < size;) {
    ssize_t put = pwrite(fd, (const char *)bytes + done, size - done, (off_t)(offset + done));
    if (put < 0 && errno == EINTR) continue;
    if (put < 0) return fail_errno(error, "cannot write %s", path);
    done += (size_t)put;
  }
  return OK;
}

static enum status read_opened(int fd, uint8_t **bytes, size_t *size, const char *path, size_t limit,
                               struct error *error)
{
  struct stat info;
  if (fstat(fd, &info) < 0) return fail_errno(error, "cannot read %s", path);
  if (!S_ISREG(info.st_mode)) return fail(error, BAD_DATA, "%s: not a plain file", path);
  if ((uint64_t)info.st_size > limit)
    return fail(error, BAD_DATA, "%s: has %lld bytes, at most %zu are allowed", path, (long long)info.st_size, limit);
  void *memory = NULL; // a zero after the bytes, so that text can be read as a string
  enum status status = mem_zeroed(&memory, (size_t)info.st_size + 1, 1, path, error);
  if (!status) status = file_read_exactly(fd, memory, (size_t)info.st_size, path, error);
  if (status) {
    free(memory);
    return status;
  }
  *bytes = memory;
  *size = (size_t)info.st_size;
  return OK;
}

enum status file_read(uint8_t **bytes, size_t *size, const char *path, size_t limit, struct error *error)
{
  *bytes = NULL;
  *size = 0;
  int fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC | O_NOCTTY);
  if (fd < 0) return fail_errno(error, "cannot open %s", path);
  enum status status = read_opened(fd, bytes, size, path, limit, error);
  close(fd);
  return status;
}

// --- walks -----------------------------------------------------------------------------------------------------------

static int by_name(const void *left, const void *right)
{
  return strcmp(((const struct entry *)left)->name, ((const struct entry *)right)->name);
}

static bool describe(struct entry *entry, int folder)
{
  struct stat info;
  if (fstatat(folder, entry->name, &info, AT_SYMLINK_NOFOLLOW) < 0) return false;
  entry->is_folder = S_ISDIR(info.st_mode);
  entry->is_regular = S_ISREG(info.st_mode);
  entry->is_link = S_ISLNK(info.st_mode);
  entry->size = (uint64_t)info.st_size;
  entry->inode = (uint64_t)info.st_ino;
  entry->mtime_ns = (int64_t)info.st_mtim.tv_sec * 1000000000 + info.st_mtim.tv_nsec;
  return true;
}

static enum status list_opened(struct listing *out, DIR *folder, const char *path, struct error *error)
{
  size_t capacity = 0;
  for (;;) {
    errno = 0;
    const struct dirent *found = readdir(folder); // one thread per DIR: safe in glibc
    if (!found) return errno ? fail_errno(error, "cannot read the folder %s", path) : OK;
    if (!strcmp(found->d_name, ".") || !strcmp(found->d_name, "..")) continue;
    enum status status =
        mem_grow((void **)&out->entries, &capacity, out->count + 1, sizeof *out->entries, "a folder listing", error);
    if (status) return status;
    struct entry *entry = &out->entries[out->count];
    *entry = (struct entry){0};
    status = mem_text(&entry->name, found->d_name, error);
    if (status) return status;
    if (describe(entry, dirfd(folder))) {
      out->count++;
      continue;
    }
    if (errno != ENOENT) status = fail_errno(error, "cannot look at %s/%s", path, entry->name);
    free(entry->name); // ENOENT: removed since readdir, so it is not there
    if (status) return status;
  }
}

enum status folder_list(struct listing *out, const char *path, struct error *error)
{
  *out = (struct listing){0};
  DIR *folder = opendir(path);
  if (!folder) return fail_errno(error, "cannot open the folder %s", path);
  enum status status = list_opened(out, folder, path, error);
  closedir(folder);
  if (status)
    listing_release(out);
  else if (out->count > 1)
    qsort(out->entries, out->count, sizeof *out->entries, by_name);
  return status;
}

void listing_release(struct listing *listing)
{
  for (size_t i = 0; i < listing->count; i++) free(listing->entries[i].name);
  free(listing->entries);
  *listing = (struct listing){0};
}
