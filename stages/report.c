// Draws a run's report from the manifest and files alone. Without --run it is the run that the configuration stands
// for; without a configuration either, the one that was finished last.
#include <string.h>

#include "keys/keys.h"
#include "report/report.h"
#include "stage/stage.h"

// `name` is NULL where any finished run would have done.
static enum status unknown_run(struct db *db, const char *name, struct error *error)
{
  char known[512] = "";
  size_t used = 0;
  struct query *query = NULL;
  enum status status = query_open(&query, db, "SELECT name FROM run ORDER BY name LIMIT 20", error);
  while (!status && query_next(query, &status, error) && used < sizeof known)
    used += (size_t)snprintf(known + used, sizeof known - used, "%s%s", used ? ", " : "", query_text(query, 0));
  query_close(query);
  if (status) return status;
  if (!used) return fail(error, BAD_DATA, "%s has no run yet: `build/stages/train` makes one", db_path(db));
  if (!name) return fail(error, BAD_DATA, "%s has no finished run; it has: %s", db_path(db), known);
  return fail(error, BAD_DATA, "%s has no run '%s'; it has: %s", db_path(db), name, known);
}

// The run that was finished last.
static enum status find_last(struct db *db, struct run_found *run, bool *found, struct error *error)
{
  struct query *query = NULL;
  char name[RUN_NAME_LIMIT];
  enum status status = query_open(
      &query, db, "SELECT name FROM run WHERE state = 'done' ORDER BY finished_at DESC, id DESC LIMIT 1", error);
  *found = !status && query_next(query, &status, error);
  if (*found) snprintf(name, sizeof name, "%s", query_text(query, 0));
  query_close(query);
  return status || !*found ? status : run_find(db, NULL, name, run, found, error);
}

static enum status find_run(struct stage *stage, struct run_found *run, struct error *error)
{
  struct db *db = stage_db(stage);
  const struct config *config = stage_config(stage);
  const char *name = stage_option(stage, "run");
  bool found = false;
  bool nothing_asked = !config_has_file(config) && !config_is_set(config, "dataset.train");
  if (!name && !nothing_asked) return run_wanted(run, db, config, NULL, error);
  enum status status = name ? run_find(db, NULL, name, run, &found, error) : find_last(db, run, &found, error);
  return status || found ? status : unknown_run(db, name, error);
}

static enum status add_number(struct stage_key *key, const char *name, int64_t value, struct error *error)
{
  char text[24];
  snprintf(text, sizeof text, "%lld", (long long)value);
  return stage_key_add(key, name, text, error);
}

// What the report depends on besides this program: the run with its epochs (those of an unfinished one have no digest),
// its weights, its evaluation, its datasets, and the benchmarks, to which rows are only ever added.
static enum status make_key(struct stage_key **key, struct stage *stage, const struct report *report,
                            struct error *error)
{
  struct db *db = stage_db(stage);
  const struct run_found *run = &report->run;
  char evaluation[DIGEST_TEXT], datasets[DIGEST_TEXT];
  int64_t benchmarks = 0;
  enum status status = report_evaluation_digest(db, run->name, evaluation, error);
  if (!status) status = report_datasets_digest(db, run->name, datasets, error);
  if (!status) status = db_integer(db, &benchmarks, NULL, error, "SELECT coalesce(max(id), 0) FROM benchmark", "");
  if (!status) status = stage_key_new(key, REPORT_VERSION, error);
  if (!status) status = stage_key_add(*key, "run", run->key, error);
  if (!status) status = stage_key_add(*key, "state of the run", run->state, error);
  if (!status) status = add_number(*key, "finished epochs", run->epochs, error);
  if (!status) status = stage_key_add(*key, "best weights", run->best_sha256, error);
  if (!status) status = stage_key_add(*key, "last weights", run->weights_sha256, error);
  if (!status) status = stage_key_add(*key, "evaluation", evaluation, error);
  if (!status) status = stage_key_add(*key, "dataset content", datasets, error);
  if (!status) status = add_number(*key, "newest benchmark", benchmarks, error);
  if (!status) status = stage_key_add_config(*key, stage_config(stage), "report.samples", error);
  return status ? status : stage_key_finish(*key, error);
}

// The parameters of the last report of this run; *same: it was made with this very key.
static enum status find_previous(struct stage *stage, const struct report *report, const char *key, char *previous,
                                 size_t size, bool *same, struct error *error)
{
  struct query *query = NULL;
  enum status status = query_open(&query, stage_db(stage),
                                  "SELECT parameters, key FROM stage_log WHERE stage = 'report' AND subject = ? AND "
                                  "state = 'done' AND parameters IS NOT NULL ORDER BY id DESC LIMIT 1",
                                  error);
  previous[0] = '\0';
  *same = false;
  if (!status) status = query_bind(query, error, "t", report->run.name);
  if (!status && query_next(query, &status, error)) {
    snprintf(previous, size, "%s", query_text(query, 0));
    *same = strcmp(query_text(query, 1), key) == 0;
  }
  query_close(query);
  return status;
}

static enum status draw(struct stage *stage, const struct report *report, struct error *error)
{
  int pages = 0;
  double started = clock_seconds();
  enum status status = report_draw(report, &pages, error);
  // Ctrl-C ends gnuplot, too: its failure is ours to explain.
  if (status && stage_interrupted(stage))
    return fail(error, INTERRUPTED, "stopped before %s's report was drawn", report->run.name);
  if (status) return status;
  stage_say(stage, "runs/%s/report.pdf: %d pages in %.1f s", report->run.name, pages, clock_seconds() - started);
  return OK;
}

static enum status work(struct stage *stage, struct error *error)
{
  struct report report = {.db = stage_db(stage), .folder = stage_folder(stage)};
  struct stage_key *key = NULL;
  const char *missing = NULL;
  char previous[2048];
  bool same = false;
  report.samples = (int)config_integer(stage_config(stage), "report.samples");
  enum status status = find_run(stage, &report.run, error);
  if (status) return status;
  stage_subject(stage, report.run.name);
  status = make_key(&key, stage, &report, error);
  if (!status) status = find_previous(stage, &report, stage_key_digest(key), previous, sizeof previous, &same, error);
  if (!status) status = report_missing(&report, &missing, error);
  if (!status && same && !missing && !stage_option(stage, "force")) {
    stage_uses_key(stage, key);
    stage_up_to_date(stage, report.run.name);
  } else if (!status) {
    if (!same)
      stage_runs_because(stage, key, previous[0] ? previous : NULL);
    else {
      stage_uses_key(stage, key);
      if (missing)
        stage_say(stage, "draws %s again: its %s is gone", report.run.name, missing);
      else
        stage_say(stage, "draws %s again, as asked", report.run.name);
    }
    status = draw(stage, &report, error);
  }
  stage_key_free(key);
  return status;
}

int main(int argc, char **argv)
{
  static const struct stage_option options[] = {
      {"run", "NAME", "the run; by default the configuration's, or the last one that was finished"},
      {"force", NULL, "draw it again even if nothing changed"},
      {0},
  };
  static const struct stage_definition report = {
      .name = "report",
      .summary = "draws report.pdf, confusion_matrix.pdf and .png, and results.png of a run",
      .example = "build/stages/report --manifest work/manifest.db --run cnn",
      .options = options,
      .needs_manifest = true,
      .work = work,
  };
  return stage_main(&report, argc, argv);
}
