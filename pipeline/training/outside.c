#include "training/outside.h"

#include <stdio.h>
#include <string.h>

#include "core/files.h"
#include "data/folder.h"
#include "data/materialise.h"
#include "data/resizing.h"
#include "keys/settings.h"

// --- apart from training ---------------------------------------------------------------------------------------------

static enum status check_against(const char *root, const char *fingerprint, struct query *query, struct error *error)
{
  const char *name = query_text(query, 0), *trained = query_text(query, 1);
  if (!strcmp(root, trained))
    return fail(error, BAD_USAGE, "%s is what the run was trained on, dataset %s: it says nothing as an outside test",
                root, name);
  if (path_lies_within(root, trained) || path_lies_within(trained, root))
    return fail(error, BAD_USAGE, "%s and %s, which the run was trained on, lie one within the other", root, trained);
  if (!strcmp(fingerprint, query_text(query, 2)))
    return fail(error, BAD_DATA, "%s holds the same images as dataset %s, which the run was trained on", root, name);
  return OK;
}

// The folder is none of those that the run's split shares out, as far as the manifest knows them. `fingerprint` may be
// "": the folder was not read yet.
static enum status check_apart(struct db *db, const struct run_found *run, const char *root, const char *fingerprint,
                               struct error *error)
{
  struct query *query = NULL;
  enum status status =
      query_open(&query, db,
                 "SELECT d.name, CAST(d.root AS TEXT), ifnull(d.fingerprint, 'none') FROM split_dataset"
                 " s JOIN dataset d ON d.id = s.dataset WHERE s.split = ?",
                 error);
  if (!status) status = query_bind(query, error, "i", run->split);
  while (!status && query_next(query, &status, error)) status = check_against(root, fingerprint, query, error);
  query_close(query);
  return status;
}

static enum status root_of(struct db *db, int64_t dataset, char out[PATH_LIMIT], struct error *error)
{
  struct query *query = NULL;
  enum status status = query_open(&query, db, "SELECT CAST(root AS TEXT) FROM dataset WHERE id = ?", error);
  if (!status) status = query_bind(query, error, "i", dataset);
  if (!status && query_next(query, &status, error)) snprintf(out, PATH_LIMIT, "%s", query_text(query, 0));
  query_close(query);
  return status;
}

// --- what there is to judge ------------------------------------------------------------------------------------------

// Why the test has to be judged, if it has to.
static enum status find_why(struct outside *test, struct db *db, const struct run_found *run, struct error *error)
{
  struct query *query = NULL;
  enum status status = query_open(&query, db,
                                  "SELECT fingerprint = ?3, weights_sha256 = ?4, images + unknown_images ="
                                  " (SELECT count(*) FROM prediction p WHERE p.run = ?1 AND p.part = outside_test.part)"
                                  " FROM outside_test WHERE run = ?1 AND dataset = ?2",
                                  error);
  if (!status)
    status = query_bind(query, error, "iitt", run->id, test->dataset.id, test->dataset.fingerprint, run->best_sha256);
  const char *why = "it was not judged yet";
  if (!status && query_next(query, &status, error))
    why = !query_integer(query, 0)   ? "its images changed"
          : !query_integer(query, 1) ? "the weights changed"
          : !query_integer(query, 2) ? "some of its predictions are gone"
                                     : "";
  query_close(query);
  snprintf(test->why, sizeof test->why, "%s", why);
  return status;
}

static enum status complete(struct outside *test, struct stage *stage, const struct run_found *run,
                            const struct tensor_set *set, struct error *error)
{
  const struct dataset_found dataset = test->dataset;
  test->tensor_set = set->id;
  snprintf(test->part, sizeof test->part, OUTSIDE_PREFIX "%s", dataset.name);
  return find_why(test, stage_db(stage), run, error);
}

enum status outside_of_config(struct outside_tests *out, struct stage *stage, const struct run_found *run,
                              const struct config *tests, const struct config *config, struct error *error)
{
  struct datasets datasets;
  struct db *db = stage_db(stage);
  out->count = 0;
  enum status status = datasets_find_tests(&datasets, db, tests, error);
  for (size_t i = 0; !status && i < datasets.count; i++) {
    struct outside *test = &out->list[out->count++];
    struct tensor_set set;
    char root[PATH_LIMIT] = "";
    *test = (struct outside){.dataset = datasets.list[i]};
    status = root_of(db, test->dataset.id, root, error);
    if (!status) status = check_apart(db, run, root, test->dataset.fingerprint, error);
    if (!status) status = resized_of(&set, &test->dataset, db, config, error);
    if (!status) status = complete(test, stage, run, &set, error);
  }
  return status;
}

