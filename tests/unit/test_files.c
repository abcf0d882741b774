// Opening what others named, listing, and publication with every way in which it can fail.
#include <errno.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>

#include "check.h"
#include "core/files.h"
#include "folder.h"

static int open_folder(const char *path)
{
  int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  assert_true(fd >= 0);
  return fd;
}

static void assert_refused(int root, const char *path, enum status expected)
{
  struct error error = {0};
  int fd = -1;
  uint64_t size = 0;
  assert_int_equal(file_open_beneath(&fd, &size, root, path, &error), expected);
  assert_int_equal(fd, -1);
  assert_true(error.text[0] != '\0');
}

static void test_paths(void **state)
{
  (void)state;
  char out[PATH_LIMIT];
  assert_int_equal(path_join(out, "a", "b", NULL), OK);
  assert_string_equal(out, "a/b");
  assert_int_equal(path_join(out, "/", "b", NULL), OK);
  assert_string_equal(out, "/b");
  assert_int_equal(path_join(out, "a/", "b", NULL), OK);
  assert_string_equal(out, "a/b");
  char name[PATH_LIMIT];
  memset(name, 'x', sizeof name);
  name[PATH_LIMIT - 3] = '\0';
  assert_int_equal(path_join(out, "a", name, NULL), OK);
  name[PATH_LIMIT - 3] = 'x', name[PATH_LIMIT - 2] = '\0';
  struct error error = {0};
  assert_int_equal(path_join(out, "a", name, &error), BAD_DATA);
  assert_non_null(strstr(error.text, "4095"));
}

static void test_folders(void **state)
{
  (void)state;
  assert_int_equal(folder_make(in_folder("x/y/z"), NULL), OK);
  assert_int_equal(folder_make(in_folder("x/y/z/"), NULL), OK);
  assert_int_equal(access(in_folder("x/y/z"), W_OK), 0);
  write_file("plain", "", 0);
  struct error error = {0};
  assert_int_equal(folder_make(in_folder("plain"), &error), FAILED);
  assert_int_equal(folder_make(in_folder("plain/below"), &error), FAILED);
  assert_non_null(strstr(error.text, "plain"));
}

static void test_open_beneath(void **state)
{
  (void)state;
  static const char *const odd[] = {"A/a b'`$(x);.jpg", "A/-rf", "A/line\nbreak", "A/\xff\xfe", "A/..."};
  folder_make(in_folder("root/A"), NULL);
  int root = open_folder(in_folder("root"));
  for (size_t i = 0; i < sizeof odd / sizeof *odd; i++) {
    char name[256];
    snprintf(name, sizeof name, "root/%s", odd[i]);
    write_file(name, "12345", 5);
    int fd = -1;
    uint64_t size = 0;
    assert_int_equal(file_open_beneath(&fd, &size, root, odd[i], NULL), OK);
    assert_int_equal(size, 5);
    close(fd);
  }
  close(root);
}

static void test_nothing_leads_out(void **state)
{
  (void)state;
  folder_make(in_folder("jail/A"), NULL);
  write_file("secret", "x", 1);
  write_file("jail/A/file", "x", 1);
  assert_int_equal(symlink("../secret", in_folder("jail/link")), 0);
  assert_int_equal(symlink("A/file", in_folder("jail/inner")), 0);
  assert_int_equal(symlink("..", in_folder("jail/parent")), 0);
  assert_int_equal(symlink("loop", in_folder("jail/loop")), 0);
  int root = open_folder(in_folder("jail"));
  char absolute[512];
  snprintf(absolute, sizeof absolute, "%s", in_folder("secret"));
  assert_refused(root, "../secret", BAD_DATA);
  assert_refused(root, "A/../../secret", BAD_DATA);
  assert_refused(root, absolute, BAD_DATA);
  assert_refused(root, "link", BAD_DATA);
  assert_refused(root, "inner", BAD_DATA); // links are refused even where they stay inside
  assert_refused(root, "parent/secret", BAD_DATA);
  assert_refused(root, "loop", BAD_DATA);
  assert_refused(root, "A/file/deeper", BAD_DATA);
  assert_refused(root, "A", BAD_DATA);
  assert_refused(root, ".", BAD_DATA);
  assert_refused(root, "missing", FAILED);
  assert_refused(root, "", FAILED);
  close(root);
}

static void test_special_files_do_not_block(void **state)
{
  (void)state;
  folder_make(in_folder("special"), NULL);
  assert_int_equal(mkfifo(in_folder("special/fifo"), 0600), 0);
  int server = socket(AF_UNIX, SOCK_STREAM, 0);
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  snprintf(address.sun_path, sizeof address.sun_path, "%s/special/socket", folder);
  assert_int_equal(bind(server, (struct sockaddr *)&address, sizeof address), 0);
  int root = open_folder(in_folder("special"));
  alarm(5); // a FIFO that blocks ends the test
  assert_refused(root, "fifo", BAD_DATA);
  assert_refused(root, "socket", BAD_DATA);
  uint8_t *bytes = NULL;
  size_t size = 0;
  assert_int_equal(file_read(&bytes, &size, in_folder("special/fifo"), 10, NULL), BAD_DATA);
  alarm(0);
  close(root);
  close(server);
  int devices = open_folder("/dev");
  assert_refused(devices, "null", BAD_DATA);
  close(devices);
}

