// Downloads from a server on this machine: whole, resumed, broken off, refused, of another file, stopped.
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "core/child.h"
#include "core/digest.h"
#include "core/files.h"
#include "core/progress.h"
#include "core/rng.h"
#include "fetch/download.h"

#include "check.h"
#include "folder.h"

enum { SIZE = 300000 };

static char md5[MD5_TEXT], target[128], part[160], log_path[128], url[64];
static uint8_t content[SIZE];
static pid_t server;

static const char *file_md5(const char *path)
{
  static char text[MD5_TEXT];
  int fd = open(path, O_RDONLY | O_CLOEXEC);
  assert_true(fd >= 0);
  assert_int_equal(md5_of_opened(text, fd, path, NULL), OK);
  close(fd);
  return text;
}

static void stop_server(void)
{
  if (server > 0) {
    kill(server, SIGKILL);
    waitpid(server, NULL, 0);
  }
  server = 0;
}

// Starts the server with up to four options, and forgets what an earlier test left.
static void serve(const char *const options[4])
{
  char program[PATH_LIMIT];
  const char *arguments[8] = {program, in_folder("served"), log_path};
  int ends[2];
  posix_spawn_file_actions_t actions;
  stop_server();
  unlink(target);
  unlink(part);
  unlink(log_path);
  assert_int_equal(child_path(program, "tools", "serve_file", NULL), OK);
  for (int i = 0; i < 4 && options && options[i]; i++) arguments[3 + i] = options[i];
  assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, ends[1], 1);
  assert_int_equal(posix_spawn(&server, program, &actions, NULL, (char *const *)arguments, environ), 0);
  posix_spawn_file_actions_destroy(&actions);
  close(ends[1]);
  FILE *output = fdopen(ends[0], "r");
  char port[16] = "";
  assert_non_null(fgets(port, sizeof port, output));
  (void)fclose(output);
  snprintf(url, sizeof url, "http://127.0.0.1:%d/file", (int)strtol(port, NULL, 10));
}

struct watch {
  uint64_t most, stop_at;
};

static void on_progress(void *self, uint64_t done)
{
  struct watch *watch = self;
  if (done > watch->most) watch->most = done;
}

static bool on_stop(void *self)
{
  const struct watch *watch = self;
  return watch->stop_at && watch->most >= watch->stop_at;
}

static enum status fetch_watched(struct watch *watch, struct error *error)
{
  const struct download wanted = {
      .url = url, .path = target, .bytes = SIZE, .md5 = md5, .self = watch, .progress = on_progress, .stop = on_stop};
  *error = (struct error){0};
  return download(&wanted, error);
}

static enum status fetch(struct error *error)
{
  struct watch watch = {0};
  return fetch_watched(&watch, error);
}

static void expect_whole(void)
{
  struct error error;
  if (fetch(&error)) fail_msg("%s", error.text);
  assert_string_equal(file_md5(target), md5);
  assert_int_equal(access(part, F_OK), -1);
}

static void expect_log(const char *wanted)
{
  uint8_t *bytes = NULL;
  size_t size;
  assert_int_equal(file_read(&bytes, &size, log_path, 10000, NULL), OK);
  assert_string_equal((const char *)bytes, wanted);
  free(bytes);
}

static void expect_failure(enum status status, const char *message)
{
  struct error error;
  assert_int_equal(fetch(&error), status);
  if (!strstr(error.text, message)) fail_msg("%s", error.text);
  assert_int_equal(access(target, F_OK), -1);
}

static void write_part(size_t size)
{
  FILE *file = fopen(part, "wb");
  assert_non_null(file);
  assert_int_equal(fwrite(content, 1, size, file), size);
  assert_int_equal(fclose(file), 0);
}

static void test_whole(void **state)
{
  (void)state;
  serve(NULL);
  expect_whole();
  expect_log("whole\n");
}

static void test_resumed(void **state)
{
  (void)state;
  serve(NULL);
  write_part(123456);
  expect_whole();
  expect_log("123456\n");
  serve(NULL); // all bytes are there already: nothing is asked for
  write_part(SIZE);
  expect_whole();
  assert_int_equal(access(log_path, F_OK), -1);
}

static void test_server_without_ranges(void **state)
{
  (void)state;
  serve((const char *const[4]){"--no-range"});
  write_part(1000);
  expect_whole();
  expect_log("1000\n");
}

static void test_other_range(void **state)
{
  (void)state;
  serve((const char *const[4]){"--shift"});
  write_part(1000);
  expect_whole();
  expect_log("1000\nwhole\n");
}

static void test_broken_off(void **state)
{
  (void)state;
  serve((const char *const[4]){"--cut", "100000", "--cuts", "2"});
  expect_whole();
  expect_log("whole\n100000\n200000\n");
  serve((const char *const[4]){"--cut", "100000", "--no-length"}); // the end of the body is the connection's
  expect_whole();
  expect_log("whole\n100000\n200000\n");
  serve((const char *const[4]){"--cut", "0"});
  write_part(5000);
  expect_failure(FAILED, "the connection broke off at 5000 of 300000 bytes, 3 times in a row");
  struct stat info;
  assert_int_equal(stat(part, &info), 0); // kept for another day
  assert_int_equal(info.st_size, 5000);
}

static void test_refused(void **state)
{
  (void)state;
  serve((const char *const[4]){"--status", "404"});
  expect_failure(FAILED, "404");
  assert_int_equal(access(part, F_OK), -1);
  serve((const char *const[4]){"--status", "503"});
  expect_failure(FAILED, "3 times in a row");
  stop_server();
  expect_failure(FAILED, url);
}

