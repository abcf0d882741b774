#include "report/drawing.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/child.h"
#include "reports_gp.h"

// What gnuplot says goes here; it is ours to read when it fails.
#define MESSAGES "messages.txt"

enum { OUTPUT_LIMIT = 256 << 20 };

enum status drawing_file(FILE **out, struct drawing *drawing, const char *name, struct error *error)
{
  *out = NULL;
  char path[PATH_LIMIT];
  enum status status = path_join(path, drawing->folder, name, error);
  if (status) return status;
  *out = fopen(path, "wxe");
  return *out ? OK : fail_errno(error, "cannot write %s", path);
}

enum status drawing_file_close(FILE *file, const char *name, struct error *error)
{
  if (!file) return OK;
  int failed = ferror(file);
  int number = errno;
  if (fclose(file) == 0 && !failed) return OK;
  if (failed) errno = number;
  return fail_errno(error, "cannot write the report's data file %s", name);
}

static enum status write_scripts(struct drawing *drawing, struct error *error)
{
  enum status status = OK;
  for (size_t i = 0; !status && i < sizeof report_scripts / sizeof *report_scripts; i++) {
    FILE *file = NULL;
    status = drawing_file(&file, drawing, report_scripts[i].name, error);
    if (status) break;
    fputs(report_scripts[i].text, file);
    status = drawing_file_close(file, report_scripts[i].name, error);
  }
  return status;
}

#define FOLDER_PREFIX ".report-"

static void remove_folder(const char *folder)
{
  struct listing listing = {0};
  if (folder_list(&listing, folder, NULL) == OK)
    for (size_t i = 0; i < listing.count; i++) {
      char path[PATH_LIMIT];
      if (path_join(path, folder, listing.entries[i].name, NULL) == OK) unlink(path);
    }
  listing_release(&listing);
  rmdir(folder);
}

// What a killed execution left. One report stage works in a manifest's folder at a time: none of them is in use.
static void remove_leftovers(const char *parent)
{
  struct listing listing = {0};
  if (folder_list(&listing, parent, NULL) == OK)
    for (size_t i = 0; i < listing.count; i++) {
      const struct entry *entry = &listing.entries[i];
      char path[PATH_LIMIT];
      bool ours = entry->is_folder && strncmp(entry->name, FOLDER_PREFIX, strlen(FOLDER_PREFIX)) == 0;
      if (ours && path_join(path, parent, entry->name, NULL) == OK) remove_folder(path);
    }
  listing_release(&listing);
}

enum status drawing_open(struct drawing *drawing, const char *parent, struct error *error)
{
  drawing->folder[0] = '\0';
  char template[PATH_LIMIT];
  enum status status = path_join(template, parent, FOLDER_PREFIX "XXXXXX", error);
  if (status) return status;
  remove_leftovers(parent);
  if (!mkdtemp(template)) return fail_errno(error, "cannot make a temporary folder in %s", parent);
  memcpy(drawing->folder, template, sizeof template);
  status = write_scripts(drawing, error);
  if (status) drawing_close(drawing);
  return status;
}

// What gnuplot wrote, warnings left out (it warns of every plot without points), on one line; "" if nothing.
static void read_messages(const struct drawing *drawing, char *out, size_t size)
{
  char path[PATH_LIMIT], line[256];
  size_t used = 0;
  out[0] = '\0';
  FILE *file = path_join(path, drawing->folder, MESSAGES, NULL) == OK ? fopen(path, "re") : NULL;
  while (file && used < size && fgets(line, sizeof line, file)) {
    size_t length = strspn(line, " ^\t\r\n");
    if (!line[length] || strstr(line, "warning:")) continue;
    line[strcspn(line, "\r\n")] = '\0';
    used += (size_t)snprintf(out + used, size - used, "%s%s", used ? "; " : "", line + length);
  }
  if (file) (void)fclose(file); // it was only read
}

static int spawn_gnuplot(pid_t *child, const struct drawing *drawing, const char *script)
{
  const char *arguments[] = {"gnuplot", "-d", script, NULL}; // -d: no ~/.gnuplot, no system-wide start-up file
  posix_spawn_file_actions_t actions;
  int failed = posix_spawn_file_actions_init(&actions);
  if (failed) return failed;
  failed = posix_spawn_file_actions_addchdir_np(&actions, drawing->folder);
  if (!failed) failed = posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
  if (!failed) failed = posix_spawn_file_actions_addopen(&actions, 1, "/dev/null", O_WRONLY, 0);
  if (!failed) failed = posix_spawn_file_actions_addopen(&actions, 2, MESSAGES, O_WRONLY | O_CREAT | O_TRUNC, 0600);
  if (!failed) failed = child_spawn(child, &actions, arguments);
  posix_spawn_file_actions_destroy(&actions);
  return failed;
}

enum status drawing_run(struct drawing *drawing, const char *script, struct error *error)
{
  pid_t child;
  int failed = spawn_gnuplot(&child, drawing, script);
  if (failed == ENOENT)
    return fail(error, FAILED, "gnuplot is not installed: the report needs it (Debian: apt-get install gnuplot-nox)");
  if (failed) return errno = failed, fail_errno(error, "cannot start gnuplot");
  int ended;
  while (waitpid(child, &ended, 0) < 0)
    if (errno != EINTR) return fail_errno(error, "cannot wait for gnuplot");
  if (WIFEXITED(ended) && WEXITSTATUS(ended) == 0) return OK;
  char messages[600];
  read_messages(drawing, messages, sizeof messages);
  if (WIFSIGNALED(ended))
    return fail(error, FAILED, "gnuplot was ended by signal %d while it drew %s: %s", WTERMSIG(ended), script,
                messages);
  return fail(error, FAILED, "gnuplot could not draw %s (status %d): %s", script, WEXITSTATUS(ended), messages);
}

enum status drawing_publish(struct drawing *drawing, const char *name, const char *path, struct error *error)
{
  char source[PATH_LIMIT];
  uint8_t *bytes = NULL;
  size_t size = 0;
  enum status status = path_join(source, drawing->folder, name, error);
  if (!status) status = file_read(&bytes, &size, source, OUTPUT_LIMIT, error);
  if (!status && size == 0) status = fail(error, FAILED, "gnuplot drew nothing for %s", path);
  if (!status) {
    struct publication file = {0};
    status = publication_open(&file, path, error);
    if (!status) status = file_write_all(file.fd, bytes, size, path, error);
    if (!status) status = publication_commit(&file, error);
    publication_discard(&file);
  }
  free(bytes);
  return status;
}

void drawing_close(struct drawing *drawing)
{
  if (drawing->folder[0]) remove_folder(drawing->folder);
  drawing->folder[0] = '\0';
}
