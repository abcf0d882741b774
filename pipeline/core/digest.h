// SHA-256 (FIPS 180-4) by OpenSSL's EVP, which uses the CPU's own instructions.
#ifndef CORE_DIGEST_H
#define CORE_DIGEST_H

#include <stddef.h>
#include <stdint.h>

#include "core/status.h"

enum { DIGEST_BYTES = 32, DIGEST_TEXT = 65 }; // 64 hexadecimal digits and a zero
enum { MD5_TEXT = 33 };

struct digest; // a hash in the making

enum status digest_new(struct digest **out, struct error *error);
void digest_add(struct digest *digest, const void *bytes, size_t size);
void digest_finish(struct digest *digest, char text[DIGEST_TEXT]); // may be called once
void digest_free(struct digest *digest);

// The SHA-256 of `size` bytes as text.
enum status digest_of(char text[DIGEST_TEXT], const void *bytes, size_t size, struct error *error);

// The SHA-256 and size of a whole file, streamed.
enum status digest_of_file(char text[DIGEST_TEXT], uint64_t *size, const char *path, struct error *error);

// The same of a plain file that is open for reading, from its first byte on; moves the descriptor's place.
enum status digest_of_opened(char text[DIGEST_TEXT], uint64_t *size, int fd, const char *path, struct error *error);

// The MD5 (RFC 1321) of a plain file that is open for reading. Only to recognise files that others publish by it: it
// proves nothing against somebody who means harm.
enum status md5_of_opened(char text[MD5_TEXT], int fd, const char *path, struct error *error);

#endif
