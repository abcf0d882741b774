// A stage from start to end, each in a process of its own, as a person runs it.
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "stage/stage.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h> // after our headers: it makes a macro of fail, which (fail)(...) evades

enum { ARGUMENT_LIMIT = 16, OUTPUT_LIMIT = 16384 };

struct fixture {
  char folder[64], manifest[128], out[OUTPUT_LIMIT], err[OUTPUT_LIMIT];
};

static int set_up(void **state)
{
  struct fixture *fixture = calloc(1, sizeof *fixture);
  memcpy(fixture->folder, "/tmp/test_stage.XXXXXX", sizeof "/tmp/test_stage.XXXXXX");
  if (!mkdtemp(fixture->folder)) return -1;
  snprintf(fixture->manifest, sizeof fixture->manifest, "%s/manifest.db", fixture->folder);
  *state = fixture;
  return 0;
}

static int tear_down(void **state)
{
  struct fixture *fixture = *state;
  static const char *const names[] = {"manifest.db", "manifest.db-journal", ".lock-toy", "out", "err"};
  for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
    char path[160];
    snprintf(path, sizeof path, "%s/%s", fixture->folder, names[i]);
    unlink(path);
  }
  rmdir(fixture->folder);
  free(fixture);
  return 0;
}

// --- the stage -----------------------------------------------------------------------------------------------------

static enum status toy_work(struct stage *stage, struct error *error)
{
  const char *what = stage_option(stage, "do");
  stage_subject(stage, "toys");
  if (!what) {
    struct stage_key *key = NULL;
    enum status status = stage_key_new(&key, 1, error);
    if (!status) status = stage_key_add_config(key, stage_config(stage), "seed", error);
    if (!status) status = stage_key_finish(key, error);
    if (!status) stage_runs_because(stage, key, "{\"code\":\"1\",\"seed\":\"7\"}");
    stage_key_free(key);
    stage_count(stage, 8700, 3.1);
    return status;
  }
  if (!strcmp(what, "fail")) return (fail)(error, BAD_DATA, "broken.jpg: 3 bytes, at least 4 are needed");
  if (!strcmp(what, "bytes")) {
    stage_subject(stage, "caf\xe9");
    return (fail)(error, BAD_DATA, "caf\xe9/\xc3\xa9\\.jpg: changed");
  }
  if (!strcmp(what, "usage")) return (fail)(error, BAD_USAGE, "no such folder");
  if (!strcmp(what, "print")) printf("data\n");
  if (!strcmp(what, "wait")) {
    fprintf(stderr, "ready\n");
    while (!stage_interrupted(stage)) usleep(1000);
    return (fail)(error, INTERRUPTED, "interrupted");
  }
  if (!strcmp(what, "hang")) {
    fprintf(stderr, "ready\n");
    while (!stage_interrupted(stage)) usleep(1000);
    fprintf(stderr, "hangs all the same\n");
    for (;;) usleep(1000);
  }
  return OK;
}

static const struct stage_option toy_options[] = {{"do", "WHAT", "what to do"}, {"strict", NULL, "a switch"}, {0}};
static const struct stage_definition toy = {.name = "toy",
                                            .summary = "a stage of this test",
                                            .example = "build/stages/toy --do nothing",
                                            .options = toy_options,
                                            .work = toy_work};

// --- running it ----------------------------------------------------------------------------------------------------

static void redirect(const struct fixture *fixture, const char *name, int fd)
{
  char path[160];
  snprintf(path, sizeof path, "%s/%s", fixture->folder, name);
  int file = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
  dup2(file, fd);
  close(file);
}

static void forget_output(const struct fixture *fixture)
{
  char path[160];
  snprintf(path, sizeof path, "%s/err", fixture->folder);
  unlink(path); // an earlier execution's "ready" is not this one's
}