// A part of other bytes is found out at the end, and fetched anew; a server's other file is not.
static void test_wrong_bytes(void **state)
{
  (void)state;
  serve(NULL);
  content[7] ^= 1;
  write_part(200000);
  content[7] ^= 1;
  expect_whole();
  expect_log("200000\nwhole\n");
  serve(NULL);
  char right = md5[3];
  md5[3] = right == '0' ? '1' : '0';
  expect_failure(BAD_DATA, "the server's file has the MD5 ");
  expect_log("whole\n");
  md5[3] = right;
  assert_int_equal(access(part, F_OK), -1);
}

static void write_served(size_t size)
{
  FILE *file = fopen(in_folder("served"), "wb");
  assert_non_null(file);
  for (size_t done = 0; done < size; done += SIZE)
    assert_int_equal(fwrite(content, 1, size - done < SIZE ? size - done : SIZE, file),
                     size - done < SIZE ? size - done : SIZE);
  assert_int_equal(fclose(file), 0);
}

static void test_wrong_size(void **state)
{
  (void)state;
  write_served(2 * SIZE);
  serve(NULL);
  expect_failure(BAD_DATA, "has more than 300000 bytes: it is another one");
  assert_int_equal(access(part, F_OK), -1);
  write_served(SIZE - 1);
  serve(NULL);
  expect_failure(BAD_DATA, "the server's file has 299999 bytes or fewer, not 300000");
  assert_int_equal(access(part, F_OK), -1);
  write_served(SIZE);
}

static void test_stopped(void **state)
{
  (void)state;
  struct watch watch = {.stop_at = 20000};
  struct error error;
  struct stat info;
  serve((const char *const[4]){"--slow"});
  double started = clock_seconds();
  assert_int_equal(fetch_watched(&watch, &error), INTERRUPTED);
  assert_true(clock_seconds() - started < 4);
  assert_int_equal(stat(part, &info), 0);
  assert_true(info.st_size >= 20000 && info.st_size < SIZE);
  long kept = (long)info.st_size;
  char line[32];
  // serve() would remove the part: another server of the same file, which goes on from there
  assert_int_equal(rename(part, in_folder("kept")), 0);
  serve(NULL);
  assert_int_equal(rename(in_folder("kept"), part), 0);
  expect_whole();
  snprintf(line, sizeof line, "%ld\n", kept);
  expect_log(line);
}

static void test_two_at_once(void **state)
{
  (void)state;
  serve(NULL);
  int fd = open(part, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
  assert_int_equal(fcntl(fd, F_OFD_SETLK, &lock), 0);
  expect_failure(FAILED, "another process is downloading it");
  assert_int_equal(access(part, F_OK), 0);
  close(fd);
  expect_whole();
}

static bool publish_before_lock;

// What another process may do while this one has opened the file, and not locked it yet.
// NOLINTNEXTLINE(readability-inconsistent-declaration-parameter-name): libc's begin with __
int fcntl(int fd, int command, ...)
{
  va_list arguments;
  va_start(arguments, command);
  void *argument = va_arg(arguments, void *);
  va_end(arguments);
  if (publish_before_lock && command == F_OFD_SETLK) {
    write_part(SIZE);
    assert_int_equal(rename(part, target), 0);
  }
  return (int)syscall(SYS_fcntl, fd, command, argument);
}

static void test_published_before_the_lock(void **state)
{
  (void)state;
  struct error error;
  serve((const char *const[4]){"--no-range"});
  write_part(1000);
  publish_before_lock = true;
  assert_int_equal(fetch(&error), FAILED);
  publish_before_lock = false;
  if (!strstr(error.text, "another process has just finished with it")) fail_msg("%s", error.text);
  assert_string_equal(file_md5(target), md5);
  assert_int_equal(access(log_path, F_OK), -1); // nothing was asked for
}

static void test_no_room(void **state)
{
  (void)state;
  serve(NULL);
  const struct download huge = {.url = url, .path = target, .bytes = 1ull << 60, .md5 = md5};
  struct error error = {0};
  assert_int_equal(download(&huge, &error), FAILED);
  assert_non_null(strstr(error.text, "bytes are free on its disk, the download needs 1152921504606846976"));
}

static int setup(void **state)
{
  if (folder_setup(state)) return -1;
  struct rng rng = rng_at(5, RNG_TEST, 0, 0);
  for (size_t i = 0; i < SIZE; i++) content[i] = (uint8_t)rng_bits(&rng);
  snprintf(target, sizeof target, "%s", in_folder("target"));
  snprintf(part, sizeof part, "%s.part", target);
  snprintf(log_path, sizeof log_path, "%s", in_folder("log"));
  write_served(SIZE);
  snprintf(md5, sizeof md5, "%s", file_md5(in_folder("served")));
  return 0;
}

static int teardown(void **state)
{
  stop_server();
  return folder_teardown(state);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_whole),
      cmocka_unit_test(test_resumed),
      cmocka_unit_test(test_server_without_ranges),
      cmocka_unit_test(test_other_range),
      cmocka_unit_test(test_broken_off),
      cmocka_unit_test(test_refused),
      cmocka_unit_test(test_wrong_bytes),
      cmocka_unit_test(test_wrong_size),
      cmocka_unit_test(test_stopped),
      cmocka_unit_test(test_two_at_once),
      cmocka_unit_test(test_published_before_the_lock),
      cmocka_unit_test(test_no_room),
  };
  return cmocka_run_group_tests(tests, setup, teardown);
}
