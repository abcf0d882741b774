#include "core/digest.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/mem.h"

struct digest {
  EVP_MD_CTX *context;
};

static enum status new_of(struct digest **out, const EVP_MD *algorithm, const char *name, struct error *error)
{
  struct digest *digest = NULL;
  *out = NULL;
  enum status status = mem_zeroed((void **)&digest, 1, sizeof *digest, "a digest", error);
  if (status) return status;
  digest->context = EVP_MD_CTX_new();
  if (!digest->context || EVP_DigestInit_ex(digest->context, algorithm, NULL) != 1) {
    digest_free(digest);
    return fail(error, FAILED, "OpenSSL has no %s here", name);
  }
  *out = digest;
  return OK;
}

enum status digest_new(struct digest **out, struct error *error)
{
  return new_of(out, EVP_sha256(), "SHA-256", error);
}

// Update and final of a started SHA-256 do not fail: OpenSSL's own return values there are for engines we do
// not use.
void digest_add(struct digest *digest, const void *bytes, size_t size)
{
  if (size) EVP_DigestUpdate(digest->context, bytes, size);
}

static void finish(struct digest *digest, char *text, int count)
{
  static const char digits[] = "0123456789abcdef";
  unsigned char bytes[EVP_MAX_MD_SIZE] = {0};
  EVP_DigestFinal_ex(digest->context, bytes, NULL);
  for (int i = 0; i < count; i++) {
    text[2 * i] = digits[bytes[i] >> 4];
    text[2 * i + 1] = digits[bytes[i] & 15];
  }
  text[2 * count] = '\0';
}

void digest_finish(struct digest *digest, char text[DIGEST_TEXT])
{
  finish(digest, text, DIGEST_BYTES);
}

void digest_free(struct digest *digest)
{
  if (!digest) return;
  EVP_MD_CTX_free(digest->context);
  free(digest);
}

enum status digest_of(char text[DIGEST_TEXT], const void *bytes, size_t size, struct error *error)
{
  struct digest *digest = NULL;
  enum status status = digest_new(&digest, error);
  if (status) return status;
  digest_add(digest, bytes, size);
  digest_finish(digest, text);
  digest_free(digest);
  return OK;
}

static enum status add_all(struct digest *digest, int fd, uint64_t *size, const char *path, struct error *error)
{
  enum { BLOCK = 1 << 18 };
  void *block = NULL;
  enum status status = mem_zeroed(&block, 1, BLOCK, "a read buffer", error);
  *size = 0;
  while (!status) {
    ssize_t got = read(fd, block, BLOCK);
    if (got == 0) break;
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) {
      status = fail_errno(error, "cannot read %s", path);
      break;
    }
    digest_add(digest, block, (size_t)got);
    *size += (uint64_t)got;
  }
  free(block);
  return status;
}

enum status digest_of_opened(char text[DIGEST_TEXT], uint64_t *size, int fd, const char *path, struct error *error)
{
  struct digest *digest = NULL;
  struct stat info;
  if (fstat(fd, &info) < 0) return fail_errno(error, "cannot read %s", path);
  if (!S_ISREG(info.st_mode)) return fail(error, BAD_DATA, "%s: not a plain file", path);
  if (lseek(fd, 0, SEEK_SET) < 0) return fail_errno(error, "cannot read %s", path);
  enum status status = digest_new(&digest, error);
  if (!status) status = add_all(digest, fd, size, path, error);
  if (!status) digest_finish(digest, text);
  digest_free(digest);
  return status;
}

enum status digest_of_file(char text[DIGEST_TEXT], uint64_t *size, const char *path, struct error *error)
{
  int fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC | O_NOCTTY);
  if (fd < 0) return fail_errno(error, "cannot open %s", path);
  enum status status = digest_of_opened(text, size, fd, path, error);
  close(fd);
  return status;
}

enum status md5_of_opened(char text[MD5_TEXT], int fd, const char *path, struct error *error)
{
  struct digest *digest = NULL;
  uint64_t size;
  if (lseek(fd, 0, SEEK_SET) < 0) return fail_errno(error, "cannot read %s", path);
  enum status status = new_of(&digest, EVP_md5(), "MD5", error);
  if (!status) status = add_all(digest, fd, &size, path, error);
  if (!status) finish(digest, text, MD5_TEXT / 2);
  digest_free(digest);
  return status;
}