static pid_t start(const struct fixture *fixture, const struct stage_definition *definition, const char *const *extra)
{
  char *arguments[ARGUMENT_LIMIT] = {(char *)"toy", (char *)"--manifest", (char *)fixture->manifest};
  int count = 3;
  for (; extra && *extra; extra++) arguments[count++] = (char *)*extra;
  forget_output(fixture);
  fflush(NULL);
  pid_t pid = fork();
  if (pid == 0) {
    redirect(fixture, "out", STDOUT_FILENO);
    redirect(fixture, "err", STDERR_FILENO);
    _exit(stage_main(definition, count, arguments));
  }
  return pid;
}

static void slurp(const struct fixture *fixture, const char *name, char text[OUTPUT_LIMIT])
{
  char path[160];
  snprintf(path, sizeof path, "%s/%s", fixture->folder, name);
  FILE *file = fopen(path, "r");
  text[file ? fread(text, 1, OUTPUT_LIMIT - 1, file) : 0] = '\0';
  if (file) fclose(file);
}

static int finish(struct fixture *fixture, pid_t pid)
{
  int status = 0;
  assert_int_equal(waitpid(pid, &status, 0), pid);
  slurp(fixture, "out", fixture->out);
  slurp(fixture, "err", fixture->err);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + WTERMSIG(status);
}

static int run_toy(struct fixture *fixture, const char *const *extra)
{
  return finish(fixture, start(fixture, &toy, extra));
}

#define ARGUMENTS(...)                                                                                                 \
  (const char *const[])                                                                                                \
  {                                                                                                                    \
    __VA_ARGS__, NULL                                                                                                  \
  }

static void assert_holds(const char *text, const char *part)
{
  if (!strstr(text, part)) fail_msg("\"%s\" does not hold \"%s\"", text, part);
}

// The value of `column` of the log row `id`.
static void log_column(const struct fixture *fixture, int id, const char *column, char *out, size_t size)
{
  struct db *db = NULL;
  struct query *query = NULL;
  struct error error = {0};
  char sql[128];
  enum status status = db_open(&db, fixture->manifest, DB_EXISTING, &error);
  if (status) fail_msg("%s", error.text);
  snprintf(sql, sizeof sql, "SELECT %s FROM stage_log WHERE id = ?", column);
  assert_int_equal(query_open(&query, db, sql, &error), OK);
  assert_int_equal(query_bind(query, &error, "i", (int64_t)id), OK);
  assert_true(query_next(query, &status, &error));
  snprintf(out, size, "%s", query_text(query, 0));
  query_close(query);
  db_close(db);
}

static void assert_log(const struct fixture *fixture, int id, const char *column, const char *expected)
{
  char text[512];
  log_column(fixture, id, column, text, sizeof text);
  assert_string_equal(text, expected);
}

static void wait_until_it_says(struct fixture *fixture, const char *text)
{
  for (int i = 0; i < 5000; i++) {
    slurp(fixture, "err", fixture->err);
    if (strstr(fixture->err, text)) return;
    usleep(1000);
  }
  fail_msg("the stage did not say \"%s\": %s", text, fixture->err);
}

static void wait_until_ready(struct fixture *fixture)
{
  wait_until_it_says(fixture, "ready");
}

// --- tests ---------------------------------------------------------------------------------------------------------

static void test_help(void **state)
{
  struct fixture *fixture = *state;
  assert_int_equal(run_toy(fixture, ARGUMENTS("--help", "--nonsense")), 0);
  assert_holds(fixture->out, "Usage: build/stages/toy");
  assert_holds(fixture->out, "--do WHAT");
  assert_holds(fixture->out, "--set KEY=VALUE");
  assert_holds(fixture->out, "Example:\n  build/stages/toy --do nothing");
  assert_holds(fixture->out, "130  interrupted");
  assert_int_equal(run_toy(fixture, ARGUMENTS("-h")), 0);
  assert_holds(fixture->out, "Usage: build/stages/toy");
  assert_int_equal(run_toy(fixture, ARGUMENTS("--help-config")), 0);
  assert_holds(fixture->out, "train.epochs: 10");
  assert_int_equal(run_toy(fixture, ARGUMENTS("--version")), 0);
  assert_holds(fixture->out, "toy 0.");
}

