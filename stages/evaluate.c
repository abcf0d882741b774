// Judges a run's best weights on parts of its split, and on outside tests: a prediction for each image, and the figures
// of each part.
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/mem.h"
#include "data/loader.h"
#include "keys/keys.h"
#include "keys/settings.h"
#include "stage/stage.h"
#include "store/runs.h"
#include "training/judgement.h"
#include "training/outside.h"
#include "training/run_network.h"
#include "training/training.h"

enum { EVALUATE_CODE = 1, PART_LIMIT = 3 };

struct evaluation {
  struct stage *stage;
  const struct config *config; // the run's
  struct config *owned;        // where it was read from the run's folder
  struct run_found run;
  struct split_found split;
  struct tensor_sets seen; // what the run was trained on: resized images, or the features of them
  struct network whole, head;
  const char *parts[PART_LIMIT]; // those that have images
  size_t part_count;
  bool parts_done;
  struct outside_tests *outside;
  uint64_t images; // judged
  struct progress *bar;
};

// --- what is to be judged --------------------------------------------------------------------------------------------

static enum status find_run(struct evaluation *evaluation, struct error *error)
{
  struct stage *stage = evaluation->stage;
  const char *name = stage_option(stage, "run");
  char folder[PATH_LIMIT], args[PATH_LIMIT];
  enum status status = run_wanted(&evaluation->run, stage_db(stage), stage_config(stage), name, error);
  if (!status && strcmp(evaluation->run.state, "done") != 0)
    status = fail(error, BAD_DATA, "run %s is %s: run build/stages/train to its end first", evaluation->run.name,
                  evaluation->run.state);
  evaluation->config = stage_config(stage);
  if (status || !name) return status;
  status = run_folder(folder, stage_folder(stage), evaluation->run.name, error);
  if (!status) status = path_join(args, folder, "args.yaml", error);
  if (!status) status = config_load(&evaluation->owned, args, NULL, 0, error);
  evaluation->config = evaluation->owned;
  return status;
}

// The parts of evaluate.parts that have images.
static void choose_parts(struct evaluation *evaluation)
{
  const struct config *config = stage_config(evaluation->stage);
  for (size_t i = 0; i < config_list_length(config, "evaluate.parts"); i++) {
    const char *part = config_list_item(config, "evaluate.parts", i);
    for (int p = 0; p < PART_COUNT; p++) {
      bool wanted = !strcmp(part, part_name((enum part)p)) && evaluation->split.images[p];
      for (size_t k = 0; k < evaluation->part_count; k++) wanted &= strcmp(evaluation->parts[k], part) != 0;
      if (wanted) evaluation->parts[evaluation->part_count++] = part;
    }
  }
}

static enum status make_key(struct evaluation *evaluation, struct stage_key **key, struct error *error)
{
  enum status status = stage_key_new(key, EVALUATE_CODE, error);
  if (!status) status = stage_key_add(*key, "run", evaluation->run.key, error);
  if (!status) status = stage_key_add(*key, "best weights", evaluation->run.best_sha256, error);
  if (!status) status = stage_key_add_config(*key, stage_config(evaluation->stage), "evaluate.parts", error);
  return status ? status : stage_key_finish(*key, error);
}

// Every part has its predictions, and an execution with this key made them.
static enum status look_at_parts(struct evaluation *evaluation, const struct stage_key *key, struct error *error)
{
  bool *done = &evaluation->parts_done;
  struct db *db = stage_db(evaluation->stage);
  int64_t known = 0;
  enum status status = db_integer(
      db, &known, NULL, error, "SELECT count(*) FROM stage_log WHERE stage = 'evaluate' AND key = ? AND state = 'done'",
      "t", stage_key_digest(key));
  *done = !status && known;
  for (size_t p = 0; !status && *done && p < evaluation->part_count; p++) {
    int64_t missing = 1;
    status = db_integer(db, &missing, NULL, error,
                        "SELECT (SELECT count(*) FROM split_image WHERE split = ?1 AND part = ?3)"
                        " <> (SELECT count(*) FROM prediction WHERE run = ?2 AND part = ?3)"
                        " OR NOT EXISTS (SELECT * FROM metric WHERE run = ?2 AND part = ?3)",
                        "iit", evaluation->split.id, evaluation->run.id, evaluation->parts[p]);
    *done = !missing;
  }
  return status;
}

