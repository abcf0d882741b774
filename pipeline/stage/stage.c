#include "stage/stage.h"

#include <errno.h>
#include <jansson.h>
#include <omp.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdio_ext.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/utf8.h"
#include "core/version.h"
#include "stage/parts.h"
#include "store/log.h"

enum { EXIT_DONE = 0, EXIT_FAILED = 1, EXIT_USAGE = 2, EXIT_SIGNAL = 128 };

// --- signals -------------------------------------------------------------------------------------------------------

static volatile sig_atomic_t stop_signal; // the one global: a handler has no other way to reach the program

static void on_signal(int signal)
{
  if (stop_signal) _exit(EXIT_SIGNAL + signal); // asked twice: at once; what is published is whole in any case
  stop_signal = signal;
}

static void catch_signals(void)
{
  // SA_RESTART: stdio would report EINTR as a failed write.
  struct sigaction stop = {.sa_handler = on_signal, .sa_flags = SA_RESTART}, ignore = {.sa_handler = SIG_IGN};
  sigemptyset(&stop.sa_mask);
  sigemptyset(&ignore.sa_mask);
  sigaction(SIGINT, &stop, NULL);
  sigaction(SIGTERM, &stop, NULL);
  sigaction(SIGPIPE, &ignore, NULL); // a closed reader is an error of write, with a message
}

bool stage_interrupted(const struct stage *stage)
{
  (void)stage;
  return stop_signal != 0;
}

// --- what a stage asks for -----------------------------------------------------------------------------------------

struct config *stage_config(struct stage *stage)
{
  return stage->config;
}

struct db *stage_db(struct stage *stage)
{
  return stage->db;
}

const char *stage_folder(const struct stage *stage)
{
  return stage->folder;
}

int stage_threads(const struct stage *stage)
{
  return stage->threads;
}

bool stage_quiet(const struct stage *stage)
{
  return stage->options.quiet;
}

bool stage_json(const struct stage *stage)
{
  return stage->options.json;
}

const char *stage_option(const struct stage *stage, const char *name)
{
  const struct stage_option *options = stage->definition->options;
  for (int i = 0; options && options[i].name; i++)
    if (!strcmp(options[i].name, name)) return stage->options.own[i];
  return NULL;
}

// --- from start to end ---------------------------------------------------------------------------------------------

static int available_cpus(void)
{
  cpu_set_t cpus;
  if (sched_getaffinity(0, sizeof cpus, &cpus) == 0) return CPU_COUNT(&cpus) > 0 ? CPU_COUNT(&cpus) : 1;
  long online = sysconf(_SC_NPROCESSORS_ONLN);
  return online > 0 ? (int)online : 1;
}

// The manifest's folder, absolute; made by the stage that may start a manifest.
static enum status find_folder(struct stage *stage, struct error *error)
{
  const char *manifest = stage->options.manifest, *slash = strrchr(manifest, '/');
  char folder[PATH_LIMIT] = ".";
  if (strlen(manifest) >= PATH_LIMIT)
    return fail(error, BAD_USAGE, "--manifest: a path of %zu bytes", strlen(manifest));
  if (!manifest[0] || (slash && !slash[1])) return fail(error, BAD_USAGE, "--manifest %s: names no file", manifest);
  if (slash) snprintf(folder, sizeof folder, "%.*s", slash == manifest ? 1 : (int)(slash - manifest), manifest);
  struct stat info;
  if (stage->definition->needs_manifest && stat(manifest, &info) < 0 && (errno == ENOENT || errno == ENOTDIR))
    return fail(error, FAILED, "no manifest at %s yet: run build/stages/ingest first", manifest);
  enum status status = stage->definition->needs_manifest ? OK : folder_make(folder, error);
  if (status) return status;
  return realpath(folder, stage->folder) ? OK : fail_errno(error, "cannot open folder %s", folder);
}

static char *arguments_json(int argc, char **argv)
{
  json_t *array = json_array();
  for (int i = 0; array && i < argc; i++)
    if (json_array_append_new(array, json_string(argv[i]))) json_array_append_new(array, json_string("(not UTF-8)"));
  char *text = json_dumps(array, JSON_COMPACT);
  json_decref(array);
  return text;
}

static enum status open_all(struct stage *stage, int argc, char **argv, struct error *error)
{
  const struct stage_options *options = &stage->options;
  stage->threads = options->threads ? options->threads : available_cpus();
  omp_set_dynamic(0);
  omp_set_num_threads(stage->threads);
  enum status status = config_load(&stage->config, options->config, options->sets, options->set_count, error);
  if (!status) status = find_folder(stage, error);
  if (!status) status = config_train_on_renders(stage->config, stage->folder, error);
  if (!status) status = stage_lock(stage, error);
  enum db_mode mode = stage->definition->needs_manifest ? DB_EXISTING : DB_CREATE;
  if (!status) status = db_open(&stage->db, options->manifest, mode, error);
  if (status) return status;
  char *arguments = arguments_json(argc, argv);
  const struct log_start start = {.stage = stage->definition->name,
                                  .arguments = arguments ? arguments : "[]",
                                  .version = PIPELINE_VERSION,
                                  .threads = stage->threads,
                                  .pid = getpid()};
  status = log_start(stage->db, &start, &stage->log_id, error);
  free(arguments);
  if (!status) status = stage_close_abandoned(stage, error);
  return status;
}

static int64_t peak_memory(void)
{
  struct rusage usage;
  return getrusage(RUSAGE_SELF, &usage) == 0 ? (int64_t)usage.ru_maxrss * 1024 : 0;
}