static void test_usage(void **state)
{
  struct fixture *fixture = *state;
  static const struct {
    const char *arguments[4], *message;
  } cases[] = {
      {{"--nonsense"}, "toy: unknown option --nonsense"},
      {{"--config"}, "toy: --config needs a value"},
      {{"--strict=1"}, "toy: --strict=1 takes no value"},
      {{"extra"}, "toy: unexpected argument extra\n"},
      {{"extra", "more"}, "toy: unexpected argument extra\n"},
      {{"--", "extra"}, "toy: unexpected argument extra\n"},
      {{"-config", "x"}, "toy: unknown option -config\n"},
      {{"extra", "-m"}, "toy: unknown option -m\n"},
      {{"--set", "-xy", "-xy"}, "toy: unknown option -xy\n"},
      {{"--threads", "0"}, "toy: --threads 0: not a number of threads; allowed: 1 to 1024"},
      {{"--threads", "two"}, "toy: --threads two: not a number"},
      {{"--set", "train.epocs=5"}, "did you mean train.epochs?"},
      {{"--config", "no/such.yaml"}, "cannot open no/such.yaml: No such file or directory"},
      {{"--do", "usage"}, "toy: no such folder"},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    assert_int_equal(run_toy(fixture, cases[i].arguments), 2);
    assert_holds(fixture->err, cases[i].message);
    assert_holds(fixture->err, "try build/stages/toy --help");
    assert_string_equal(fixture->out, "");
  }
}

static void test_done(void **state)
{
  struct fixture *fixture = *state;
  assert_int_equal(run_toy(fixture, ARGUMENTS("--threads", "3", "--json")), 0);
  assert_holds(fixture->err, "toy: runs because seed changed from 7 to 0\n");
  assert_holds(fixture->err, "toy: 8,700 images in 3.1 s (2,806 images/s)\n");
  assert_holds(fixture->out, "\"state\":\"done\"");
  assert_holds(fixture->out, "\"images\":8700");
  assert_log(fixture, 1, "state", "done");
  assert_log(fixture, 1, "stage", "toy");
  assert_log(fixture, 1, "subject", "toys");
  assert_log(fixture, 1, "why", "seed changed from 7 to 0");
  assert_log(fixture, 1, "parameters", "{\"code\":\"1\",\"seed\":\"0\"}");
  assert_log(fixture, 1, "length(key)", "64");
  assert_log(fixture, 1, "images", "8700");
  assert_log(fixture, 1, "threads", "3");
  assert_log(fixture, 1, "round(images_per_second)", "2806.0");
  assert_log(fixture, 1, "peak_memory > 1000000", "1");
  assert_log(fixture, 1, "finished_at >= started_at", "1");
  assert_log(fixture, 1, "json_extract(arguments, '$[3]')", "--threads");
  assert_int_equal(run_toy(fixture, ARGUMENTS("--quiet")), 0);
  assert_string_equal(fixture->err, "");
}

static void test_failure(void **state)
{
  struct fixture *fixture = *state;
  assert_int_equal(run_toy(fixture, ARGUMENTS("--do", "fail")), 1);
  assert_string_equal(fixture->err, "toy: broken.jpg: 3 bytes, at least 4 are needed\n");
  assert_log(fixture, 1, "state", "failed");
  assert_log(fixture, 1, "message", "broken.jpg: 3 bytes, at least 4 are needed");
  assert_int_equal(run_toy(fixture, ARGUMENTS("--do", "fail", "--json")), 1);
  assert_holds(fixture->out, "\"subject\":\"toys\",\"message\":\"broken.jpg: 3 bytes, at least 4 are needed\"");
  assert_int_equal(run_toy(fixture, ARGUMENTS("--do", "bytes", "--json")), 1);
  assert_holds(fixture->out, "\"subject\":\"caf\\\\xE9\",\"message\":\"caf\\\\xE9/\xc3\xa9\\\\x5C.jpg: changed\"");
}

