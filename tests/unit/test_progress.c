// The bar's text; and silence where stderr is no terminal.
#include <poll.h>

#include "check.h"
#include "folder.h"

#include "core/progress.h"

static void test_line(void **state)
{
  (void)state;
  char line[200];
  struct progress progress = {.label = "resize", .unit = "images", .total = 8700};
  progress_line(&progress, 4176, 1.8078, line, sizeof line);
  assert_string_equal(line, "resize  [=========>          ]  48%  4,176/8,700  2,310 images/s  ETA 0:02");
  progress_line(&progress, 8700, 10, line, sizeof line);
  assert_string_equal(line, "resize  [====================] 100%  8,700/8,700  870 images/s  ETA 0:00");
  progress_line(&progress, 0, 0, line, sizeof line);
  assert_string_equal(line, "resize  [>                   ]   0%  0/8,700  0 images/s  ETA --:--");
  progress_line(&progress, 1, 10, line, sizeof line);
  assert_non_null(strstr(line, "ETA 24:09:50"));
  progress_line(&progress, 9000, 10, line, sizeof line); // more than was announced
  assert_non_null(strstr(line, "] 100%"));
  progress_line(&progress, 4176, 1, line, 20);
  assert_int_equal(strlen(line), 19);
  progress.total = 0;
  progress_line(&progress, 0, 1, line, sizeof line);
  assert_non_null(strstr(line, "0/0"));
}

static void test_not_a_terminal(void **state)
{
  (void)state;
  struct progress progress;
  int kept = dup(STDERR_FILENO), file = open(in_folder("stderr"), O_RDWR | O_CREAT, 0600);
  assert_true(dup2(file, STDERR_FILENO) >= 0);
  progress_start(&progress, "ingest", "images", 1000, false);
  bool bar = progress.bar;
#pragma omp parallel for num_threads(4)
  for (int i = 0; i < 1000; i++) progress_add(&progress, 1);
  progress_clear(&progress);
  progress_stop(&progress);
  assert_true(dup2(kept, STDERR_FILENO) >= 0);
  close(kept);
  assert_int_equal(lseek(file, 0, SEEK_END), 0);
  close(file);
  assert_false(bar);
  assert_int_equal(progress.done, 1000);
  assert_true(progress_seconds(&progress) >= 0);
}

static int open_terminal(int *keeper)
{
  *keeper = posix_openpt(O_RDWR | O_NOCTTY);
  assert_true(*keeper >= 0);
  assert_int_equal(grantpt(*keeper) | unlockpt(*keeper), 0);
  int terminal = open(ptsname(*keeper), O_RDWR | O_NOCTTY);
  assert_true(terminal >= 0);
  return terminal;
}

// What was written to the terminal: the kernel hands it on a little later, perhaps in pieces.
static size_t read_all(int keeper, char *output, size_t limit)
{
  size_t size = 0;
  struct pollfd ready = {.fd = keeper, .events = POLLIN};
  while (size < limit - 1 && poll(&ready, 1, 300) > 0) {
    ssize_t got = read(keeper, output + size, limit - 1 - size);
    if (got <= 0) break;
    size += (size_t)got;
  }
  output[size] = '\0';
  return size;
}

static bool shows_bar(const char *term, const char *no_color, bool quiet)
{
  struct progress progress;
  setenv("TERM", term, 1);
  if (no_color)
    setenv("NO_COLOR", no_color, 1);
  else
    unsetenv("NO_COLOR");
  progress_start(&progress, "ingest", "images", 10, quiet);
  return progress.bar;
}

static void test_terminal(void **state)
{
  (void)state;
  int keeper = -1, terminal = open_terminal(&keeper), kept = dup(STDERR_FILENO);
  assert_true(dup2(terminal, STDERR_FILENO) >= 0);
  bool usual = shows_bar("xterm", NULL, false), empty = shows_bar("xterm", "", false);
  bool plain = shows_bar("xterm", "1", false), dumb = shows_bar("dumb", NULL, false);
  bool quiet = shows_bar("xterm", NULL, true);
  struct progress progress;
  unsetenv("NO_COLOR");
  setenv("TERM", "xterm", 1);
  progress_start(&progress, "ingest", "images", 10, false);
  progress.drawn -= 1; // a second ago: the next add draws
  progress_add(&progress, 5);
  for (int i = 0; i < 1000; i++) progress_add(&progress, 0); // and these, within a tenth of a second, hardly
  progress_stop(&progress);
  assert_true(dup2(kept, STDERR_FILENO) >= 0);
  char output[4096];
  size_t size = read_all(keeper, output, sizeof output);
  close(kept), close(terminal), close(keeper);
  assert_true(usual && empty);
  assert_false(plain || dumb || quiet);
  assert_non_null(strstr(output, "\ringest  [==========>"));
  assert_in_range(size, 1, 999);
  assert_int_equal(output[size - 1], '\r'); // wiped
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_line),
      cmocka_unit_test(test_not_a_terminal),
      cmocka_unit_test(test_terminal),
  };
  return cmocka_run_group_tests(tests, folder_setup, folder_teardown);
}