static enum status say_why(struct evaluation *evaluation, struct stage_key *key, struct error *error)
{
  struct query *query = NULL;
  struct stage *stage = evaluation->stage;
  enum status status = query_open(&query, stage_db(stage),
                                  "SELECT parameters FROM stage_log WHERE stage = 'evaluate' AND subject = ?"
                                  " AND state = 'done' AND parameters IS NOT NULL ORDER BY id DESC LIMIT 1",
                                  error);
  if (!status) status = query_bind(query, error, "t", evaluation->run.name);
  bool found = !status && query_next(query, &status, error);
  if (!status) stage_runs_because(stage, key, found ? query_text(query, 0) : NULL);
  query_close(query);
  return status;
}

// The first reason that there is: the parts' key, or an outside test's.
static enum status say_why_anything(struct evaluation *evaluation, struct stage_key *key, struct error *error)
{
  if (!evaluation->parts_done) return say_why(evaluation, key, error);
  if (key) stage_uses_key(evaluation->stage, key);
  for (size_t i = 0; i < evaluation->outside->count; i++) {
    const struct outside *test = &evaluation->outside->list[i];
    char why[512];
    if (!test->why[0]) continue;
    snprintf(why, sizeof why, "%s: %s", test->dataset.name, test->why);
    stage_runs_for(evaluation->stage, why);
    return OK;
  }
  return OK;
}

static bool is_done(const struct evaluation *evaluation)
{
  bool done = evaluation->parts_done;
  for (size_t i = 0; i < evaluation->outside->count; i++) done &= !evaluation->outside->list[i].why[0];
  return done;
}

// --- the networks ----------------------------------------------------------------------------------------------------

// One that reads what the run trained on, and one that reads images: the same, unless that is features. Opened when
// they are needed.
static enum status open_network(struct evaluation *evaluation, bool images, struct network **out, struct error *error)
{
  bool whole = images || !features_used(evaluation->config);
  *out = whole ? &evaluation->whole : &evaluation->head;
  if ((*out)->net) return OK;
  return run_network_open(*out, evaluation->stage, &evaluation->run, evaluation->config,
                          whole ? MODEL_WHOLE : MODEL_HEAD, error);
}

// --- judging ---------------------------------------------------------------------------------------------------------

struct pass {
  struct evaluation *evaluation;
  struct network *network;
  struct loader *loader;
  struct judgement judgement;
};

static enum status judge_batch(void *self, size_t first, size_t n, const float *logits)
{
  struct pass *pass = self;
  int classes = pass->judgement.classes;
  for (size_t i = 0; i < n; i++)
    judgement_add(&pass->judgement, loader_image_id(pass->loader, first + i), loader_labels(pass->loader)[first + i],
                  logits + i * (size_t)classes);
  progress_add(pass->evaluation->bar, n);
  return stage_interrupted(pass->evaluation->stage) ? INTERRUPTED : OK;
}

static enum status judge(struct pass *pass, const struct loader_options *options, const char *part, struct error *error)
{
  struct evaluation *evaluation = pass->evaluation;
  struct stage *stage = evaluation->stage;
  enum status status = loader_open(&pass->loader, stage_db(stage), stage_folder(stage), options, error);
  if (status) return status;
  struct fit_data data = loader_fit_data(pass->loader);
  evaluation->bar = stage_progress(stage, "images", data.images);
  status = judgement_init(&pass->judgement, data.images, fit_classes(pass->network->net), error);
  // The batch of training: its validation computed the same bits.
  size_t batch = (size_t)config_integer(evaluation->config, "train.batch");
  if (!status) status = fit_predict(pass->network->net, &data, batch, judge_batch, pass, error);
  if (status == INTERRUPTED) return fail(error, INTERRUPTED, "stopped while part %s was judged", part);
  progress_stop(evaluation->bar);
  evaluation->images += pass->judgement.images;
  return status;
}