static void test_missing_manifest(void **state)
{
  struct fixture *fixture = *state;
  struct stage_definition later = toy;
  later.needs_manifest = true;
  assert_int_equal(finish(fixture, start(fixture, &later, NULL)), 1);
  assert_holds(fixture->err, "run build/stages/ingest first");
  assert_int_not_equal(access(fixture->manifest, F_OK), 0);
}

static void test_interruption(void **state)
{
  struct fixture *fixture = *state;
  static const int signals[] = {SIGINT, SIGTERM};
  for (int i = 0; i < 2; i++) {
    pid_t pid = start(fixture, &toy, ARGUMENTS("--do", "wait"));
    wait_until_ready(fixture);
    kill(pid, signals[i]);
    assert_int_equal(finish(fixture, pid), 130);
    assert_holds(fixture->err, "toy: interrupted; what was finished is kept");
    assert_log(fixture, i + 1, "state", "interrupted");
  }
}

static void test_second_signal_ends_at_once(void **state)
{
  struct fixture *fixture = *state;
  pid_t pid = start(fixture, &toy, ARGUMENTS("--do", "hang"));
  wait_until_ready(fixture);
  kill(pid, SIGINT);
  wait_until_it_says(fixture, "hangs all the same"); // two signals that are pending at once would be one
  kill(pid, SIGINT);
  assert_int_equal(finish(fixture, pid), 130);
  assert_log(fixture, 1, "state", "running");
}

// A killed stage's row is closed by the next one; its lock is free.
static void test_killed_stage(void **state)
{
  struct fixture *fixture = *state;
  pid_t pid = start(fixture, &toy, ARGUMENTS("--do", "hang"));
  wait_until_ready(fixture);
  kill(pid, SIGKILL);
  assert_int_equal(finish(fixture, pid), 1000 + SIGKILL);
  assert_log(fixture, 1, "state", "running");
  assert_int_equal(run_toy(fixture, NULL), 0);
  assert_log(fixture, 1, "state", "interrupted");
  assert_log(fixture, 2, "state", "done");
}

// Rows of another stage are closed too if nobody holds its lock, whatever its name is.
static void test_other_stages_rows(void **state)
{
  struct fixture *fixture = *state;
  struct db *db = NULL;
  struct error error = {0};
  assert_int_equal(run_toy(fixture, NULL), 0);
  assert_int_equal(db_open(&db, fixture->manifest, DB_EXISTING, &error), OK);
  for (const char **name = (const char *[]){"other", "../../etc/passwd", NULL}; *name; name++)
    assert_int_equal(db_run(db, &error,
                            "INSERT INTO stage_log (stage, arguments, state, threads, version, pid, started_at)"
                            " VALUES (?, '[]', 'running', 1, '', 1, 0)",
                            "t", *name),
                     OK);
  db_close(db);
  assert_int_equal(run_toy(fixture, NULL), 0);
  assert_log(fixture, 2, "state", "interrupted");
  assert_log(fixture, 3, "state", "interrupted");
}

static void test_second_copy_is_refused(void **state)
{
  struct fixture *fixture = *state;
  char expected[96];
  pid_t pid = start(fixture, &toy, ARGUMENTS("--do", "wait"));
  wait_until_ready(fixture);
  snprintf(expected, sizeof expected, "toy is running on this manifest already, as process %ld", (long)pid);
  assert_int_equal(run_toy(fixture, NULL), 1);
  assert_holds(fixture->err, expected);
  kill(pid, SIGTERM);
  assert_int_equal(finish(fixture, pid), 130);
  assert_log(fixture, 1, "state", "interrupted");
}