// --- a folder at any later time --------------------------------------------------------------------------------------

static enum status ingest(struct stage *stage, const char *root, int64_t *dataset, struct error *error)
{
  struct folder folder = {.stage = stage};
  int held = -1;
  enum status status = stage_hold(stage, "ingest", &held, error);
  if (!status) status = folder_look(&folder, stage, root, error);
  if (!status && !folder.up_to_date) status = folder_update(&folder, error);
  *dataset = folder.dataset.id;
  folder_release(&folder);
  stage_release(&held);
  return status;
}

static enum status resize(struct tensor_set *set, struct stage *stage, const struct dataset_found *dataset,
                          const struct config *config, struct error *error)
{
  struct stage_key *key = NULL;
  bool done = false;
  uint64_t images = 0;
  int held = -1;
  char what[96];
  snprintf(what, sizeof what, "%s, %s", config_text(config, "resize.fit"), config_text(config, "resize.filter"));
  struct resize_request request = {
      .dataset = dataset->id,
      .size = (int)config_integer(config, "resize.size"),
      .fit = settings_resize_fit(config),
      .filter = settings_resize_filter(config),
      .what = what,
  };
  enum status status = stage_hold(stage, "resize", &held, error);
  if (!status) status = resized_key(&key, dataset, config, error);
  if (!status) status = materialise_is_done(stage, stage_key_digest(key), set, &done, error);
  if (!status && !done) {
    request.key = stage_key_digest(key);
    request.parameters = stage_key_parameters(key);
    status = resize_dataset(stage, &request, &images, error);
  }
  if (!status) status = resized_of(set, dataset, stage_db(stage), config, error);
  stage_key_free(key);
  stage_release(&held);
  return status;
}

enum status outside_of_folder(struct outside_tests *out, struct stage *stage, const struct run_found *run,
                              const char *folder, const struct config *config, struct error *error)
{
  struct outside *test = &out->list[0];
  struct db *db = stage_db(stage);
  struct tensor_set set;
  char root[PATH_LIMIT];
  int64_t dataset = 0;
  *test = (struct outside){.tensor_set = 0};
  out->count = 1;
  enum status status = folder_find(root, "--data", folder, error);
  if (!status) status = check_apart(db, run, root, "", error);
  if (!status) status = ingest(stage, root, &dataset, error);
  if (!status) status = dataset_of(&test->dataset, db, dataset, error);
  if (!status) status = check_apart(db, run, root, test->dataset.fingerprint, error);
  if (!status) status = resize(&set, stage, &test->dataset, config, error);
  stage_forget_count(stage);
  return status ? status : complete(test, stage, run, &set, error);
}

// --- the verdict -----------------------------------------------------------------------------------------------------

static void warn(struct stage *stage, const struct run_found *run, const struct outside *test,
                 const struct judgement *judgement, const struct outside_facts *facts)
{
  const char *name = test->dataset.name;
  if (facts->missing_count)
    stage_warn(stage, "%s lacks %zu of the %zu classes of run %s: %s", name, facts->missing_count, facts->class_count,
               run->name, facts->missing_classes);
  if (facts->unknown_count)
    stage_warn(stage, "%s has classes that run %s does not know: %s; %zu images are judged, but no figure counts them",
               name, run->name, facts->unknown_classes, judgement->images - judgement->known);
  if (facts->same_as_training)
    stage_warn(stage, "%llu images of %s have the same bytes as training images of run %s: this test says less",
               (unsigned long long)facts->same_as_training, name, run->name);
}

enum status outside_record(struct stage *stage, const struct run_found *run, const struct outside *test,
                           const struct judgement *judgement, struct error *error)
{
  struct outside_facts facts = {.missing_count = 0};
  struct metric_row metrics[JUDGEMENT_METRICS];
  struct db *db = stage_db(stage);
  enum status status = run_outside_facts(db, run->id, test->dataset.id, &facts, error);
  if (status) return status;
  if (!judgement->known)
    return fail(error, BAD_DATA, "%s has no class that run %s knows: its classes are %s", test->dataset.name, run->name,
                facts.unknown_classes);
  const struct outside_row row = {
      .dataset = test->dataset.id,
      .part = test->part,
      .fingerprint = test->dataset.fingerprint,
      .weights_sha256 = run->best_sha256,
      .images = judgement->known,
      .unknown_images = judgement->images - judgement->known,
  };
  warn(stage, run, test, judgement, &facts);
  status = judgement_metrics(judgement, metrics, error);
  if (status) return status;
  return run_set_outside(db, run->id, &row, &facts, judgement->rows, judgement->images, metrics, JUDGEMENT_METRICS,
                         error);
}