static void release(struct pass *pass)
{
  judgement_release(&pass->judgement);
  loader_close(pass->loader);
}

static enum status judge_part(struct evaluation *evaluation, const char *part, struct error *error)
{
  struct pass pass = {.evaluation = evaluation};
  struct metric_row metrics[JUDGEMENT_METRICS];
  const struct loader_options options = {.tensor_sets = evaluation->seen.ids,
                                         .tensor_set_count = evaluation->seen.count,
                                         .split = evaluation->run.split,
                                         .part = part,
                                         .verify = true};
  enum status status = open_network(evaluation, false, &pass.network, error);
  if (!status) status = judge(&pass, &options, part, error);
  if (!status) status = judgement_metrics(&pass.judgement, metrics, error);
  if (!status)
    status = run_set_evaluation(stage_db(evaluation->stage), evaluation->run.id, part, pass.judgement.rows,
                                pass.judgement.images, metrics, JUDGEMENT_METRICS, error);
  release(&pass);
  return status;
}

static enum status judge_outside(struct evaluation *evaluation, const struct outside *test, struct error *error)
{
  struct pass pass = {.evaluation = evaluation};
  const struct loader_options options = {
      .tensor_sets = &test->tensor_set, .tensor_set_count = 1, .split = evaluation->run.split, .verify = true};
  enum status status = open_network(evaluation, true, &pass.network, error);
  if (!status) status = judge(&pass, &options, test->part, error);
  if (!status) status = outside_record(evaluation->stage, &evaluation->run, test, &pass.judgement, error);
  release(&pass);
  return status;
}

// --- what is printed -------------------------------------------------------------------------------------------------

static enum status open_metrics(struct query **query, struct evaluation *evaluation, const char *part,
                                struct error *error)
{
  enum status status =
      query_open(query, stage_db(evaluation->stage),
                 "SELECT name, value, low, high, images FROM metric WHERE run = ? AND part = ?", error);
  return status ? status : query_bind(*query, error, "it", evaluation->run.id, part);
}

static enum status print_part(struct evaluation *evaluation, const char *part, int width, struct error *error)
{
  struct query *query = NULL;
  double top3 = 0, f1 = 0, loss = 0, ece = 0, accuracy = 0, low = 0, high = 0;
  int64_t images = 0;
  enum status status = open_metrics(&query, evaluation, part, error);
  while (!status && query_next(query, &status, error)) {
    const char *name = query_text(query, 0);
    double value = query_real(query, 1);
    images = query_integer(query, 4);
    if (!strcmp(name, "accuracy")) accuracy = value, low = query_real(query, 2), high = query_real(query, 3);
    if (!strcmp(name, "top3_accuracy")) top3 = value;
    if (!strcmp(name, "macro_f1")) f1 = value;
    if (!strcmp(name, "loss")) loss = value;
    if (!strcmp(name, "ece")) ece = value;
  }
  query_close(query);
  if (!status)
    printf("%-*s %8" PRId64 "   %.4f  [%.4f, %.4f]   %.4f   %.4f   %.4f   %.4f\n", width, part, images, accuracy, low,
           high, top3, f1, loss, ece);
  return status;
}