static void test_full_stdout(void **state)
{
  struct fixture *fixture = *state;
  fflush(NULL);
  pid_t pid = fork();
  if (pid == 0) {
    int full = open("/dev/full", O_WRONLY);
    dup2(full, STDOUT_FILENO);
    redirect(fixture, "err", STDERR_FILENO);
    char *arguments[] = {(char *)"toy", (char *)"--manifest", fixture->manifest, (char *)"--do", (char *)"print", NULL};
    _exit(stage_main(&toy, 5, arguments));
  }
  assert_int_equal(finish(fixture, pid), 1);
  assert_holds(fixture->err, "toy: cannot write to stdout: No space left on device");
}

// --- keys ----------------------------------------------------------------------------------------------------------

static struct stage_key *make_key(const char *seed, const char *data)
{
  struct stage_key *key = NULL;
  struct error error = {0};
  assert_int_equal(stage_key_new(&key, 1, &error), OK);
  assert_int_equal(stage_key_add(key, "dataset content", data, &error), OK);
  assert_int_equal(stage_key_add(key, "seed", seed, &error), OK);
  assert_int_equal(stage_key_finish(key, &error), OK);
  return key;
}

#define DIGEST_A "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define DIGEST_B "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"

static void test_key(void **state)
{
  (void)state;
  char text[128];
  struct stage_key *one = make_key("0", DIGEST_A), *same = make_key("0", DIGEST_A), *other = make_key("1", DIGEST_B);
  assert_string_equal(stage_key_parameters(one),
                      "{\"code\":\"1\",\"dataset content\":\"" DIGEST_A "\",\"seed\":\"0\"}");
  assert_string_equal(stage_key_digest(one), stage_key_digest(same));
  assert_string_not_equal(stage_key_digest(one), stage_key_digest(other));
  stage_key_changes(other, stage_key_parameters(one), text, sizeof text);
  assert_string_equal(text, "dataset content changed, seed changed from 0 to 1");
  stage_key_changes(one, stage_key_parameters(same), text, sizeof text);
  assert_string_equal(text, "an earlier execution did not finish");
  stage_key_changes(one, NULL, text, sizeof text);
  assert_string_equal(text, "nothing like it was done yet");
  stage_key_changes(one, "not JSON", text, sizeof text);
  assert_string_equal(text, "nothing like it was done yet");
  stage_key_changes(one, "{\"code\":\"2\",\"old\":\"x\",\"seed\":0}", text, sizeof text);
  assert_string_equal(text, "the stage's code changed, dataset content and 1 more count now, old no longer counts");
  stage_key_changes(other, stage_key_parameters(one), text, 20);
  assert_string_equal(text, "dataset content ...");
  stage_key_free(one);
  stage_key_free(same);
  stage_key_free(other);
}

static void test_number(void **state)
{
  (void)state;
  static const struct {
    uint64_t number;
    const char *text;
  } cases[] = {{0, "0"},          {999, "999"},           {1000, "1,000"},
               {87000, "87,000"}, {1234567, "1,234,567"}, {UINT64_MAX, "18,446,744,073,709,551,615"}};
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    char text[STAGE_NUMBER_LIMIT];
    stage_number(cases[i].number, text);
    assert_string_equal(text, cases[i].text);
  }
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup_teardown(test_help, set_up, tear_down),
      cmocka_unit_test_setup_teardown(test_usage, set_up, tear_down),
      cmocka_unit_test_setup_teardown(test_done, set_up, tear_down),
      cmocka_unit_test_setup_teardown(test_failure, set_up, tear_down),
      cmocka_unit_test_setup_teardown(test_missing_manifest, set_up, tear_down),
      cmocka_unit_test_setup_teardown(test_interruption, set_up, tear_down),
      cmocka_unit_test_setup_teardown(test_second_signal_ends_at_once, set_up, tear_down),
      cmocka_unit_test_setup_teardown(test_killed_stage, set_up, tear_down),
      cmocka_unit_test_setup_teardown(test_other_stages_rows, set_up, tear_down),
      cmocka_unit_test_setup_teardown(test_second_copy_is_refused, set_up, tear_down),
      cmocka_unit_test_setup_teardown(test_full_stdout, set_up, tear_down),
      cmocka_unit_test(test_key),
      cmocka_unit_test(test_number),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