static void test_whole_reads(void **state)
{
  (void)state;
  uint8_t *bytes = NULL;
  size_t size = 0;
  struct error error = {0};
  const char *path = write_file("ten", "0123456789", 10);
  assert_int_equal(file_read(&bytes, &size, path, 10, &error), OK);
  assert_int_equal(size, 10);
  assert_string_equal((char *)bytes, "0123456789");
  free(bytes);
  assert_int_equal(file_read(&bytes, &size, path, 9, &error), BAD_DATA);
  assert_non_null(strstr(error.text, "at most 9"));
  assert_null(bytes);
  char buffer[20];
  int fd = open(path, O_RDONLY);
  assert_int_equal(file_read_exactly(fd, buffer, 11, path, &error), BAD_DATA);
  assert_non_null(strstr(error.text, "10 of 11"));
  close(fd);
}

static void test_listing(void **state)
{
  (void)state;
  folder_make(in_folder("list/b"), NULL);
  write_file("list/a10", "", 0);
  write_file("list/a2", "xyz", 3);
  write_file("list/.hidden", "", 0);
  write_file("list/\xc3\xa9", "", 0);
  assert_int_equal(symlink("b", in_folder("list/link")), 0);
  struct listing listing = {0};
  assert_int_equal(folder_list(&listing, in_folder("list"), NULL), OK);
  assert_int_equal(listing.count, 6);
  static const char *const names[] = {".hidden", "a10", "a2", "b", "link", "\xc3\xa9"};
  for (size_t i = 0; i < 6; i++) assert_string_equal(listing.entries[i].name, names[i]);
  assert_true(listing.entries[2].is_regular && listing.entries[2].size == 3 && listing.entries[2].mtime_ns > 0);
  assert_true(listing.entries[3].is_folder && !listing.entries[3].is_regular);
  assert_true(listing.entries[4].is_link && !listing.entries[4].is_folder);
  listing_release(&listing);
  struct error error = {0};
  assert_int_equal(folder_list(&listing, in_folder("list/a2"), &error), FAILED);
  assert_int_equal(folder_list(&listing, in_folder("absent"), &error), FAILED);
  assert_non_null(strstr(error.text, "absent"));
  listing_release(&listing);
}

// --- publication -----------------------------------------------------------------------------------------------------

static size_t count_entries(const char *path)
{
  struct listing listing = {0};
  assert_int_equal(folder_list(&listing, path, NULL), OK);
  size_t count = listing.count;
  listing_release(&listing);
  return count;
}

static void assert_holds(const char *path, const char *text)
{
  uint8_t *bytes = NULL;
  size_t size = 0;
  assert_int_equal(file_read(&bytes, &size, path, 1000, NULL), OK);
  assert_string_equal((char *)bytes, text);
  free(bytes);
}

static void test_publication(void **state)
{
  (void)state;
  folder_make(in_folder("out"), NULL);
  struct publication file;
  mode_t mask = umask(027);
  assert_int_equal(publication_open(&file, in_folder("out/x"), NULL), OK);
  umask(mask);
  fputs("one", file.stream);
  assert_int_equal(access(in_folder("out/x"), F_OK), -1); // not there before it is whole
  assert_int_equal(publication_commit(&file, NULL), OK);
  publication_discard(&file);
  assert_holds(in_folder("out/x"), "one");
  struct stat info;
  assert_int_equal(stat(in_folder("out/x"), &info), 0);
  assert_int_equal(info.st_mode & 0777, 0640);
  assert_int_equal(count_entries(in_folder("out")), 1);
}

static void test_discarded_publication_leaves_the_old_file(void **state)
{
  (void)state;
  folder_make(in_folder("kept"), NULL);
  write_file("kept/x", "old", 3);
  struct publication file;
  assert_int_equal(publication_open(&file, in_folder("kept/x"), NULL), OK);
  fputs("new", file.stream);
  publication_discard(&file);
  publication_discard(&file);
  assert_holds(in_folder("kept/x"), "old");
  assert_int_equal(count_entries(in_folder("kept")), 1);
  struct publication zeroed = {0};
  publication_discard(&zeroed);
  assert_true(fcntl(0, F_GETFD) >= 0); // descriptor 0 was not taken for the zeroed one's
}

