#include "weights/imagenet.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/digest.h"

// "$VARIABLE/below/FILE", or "$HOME/otherwise/below/FILE"; "" where neither is set. Relative values are ignored, as the
// XDG base directory specification has it.
static enum status place_of(char out[PATH_LIMIT], const char *variable, const char *otherwise, const char *below,
                            struct error *error)
{
  const char *value = getenv(variable), *home = getenv("HOME");
  char base[PATH_LIMIT] = "", folder[PATH_LIMIT];
  enum status status = OK;
  out[0] = '\0';
  if (value && value[0] == '/')
    status = path_join(base, "", value, error);
  else if (home && home[0] == '/')
    status = path_join(base, home, otherwise, error);
  else
    return OK;
  if (!status) status = path_join(folder, base, below, error);
  return status ? status : path_join(out, folder, IMAGENET_FILE, error);
}

enum status imagenet_places(struct imagenet_places *out, const char *given, struct error *error)
{
  enum status status = path_join(out->files[0], given, IMAGENET_FILE, error);
  if (!status) status = place_of(out->files[1], "XDG_CACHE_HOME", ".cache", "asl-alphabet", error);
  if (!status) status = place_of(out->files[2], "KERAS_HOME", ".keras", "models", error);
  if (!status) memcpy(out->download, out->files[1][0] ? out->files[1] : out->files[0], PATH_LIMIT);
  return status;
}

static enum status check_opened(int fd, const char *path, struct error *error)
{
  struct stat info;
  char md5[MD5_TEXT];
  if (fstat(fd, &info) < 0) return fail_errno(error, "cannot read %s", path);
  if (!S_ISREG(info.st_mode)) return fail(error, BAD_DATA, "%s: not a plain file", path);
  if (info.st_size != IMAGENET_BYTES)
    return fail(error, BAD_DATA, "%s: has %lld bytes, ImageNet's weights have %d: remove it, or get it again", path,
                (long long)info.st_size, IMAGENET_BYTES);
  enum status status = md5_of_opened(md5, fd, path, error);
  if (status || !strcmp(md5, IMAGENET_MD5)) return status;
  return fail(error, BAD_DATA, "%s: has the MD5 %s, ImageNet's weights have %s: remove it, or get it again", path, md5,
              IMAGENET_MD5);
}

enum status imagenet_check(const char *path, struct error *error)
{
  int fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC | O_NOCTTY);
  if (fd < 0) return fail_errno(error, "cannot open %s", path);
  enum status status = check_opened(fd, path, error);
  close(fd);
  return status;
}