static const char *text_or_null(const char *text)
{
  return text[0] ? text : NULL;
}

// JSON has text alone; a name from disk may be any bytes, and a long message is cut at one. NULL for NULL.
static json_t *text_json(const char *text)
{
  char shown[8 * STAGE_TEXT_LIMIT];
  if (!text || utf8_is_valid(text, strlen(text))) return json_string(text);
  utf8_show(shown, sizeof shown, text);
  return json_string(shown);
}

static void print_json(const struct stage *stage, const struct log_result *result)
{
  json_t *row = json_pack("{ss ss so* so* ss* so* sI sf sf sI si}", "stage", stage->definition->name, "state",
                          result->state, "subject", text_json(result->subject), "why", text_json(result->why), "key",
                          result->key, "message", text_json(result->message), "images", (json_int_t)result->images,
                          "seconds", result->seconds, "images_per_second",
                          result->images && result->seconds > 0 ? (double)result->images / result->seconds : 0.0,
                          "peak_memory", (json_int_t)result->peak_memory, "threads", stage->threads);
  char *text = row ? json_dumps(row, JSON_COMPACT | JSON_REAL_PRECISION(6)) : NULL;
  if (text) printf("%s\n", text);
  free(text);
  json_decref(row);
}

static void summarise(struct stage *stage)
{
  char images[STAGE_NUMBER_LIMIT], rate[STAGE_NUMBER_LIMIT];
  if (!stage->images) return;
  stage_number(stage->images, images);
  stage_number(stage->seconds > 0 ? (uint64_t)((double)stage->images / stage->seconds + 0.5) : 0, rate);
  stage_say(stage, "%s: %s images in %.1f s (%s images/s)", stage->definition->name, images, stage->seconds, rate);
}

// The closing row; a failure to write it is a failure of the stage.
static enum status finish(struct stage *stage, enum status status, struct error *error)
{
  char why[2 * STAGE_TEXT_LIMIT];
  snprintf(why, sizeof why, "%s%s%s", stage->why, stage->resumed[0] ? "; went on at " : "", stage->resumed);
  if (!stage->counted) stage->seconds = clock_seconds() - stage->started;
  if (stage->progress_on) progress_stop(&stage->progress);
  stage->progress_on = false;
  if (!status) summarise(stage);
  const struct log_result result = {.state = !status                 ? "done"
                                             : status == INTERRUPTED ? "interrupted"
                                                                     : "failed",
                                    .subject = text_or_null(stage->subject),
                                    .why = text_or_null(why),
                                    .key = text_or_null(stage->key),
                                    .parameters = stage->parameters,
                                    .message = status ? error->text : NULL,
                                    .images = stage->images,
                                    .seconds = stage->seconds,
                                    .peak_memory = peak_memory()};
  struct error second = {0};
  db_rollback(stage->db); // a failed stage may have left a transaction open
  enum status logged = log_finish(stage->db, stage->log_id, &result, &second);
  if (stage->options.json) print_json(stage, &result);
  if (logged && !status) {
    *error = second;
    return logged;
  }
  if (logged) stage_warn(stage, "the log row was not written: %s", second.text);
  return status;
}

static void close_all(struct stage *stage)
{
  db_close(stage->db);
  config_free(stage->config);
  if (stage->lock >= 0) close(stage->lock);
  free(stage->parameters);
  stage_options_release(&stage->options);
}

// Output that could not be written is a failure: a full disk shows only here. A stdout that was closed from the start
// and was not needed is none.
static bool close_stdout(void)
{
  bool pending = __fpending(stdout) > 0, failed = ferror(stdout) != 0;
  if (fclose(stdout) == 0) return !failed;
  return !failed && !pending && errno == EBADF;
}

static int exit_code(struct stage *stage, enum status status, const struct error *error)
{
  const char *name = stage->definition->name;
  if (!close_stdout()) {
    fprintf(stderr, "%s: cannot write to stdout: %s\n", name, strerror(errno));
    if (!status) return EXIT_FAILED;
  }
  if (!status) return EXIT_DONE;
  if (status == INTERRUPTED) {
    fprintf(stderr, "%s: %s; what was finished is kept, run it again to go on\n", name,
            error->text[0] ? error->text : "interrupted");
    return EXIT_SIGNAL + SIGINT;
  }
  fprintf(stderr, "%s: %s\n", name, error->text);
  if (status != BAD_USAGE) return EXIT_FAILED;
  fprintf(stderr, "try build/stages/%s --help\n", name);
  return EXIT_USAGE;
}

static enum status run(struct stage *stage, int argc, char **argv, struct error *error)
{
  const struct stage_definition *definition = stage->definition;
  enum status status = stage_options_read(&stage->options, definition, argc, argv, error);
  if (status) return status;
  switch (stage->options.action) {
  case STAGE_HELP:
    stage_help(definition, stdout);
    return OK;
  case STAGE_HELP_CONFIG:
    config_describe(stdout);
    return OK;
  case STAGE_VERSION:
    printf("%s %s\n", definition->name, PIPELINE_VERSION);
    return OK;
  case STAGE_RUN:
    break;
  }
  catch_signals();
  status = open_all(stage, argc, argv, error);
  if (!status) status = definition->work(stage, error);
  return stage->log_id ? finish(stage, status, error) : status;
}

int stage_main(const struct stage_definition *definition, int argc, char **argv)
{
  struct error error = {0};
  struct stage stage = {.definition = definition, .lock = -1, .started = clock_seconds()};
  enum status status = run(&stage, argc, argv, &error);
  close_all(&stage);
  return exit_code(&stage, status, &error);
}