static void test_publication_fails_cleanly(void **state)
{
  (void)state;
  struct error error = {0};
  struct publication file;
  assert_int_equal(publication_open(&file, in_folder("absent/x"), &error), FAILED);
  publication_discard(&file);
  assert_non_null(strstr(error.text, "absent"));
  folder_make(in_folder("busy/x/full"), NULL); // rename over a folder is refused
  assert_int_equal(publication_open(&file, in_folder("busy/x"), NULL), OK);
  assert_int_equal(publication_commit(&file, &error), FAILED);
  publication_discard(&file);
  assert_int_equal(count_entries(in_folder("busy")), 1);
}

// A write that the system refuses only when the buffer is flushed: the file size limit stands for a full disk.
static void test_refused_write_is_seen(void **state)
{
  (void)state;
  folder_make(in_folder("limit"), NULL);
  write_file("limit/x", "old", 3);
  struct error error = {0};
  struct publication file;
  struct rlimit old, small;
  signal(SIGXFSZ, SIG_IGN);
  assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
  small = old, small.rlim_cur = 100;
  assert_int_equal(publication_open(&file, in_folder("limit/x"), NULL), OK);
  assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
  for (int i = 0; i < 100; i++) fprintf(file.stream, "%d lines of text\n", i);
  enum status status = publication_commit(&file, &error);
  assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
  assert_int_equal(status, FAILED);
  assert_non_null(strstr(error.text, "File too large"));
  publication_discard(&file);
  assert_holds(in_folder("limit/x"), "old");
  assert_int_equal(count_entries(in_folder("limit")), 1);
}

static void test_what_the_dead_left_is_collected(void **state)
{
  (void)state;
  struct publication mine;
  assert_int_equal(mkdir(in_folder("collect"), 0777), 0);
  assert_int_equal(publication_open(&mine, in_folder("collect/mine"), NULL), OK);
  pid_t child = fork();
  if (child == 0) { // ends in the middle of it; the copy of the parent's does not end that
    struct publication file;
    _exit(publication_open(&file, in_folder("collect/lost"), NULL) ? 1 : 0);
  }
  siginfo_t ended;
  assert_int_equal(waitid(P_PID, (id_t)child, &ended, WEXITED | WNOWAIT), 0); // and nobody has asked for its status
  assert_int_equal(ended.si_status, 0);
  write_file("collect/kept", "x", 1);
  assert_int_equal(count_entries(in_folder("collect")), 3);
  assert_int_equal(publications_collect(in_folder("collect"), NULL), OK);
  assert_int_equal(count_entries(in_folder("collect")), 2);
  assert_int_equal(publication_commit(&mine, NULL), OK);
  assert_int_equal(access(in_folder("collect/mine"), F_OK), 0);
  assert_int_equal(publications_collect(in_folder("nowhere"), NULL), OK);
  assert_int_equal(waitpid(child, NULL, 0), child);
}

// The writer is in a container beside this one, say: nobody here has its process id, or somebody else has.
static void test_what_is_being_written_is_not_collected_whoever_writes_it(void **state)
{
  (void)state;
  char paths[2][64];
  int fds[2];
  pid_t child = fork();
  if (child == 0) _exit(0);
  assert_int_equal(waitpid(child, NULL, 0), child); // a process id that nobody has now
  assert_int_equal(mkdir(in_folder("beside"), 0777), 0);
  for (int i = 0; i < 2; i++) {
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    snprintf(paths[i], sizeof paths[i], "beside/.publishing-%ld-1-0", (long)(i ? getpid() : child));
    fds[i] = open(write_file(paths[i], "x", 1), O_RDWR);
    assert_int_equal(fcntl(fds[i], F_OFD_SETLK, &lock), 0);
  }
  assert_int_equal(publications_collect(in_folder("beside"), NULL), OK);
  assert_int_equal(count_entries(in_folder("beside")), 2);
  for (int i = 0; i < 2; i++) close(fds[i]);
  assert_int_equal(publications_collect(in_folder("beside"), NULL), OK);
  assert_int_equal(count_entries(in_folder("beside")), 0);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_paths),
      cmocka_unit_test(test_folders),
      cmocka_unit_test(test_open_beneath),
      cmocka_unit_test(test_nothing_leads_out),
      cmocka_unit_test(test_special_files_do_not_block),
      cmocka_unit_test(test_whole_reads),
      cmocka_unit_test(test_listing),
      cmocka_unit_test(test_publication),
      cmocka_unit_test(test_discarded_publication_leaves_the_old_file),
      cmocka_unit_test(test_publication_fails_cleanly),
      cmocka_unit_test(test_refused_write_is_seen),
      cmocka_unit_test(test_what_the_dead_left_is_collected),
      cmocka_unit_test(test_what_is_being_written_is_not_collected_whoever_writes_it),
  };
  return cmocka_run_group_tests(tests, folder_setup, folder_teardown);
}
