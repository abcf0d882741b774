#define CORE_STATUS_IMPLEMENTATION
#include "core/status.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

// Cuts the message with "..." rather than silently.
static void mark_truncation(struct error *error, int length)
{
  if (length >= (int)sizeof error->text) memcpy(error->text + sizeof error->text - 4, "...", 4);
}

enum status fail(struct error *error, enum status status, const char *format, ...)
{
  if (!error) return status;
  va_list arguments;
  va_start(arguments, format);
  int length = vsnprintf(error->text, sizeof error->text, format, arguments);
  va_end(arguments);
  mark_truncation(error, length);
  error->status = status;
  return status;
}

enum status fail_errno(struct error *error, const char *format, ...)
{
  int number = errno;
  enum status status = number == ENOMEM ? OUT_OF_MEMORY : FAILED;
  if (!error) return status;
  char context[sizeof error->text];
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(context, sizeof context, format, arguments);
  va_end(arguments);
  char reason[128];
  return fail(error, status, "%s: %s", context, strerror_r(number, reason, sizeof reason));
}

enum status fail_memory(struct error *error, const char *what, unsigned long long bytes)
{
  return fail(error, OUT_OF_MEMORY, "out of memory: %s needs %llu bytes", what, bytes);
}

enum status fail_within(struct error *error, const char *format, ...)
{
  if (!error) return FAILED;
  struct error inner = *error;
  char context[sizeof error->text];
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(context, sizeof context, format, arguments);
  va_end(arguments);
  return fail(error, inner.status, "%s: %s", context, inner.text);
}
