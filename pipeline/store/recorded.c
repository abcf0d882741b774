#include "store/recorded.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <sys/stat.h>

#include "core/files.h"

static bool lies_in(const char *path, const char *subfolder)
{
  size_t length = strlen(subfolder);
  return !strncmp(path, subfolder, length) && path[length] == '/' && !strchr(path + length + 1, '/');
}

enum status recorded_file_check(const char *work, const char *subfolder, const char *path, uint64_t bytes,
                                struct error *error)
{
  char whole[PATH_LIMIT];
  struct stat found;
  if (!lies_in(path, subfolder))
    return fail(error, BAD_DATA, "the manifest names a file outside %s/: %s", subfolder, path);
  enum status status = path_join(whole, work, path, error);
  if (status) return status;
  if (lstat(whole, &found))
    return fail(error, BAD_DATA, "%s: %s, but the manifest has it as done", whole, strerror(errno));
  if (!S_ISREG(found.st_mode)) return fail(error, BAD_DATA, "%s is not a plain file", whole); // ".." is a folder
  if ((uint64_t)found.st_size != bytes)
    return fail(error, BAD_DATA, "%s has %lld bytes, the manifest says %llu", whole, (long long)found.st_size,
                (unsigned long long)bytes);
  return OK;
}