static json_t *part_json(struct evaluation *evaluation, const char *part)
{
  struct query *query = NULL;
  json_t *metrics = json_object();
  enum status status = open_metrics(&query, evaluation, part, NULL);
  while (!status && query_next(query, &status, NULL)) {
    json_t *metric =
        json_pack("{s:f, s:I}", "value", query_real(query, 1), "images", (json_int_t)query_integer(query, 4));
    if (!query_is_null(query, 2)) {
      json_object_set_new(metric, "low", json_real(query_real(query, 2)));
      json_object_set_new(metric, "high", json_real(query_real(query, 3)));
    }
    json_object_set_new(metrics, query_text(query, 0), metric);
  }
  query_close(query);
  return metrics;
}

static void print_json(struct evaluation *evaluation)
{
  json_t *parts = json_object(), *all = json_object();
  for (size_t p = 0; p < evaluation->part_count; p++)
    json_object_set_new(parts, evaluation->parts[p], part_json(evaluation, evaluation->parts[p]));
  for (size_t i = 0; i < evaluation->outside->count; i++)
    json_object_set_new(parts, evaluation->outside->list[i].part,
                        part_json(evaluation, evaluation->outside->list[i].part));
  json_object_set_new(all, "run", json_string(evaluation->run.name));
  json_object_set_new(all, "metrics", parts);
  json_dumpf(all, stdout, JSON_COMPACT | JSON_REAL_PRECISION(17));
  putchar('\n');
  json_decref(all);
}

static enum status print_figures(struct evaluation *evaluation, struct error *error)
{
  const struct outside_tests *outside = evaluation->outside;
  enum status status = OK;
  int width = 6;
  if (stage_json(evaluation->stage)) {
    print_json(evaluation);
    return OK;
  }
  for (size_t i = 0; i < outside->count; i++)
    if ((int)strlen(outside->list[i].part) > width) width = (int)strlen(outside->list[i].part);
  printf("run %s, best weights (epoch %d)\n", evaluation->run.name, evaluation->run.best_epoch);
  printf("%-*s %8s %8s  %-16s %8s %8s %8s %8s\n", width, "part", "images", "accuracy", "95 % interval", "top-3",
         "macro F1", "loss", "ECE");
  for (size_t p = 0; !status && p < evaluation->part_count; p++)
    status = print_part(evaluation, evaluation->parts[p], width, error);
  for (size_t i = 0; !status && i < outside->count; i++)
    status = print_part(evaluation, outside->list[i].part, width, error);
  return status;
}

// --- the stage -------------------------------------------------------------------------------------------------------

static enum status judge_all(struct evaluation *evaluation, struct error *error)
{
  double started = clock_seconds();
  enum status status = OK;
  for (size_t p = 0; !status && !evaluation->parts_done && p < evaluation->part_count; p++)
    status = judge_part(evaluation, evaluation->parts[p], error);
  for (size_t i = 0; !status && i < evaluation->outside->count; i++)
    if (evaluation->outside->list[i].why[0]) status = judge_outside(evaluation, &evaluation->outside->list[i], error);
  stage_count(evaluation->stage, evaluation->images, clock_seconds() - started);
  return status;
}

// The run's own, whatever became of its folders.
static enum status find_split(struct evaluation *evaluation, struct error *error)
{
  const struct run_found *run = &evaluation->run;
  struct db *db = stage_db(evaluation->stage);
  bool found = false;
  enum status status = split_find(db, NULL, run->split, &evaluation->split, &found, error);
  if (status || found) return status;
  return fail(error, BAD_DATA, "%s: run %s has no split", db_path(db), run->name);
}

// The images of the parts, which are found by what the folders hold now: that must be what the run was trained on.
static enum status find_seen(struct evaluation *evaluation, struct error *error)
{
  const struct config *config = evaluation->config;
  struct db *db = stage_db(evaluation->stage);
  struct split_found now = {.id = 0};
  struct error why = {0};
  enum status status = split_wanted(&now, db, config, &why);
  if (status || now.id != evaluation->run.split)
    return fail(error, BAD_DATA,
                "the images that run %s was trained on are not those of today%s%s; its figures stay as they are, and "
                "--data judges other folders",
                evaluation->run.name, status ? ": " : "", why.text);
  return features_used(config) ? features_wanted(&evaluation->seen, false, db, config, error)
                               : resized_wanted(&evaluation->seen, db, config, error);
}

