#include "measure.h"

#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/mem.h"

static bool number(const char *text, double *out)
{
  char *end;
  *out = strtod(text, &end);
  return end != text && !*end && *out >= 0 && *out < 1e18;
}

// "TASK|VALUE|UNIT|PEER|PEER_VALUE"; the last two may be empty.
static enum status parse_row(struct measured *out, char *row, struct error *error)
{
  char *fields[5] = {0}, *at = row, whole[256];
  int count = 0;
  (void)snprintf(whole, sizeof whole, "%s", row); // for the message: strsep cuts the row
  while (at && count < 5) fields[count++] = strsep(&at, "|");
  struct figure figure = {.peer_value = 0};
  if (count < 5 || at || !number(fields[1], &figure.value) ||
      (*fields[3] && !(number(fields[4], &figure.peer_value) && figure.peer_value > 0)))
    return fail(error, BAD_DATA, "not TASK|VALUE|UNIT|PEER|PEER_VALUE: %s", whole);
  snprintf(figure.task, sizeof figure.task, "%s", fields[0]);
  snprintf(figure.unit, sizeof figure.unit, "%s", fields[2]);
  snprintf(figure.peer, sizeof figure.peer, "%s", fields[3]);
  enum status status =
      mem_grow((void **)&out->figures, &out->figure_capacity, out->figure_count + 1, sizeof figure, "figures", error);
  if (!status) out->figures[out->figure_count++] = figure;
  return status;
}

static enum status parse(struct measured *out, char *line, struct error *error)
{
  line[strcspn(line, "\n")] = '\0';
  if (strncmp(line, "row=", 4) == 0) return parse_row(out, line + 4, error);
  if (strncmp(line, "name=", 5) == 0)
    snprintf(out->name, sizeof out->name, "%s", line + 5);
  else if (strncmp(line, "images_per_second=", 18) == 0 && !number(line + 18, &out->images_per_second))
    return fail(error, BAD_DATA, "not a rate: %s", line);
  return OK;
}

// Starts the program with nothing to read and a pipe to print into.
static enum status start(const char *const *arguments, pid_t *pid, FILE **lines, struct error *error)
{
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) < 0) return fail_errno(error, "cannot make a pipe");
  posix_spawn_file_actions_t actions;
  int failure = posix_spawn_file_actions_init(&actions);
  if (!failure) failure = posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
  if (!failure) failure = posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO);
  if (!failure) failure = posix_spawnp(pid, arguments[0], &actions, NULL, (char *const *)arguments, environ);
  (void)posix_spawn_file_actions_destroy(&actions);
  (void)close(ends[1]);
  *lines = failure ? NULL : fdopen(ends[0], "r");
  if (*lines) return OK;
  if (failure) errno = failure;
  (void)fail_errno(error, "cannot start %s", arguments[0]);
  (void)close(ends[0]);
  return FAILED;
}

enum status measure(const char *const *arguments, struct measured *out, struct error *error)
{
  pid_t pid = 0;
  FILE *lines = NULL;
  char *line = NULL;
  size_t capacity = 0;
  *out = (struct measured){.missing = false};
  enum status status = start(arguments, &pid, &lines, error);
  if (status) return status;
  // Read to the end in any case, or the program would wait for a reader.
  while (getline(&line, &capacity, lines) >= 0)
    if (!status) status = parse(out, line, error);
  free(line);
  (void)fclose(lines); // it was only read
  struct rusage usage = {0};
  int state = 0;
  while (wait4(pid, &state, 0, &usage) < 0)
    if (errno != EINTR) return fail_errno(error, "cannot wait for %s", arguments[0]);
  out->peak_mib = (double)usage.ru_maxrss / 1024; // Linux counts KiB
  if (WIFEXITED(state) && WEXITSTATUS(state) == EXIT_MISSING) {
    out->missing = true;
    return OK;
  }
  if (status) return fail_within(error, "%s %s", arguments[0], arguments[1]);
  if (WIFSIGNALED(state))
    return fail(error, FAILED, "%s %s: ended by signal %d", arguments[0], arguments[1], WTERMSIG(state));
  if (WEXITSTATUS(state))
    return fail(error, FAILED, "%s %s: ended with status %d", arguments[0], arguments[1], WEXITSTATUS(state));
  if (!(out->images_per_second > 0) && !out->figure_count)
    return fail(error, FAILED, "%s %s: printed no figure", arguments[0], arguments[1]);
  return OK;
}

enum status measure_under(const char *program, const struct conditions *under, struct measured *out,
                          struct error *error)
{
  char threads[16], batch[16], seconds[16];
  snprintf(threads, sizeof threads, "%d", under->threads);
  snprintf(batch, sizeof batch, "%d", under->batch);
  snprintf(seconds, sizeof seconds, "%d", under->seconds);
  const char *const arguments[] = {program,   under->task, "--precision", under->precision, "--threads", threads,
                                   "--batch", batch,       "--seconds",   seconds,          under->more, NULL};
  *out = (struct measured){.missing = false};
  if (setenv("OMP_NUM_THREADS", threads, 1)) return fail_errno(error, "cannot set OMP_NUM_THREADS");
  return measure(arguments, out, error);
}

void measured_release(struct measured *measured)
{
  free(measured->figures);
  *measured = (struct measured){.missing = false};
}
