// Errors are values: a function returns a status and, unless it is OK, has put into `struct error` a message that
// names the file, the value and the limit. Nothing in the library prints or exits; only a stage's main turns a status
// into an exit code.
//
//   enum status shard_open(struct shard *shard, const char *path, struct error *error)
//   {
//     int fd = open(path, O_RDONLY | O_CLOEXEC);
//     if (fd < 0) return fail_errno(error, "cannot open %s", path);       // "cannot open x.st: No such file ..."
//     ...
//     if (rows > limit) return fail(error, BAD_DATA, "%s: %zu rows, at most %zu are allowed", path, rows, limit);
//     return OK;
//   }
#ifndef CORE_STATUS_H
#define CORE_STATUS_H

enum status {
  OK = 0,
  FAILED = -1,        // the system refused: I/O, disk full, a library
  BAD_USAGE = -2,     // the command line or the configuration is wrong
  BAD_DATA = -3,      // a file, a row or an image is not what it should be
  OUT_OF_MEMORY = -4, // an allocation was refused
  INTERRUPTED = -5    // the person asked to stop; all finished work is kept
};

struct error {
  enum status status;
  char text[1024]; // one line, without a newline at its end; long messages end in "..."
};

// Fills `error` (which may be NULL: the caller wants the status only) and returns `status`.
enum status fail(struct error *error, enum status status, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

// The same with ": " and the text of errno at the end; FAILED, or OUT_OF_MEMORY for ENOMEM.
enum status fail_errno(struct error *error, const char *format, ...) __attribute__((format(printf, 2, 3)));

// An allocation of `bytes` for `what` was refused.
enum status fail_memory(struct error *error, const char *what, unsigned long long bytes);

// Puts context and ": " before the message that is there already; returns its status.
enum status fail_within(struct error *error, const char *format, ...) __attribute__((format(printf, 2, 3)));

#if defined __clang_analyzer__ && !defined CORE_STATUS_IMPLEMENTATION
// clang's analyzer sees one file at a time, and would follow paths on which a failure returns OK.
static inline enum status status_never_ok(enum status status)
{
  if (status == OK) __builtin_unreachable();
  return status;
}
#define fail(...)        status_never_ok(fail(__VA_ARGS__))
#define fail_errno(...)  status_never_ok(fail_errno(__VA_ARGS__))
#define fail_memory(...) status_never_ok(fail_memory(__VA_ARGS__))
#define fail_within(...) status_never_ok(fail_within(__VA_ARGS__))
#endif

#endif