// The parts of the run's split and the tests of the configuration.
static enum status find_all(struct evaluation *evaluation, struct stage_key **key, struct error *error)
{
  struct stage *stage = evaluation->stage;
  bool own_tests = config_is_set(stage_config(stage), "dataset.test");
  const struct config *tests = own_tests ? stage_config(stage) : evaluation->config;
  enum status status = find_split(evaluation, error);
  if (!status) choose_parts(evaluation);
  if (!status)
    status = outside_of_config(evaluation->outside, stage, &evaluation->run, tests, evaluation->config, error);
  if (!status && !evaluation->part_count && !evaluation->outside->count)
    return fail(error, BAD_DATA, "no part of evaluate.parts has images: set split.val or split.test above 0");
  if (!status) status = make_key(evaluation, key, error);
  if (!status) status = look_at_parts(evaluation, *key, error);
  return status || evaluation->parts_done ? status : find_seen(evaluation, error);
}

// --data: one folder, and nothing of the split.
static enum status find_folder(struct evaluation *evaluation, const char *folder, struct error *error)
{
  evaluation->parts_done = true;
  return outside_of_folder(evaluation->outside, evaluation->stage, &evaluation->run, folder, evaluation->config, error);
}

static void say_up_to_date(struct evaluation *evaluation)
{
  char what[RUN_NAME_LIMIT + 64], tests[48] = "";
  size_t outside = evaluation->outside->count;
  if (outside) snprintf(tests, sizeof tests, ", %zu outside tests", outside);
  snprintf(what, sizeof what, "run %s, %zu parts%s", evaluation->run.name, evaluation->part_count, tests);
  stage_up_to_date(evaluation->stage, what);
}

static enum status evaluate(struct evaluation *evaluation, struct stage_key **key, struct error *error)
{
  struct stage *stage = evaluation->stage;
  const char *folder = stage_option(stage, "data");
  enum status status = find_run(evaluation, error);
  if (!status) stage_subject(stage, evaluation->run.name);
  if (!status) status = folder ? find_folder(evaluation, folder, error) : find_all(evaluation, key, error);
  if (!status && is_done(evaluation)) {
    if (*key) stage_uses_key(stage, *key);
    say_up_to_date(evaluation);
  } else if (!status) {
    status = say_why_anything(evaluation, *key, error);
    if (!status) status = judge_all(evaluation, error);
  }
  return status ? status : print_figures(evaluation, error);
}

static enum status work(struct stage *stage, struct error *error)
{
  struct evaluation evaluation = {.stage = stage};
  struct stage_key *key = NULL;
  enum status status =
      mem_zeroed((void **)&evaluation.outside, 1, sizeof *evaluation.outside, "the outside tests", error);
  if (!status) status = evaluate(&evaluation, &key, error);
  network_release(&evaluation.whole);
  network_release(&evaluation.head);
  stage_key_free(key);
  config_free(evaluation.owned);
  free(evaluation.outside);
  return status;
}

int main(int argc, char **argv)
{
  static const struct stage_option options[] = {
      {"run", "NAME", "the run to judge; without it, the configuration's"},
      {"data", "DIR", "an outside test of any folder: reads, resizes and judges it alone"},
      {0},
  };
  static const struct stage_definition definition = {
      .name = "evaluate",
      .summary = "Judges a run's best weights: accuracy, top-3, precision, recall, F1, calibration, and each image.",
      .example = "build/stages/evaluate --manifest work/manifest.db --config configs/cnn.yaml --run cnn",
      .options = options,
      .needs_manifest = true,
      .work = work,
  };
  return stage_main(&definition, argc, argv);
}
