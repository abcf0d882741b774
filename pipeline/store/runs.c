#include "store/runs.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "core/mem.h"
#include "store/runs_parts.h"

// NaN becomes NULL by itself: SQLite stores a NaN as NULL.

static const char run_columns[] = "SELECT id, dataset, split, seed, name, key, state, model, "
                                  "precision, weights_sha256, best_sha256,"
                                  " best_epoch, epochs_planned, (SELECT count(*) FROM epoch e WHERE e.run = "
                                  "r.id), best_val_accuracy, parameters"
                                  " FROM run r WHERE ";

enum status run_folder(char out[PATH_LIMIT], const char *work, const char *name, struct error *error)
{
  char runs[PATH_LIMIT];
  enum status status = path_join(runs, work, "runs", error);
  return status ? status : path_join(out, runs, name, error);
}

static void copy_text(char *out, size_t size, struct query *query, int column)
{
  snprintf(out, size, "%s", query_text(query, column));
}

static void read_run(struct run_found *out, struct query *query)
{
  *out = (struct run_found){
      .id = query_integer(query, 0),
      .dataset = query_integer(query, 1),
      .split = query_integer(query, 2),
      .seed = query_integer(query, 3),
      .best_epoch = (int)query_integer(query, 11),
      .epochs_planned = (int)query_integer(query, 12),
      .epochs = (int)query_integer(query, 13),
      .best_val_accuracy = query_real_or_nan(query, 14),
  };
  copy_text(out->name, sizeof out->name, query, 4);
  copy_text(out->key, sizeof out->key, query, 5);
  copy_text(out->state, sizeof out->state, query, 6);
  copy_text(out->model, sizeof out->model, query, 7);
  copy_text(out->precision, sizeof out->precision, query, 8);
  copy_text(out->weights_sha256, sizeof out->weights_sha256, query, 9);
  copy_text(out->best_sha256, sizeof out->best_sha256, query, 10);
}

static enum status open_run_query(struct query **query, struct db *db, const char *condition, struct error *error)
{
  char sql[768];
  snprintf(sql, sizeof sql, "%s%s", run_columns, condition);
  return query_open(query, db, sql, error);
}

enum status run_find(struct db *db, const char *key, const char *name, struct run_found *out, bool *found,
                     struct error *error)
{
  struct query *query = NULL;
  *found = false;
  enum status status = open_run_query(&query, db, key ? "key = ?" : "name = ?", error);
  if (!status) status = query_bind(query, error, "t", key ? key : name);
  if (!status && query_next(query, &status, error)) {
    read_run(out, query);
    *found = true;
  }
  query_close(query);
  return status;
}

enum status run_name(const char *base, int suffix, char out[RUN_NAME_LIMIT], struct error *error)
{
  int length =
      suffix == 1 ? snprintf(out, RUN_NAME_LIMIT, "%s", base) : snprintf(out, RUN_NAME_LIMIT, "%s-%d", base, suffix);
  if (length < RUN_NAME_LIMIT) return OK;
  return fail(error, BAD_USAGE, "the run name %.40s... is longer than %d bytes", base, RUN_NAME_LIMIT - 1);
}

enum status run_name_is_free(struct db *db, const char *name, bool *is_free, struct error *error)
{
  int64_t taken = 0;
  enum status status = db_integer(db, &taken, NULL, error, "SELECT count(*) FROM run WHERE name = ?", "t", name);
  *is_free = !status && !taken;
  return status;
}

enum status run_nearest(struct db *db, const char *base, const char *except, const char *wanted, struct run_found *out,
                        char **parameters, bool *found, struct error *error)
{
  struct query *query = NULL;
  *found = false;
  *parameters = NULL;
  enum status status =
      open_run_query(&query, db,
                     "(name = ?1 OR (substr(name, 1, length(?1) + 1) = ?1 || '-' AND"
                     " substr(name, length(?1) + 2) NOT GLOB '*[^0-9]*')) AND key <> ?2 ORDER BY"
                     " (SELECT count(*) FROM json_each(r.parameters) a JOIN json_each(?3) b USING (key)"
                     "  WHERE a.value IS NOT b.value), state = 'done' DESC,"
                     " epochs_planned < CAST(json_extract(?3, '$.\"train.epochs\"') AS INTEGER) DESC,"
                     " epochs_planned DESC, id DESC LIMIT 1",
                     error);
  if (!status) status = query_bind(query, error, "ttt", base, except, wanted);
  if (!status && query_next(query, &status, error)) {
    read_run(out, query);
    *found = true;
    status = mem_text(parameters, query_text(query, 15), error);
  }
  query_close(query);
  return status;
}

// --- epochs ----------------------------------------------------------------------------------------------------------

static enum status add_epoch(struct db *db, int64_t id, const struct epoch_row *epoch, struct error *error)
{
  return db_run(db, error,
                "INSERT INTO epoch (run, epoch, train_loss, train_accuracy, val_loss, val_accuracy, lr,"
                " seconds, images_per_second) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
                "iirrrrrrr", id, (int64_t)epoch->epoch, epoch->train_loss, epoch->train_accuracy, epoch->val_loss,
                epoch->val_accuracy, epoch->lr, epoch->seconds, epoch->images_per_second);
}

static enum status replace_epochs(struct db *db, int64_t id, const struct epoch_row *epochs, size_t count,
                                  struct error *error)
{
  enum status status = db_run(db, error, "DELETE FROM epoch WHERE run = ?", "i", id);
  for (size_t i = 0; !status && i < count; i++) status = add_epoch(db, id, &epochs[i], error);
  return status;
}

enum status end_transaction(struct db *db, enum status status, struct error *error)
{
  if (!status) status = db_commit(db, error);
  if (status) db_rollback(db);
  return status;
}

enum status run_set_epochs(struct db *db, int64_t id, const struct epoch_row *epochs, size_t count, struct error *error)
{
  enum status status = db_begin(db, error);
  if (status) return status;
  return end_transaction(db, replace_epochs(db, id, epochs, count, error), error);
}

// --- the run ---------------------------------------------------------------------------------------------------------

enum status run_tensor_sets(struct db *db, int64_t id, int64_t **out, size_t *count, struct error *error)
{
  struct query *query = NULL;
  size_t capacity = 0;
  *out = NULL;
  *count = 0;
  enum status status =
      query_open(&query, db, "SELECT tensor_set FROM run_tensor_set WHERE run = ? ORDER BY ordinal", error);
  if (!status) status = query_bind(query, error, "i", id);
  while (!status && query_next(query, &status, error)) {
    status = mem_grow((void **)out, &capacity, *count + 1, sizeof **out, "tensor sets", error);
    if (!status) (*out)[(*count)++] = query_integer(query, 0);
  }
  query_close(query);
  return status;
}

static enum status insert_run(struct db *db, const struct run_row *row, int64_t *id, struct error *error)
{
  enum status status =
      db_run(db, error,
             "INSERT INTO run (name, key, parameters, config, state, model, dataset, split, tensor_set, seed,"
             " precision, threads, isa, host, versions, parameter_count, trainable_count, epochs_planned, "
             "started_at)"
             " VALUES (?, ?, ?, ?, 'running', ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
             "tttttiiiititttiiir", row->name, row->key, row->parameters, row->config, row->model, row->dataset,
             row->split, row->tensor_sets[0], row->seed, row->precision, (int64_t)row->threads, row->isa, row->host,
             row->versions, row->parameter_count, row->trainable_count, row->epochs_planned, (double)time(NULL));
  if (status) return status;
  *id = db_last_id(db);
  for (size_t i = 0; i < row->tensor_set_count && !status; i++)
    status = db_run(db, error, "INSERT INTO run_tensor_set (run, ordinal, tensor_set) VALUES (?, ?, ?)", "iii", *id,
                    (int64_t)i, row->tensor_sets[i]);
  if (!status && row->weights)
    status = db_run(db, error, "INSERT INTO run_weights (run, weights) VALUES (?, ?)", "ii", *id, row->weights);
  return status;
}

enum status run_insert(struct db *db, const struct run_row *row, int64_t *id, struct error *error)
{
  enum status status = db_begin(db, error);
  if (status) return status;
  return end_transaction(db, insert_run(db, row, id, error), error);
}

enum status run_set_state(struct db *db, int64_t id, const char *state, struct error *error)
{
  return db_run(db, error, "UPDATE run SET state = ? WHERE id = ?", "ti", state, id);
}

enum status run_forget(struct db *db, int64_t id, struct error *error)
{
  return db_run(db, error, "DELETE FROM run WHERE id = ?", "i", id);
}

enum status run_finish(struct db *db, int64_t id, const struct run_result *result, struct error *error)
{
  return db_run(db, error,
                "UPDATE run SET state = 'done', best_epoch = ?, best_val_accuracy = ?, weights_sha256 = ?,"
                " best_sha256 = ?, peak_memory = ?, stopped = ?, finished_at = ? WHERE id = ?",
                "irttitri", (int64_t)result->best_epoch, result->best_val_accuracy, result->weights_sha256,
                result->best_sha256, result->peak_memory, result->stopped, (double)time(NULL), id);
}

// --- evaluation ------------------------------------------------------------------------------------------------------

static enum status insert_predictions(struct db *db, int64_t run, const char *part, const struct prediction_row *rows,
                                      size_t count, struct error *error)
{
  struct query *query = NULL;
  enum status status =
      query_open(&query, db,
                 "INSERT INTO prediction (run, image, part, label, predicted, confidence, "
                 "label_confidence, label_rank, second,"
                 " second_confidence, third, third_confidence, loss)"
                 " VALUES (?1, ?2, ?3, CASE WHEN ?4 >= 0 THEN ?4 END, ?5, ?6, CASE WHEN ?4 >= 0 THEN ?7 END,"
                 " CASE WHEN ?4 >= 0 THEN ?8 END, CASE WHEN ?9 >= 0 THEN ?9 END,"
                 " CASE WHEN ?9 >= 0 THEN ?10 END, CASE WHEN ?11 >= 0 THEN ?11 END,"
                 " CASE WHEN ?11 >= 0 THEN ?12 END, CASE WHEN ?4 >= 0 THEN ?13 END)",
                 error);
  for (size_t i = 0; !status && i < count; i++) {
    const struct prediction_row *row = &rows[i];
    status =
        query_run(query, error, "iitiirriirirr", run, row->image, part, (int64_t)row->label, (int64_t)row->predicted,
                  row->confidence, row->label_confidence, (int64_t)row->label_rank, (int64_t)row->second,
                  row->second_confidence, (int64_t)row->third, row->third_confidence, row->loss);
  }
  query_close(query);
  return status;
}

static enum status insert_metrics(struct db *db, int64_t run, const char *part, const struct metric_row *rows,
                                  size_t count, struct error *error)
{
  enum status status = OK;
  for (size_t i = 0; !status && i < count; i++)
    if (!isnan(rows[i].value))
      status = db_run(
          db, error, "INSERT INTO metric (run, part, name, value, low, high, images) VALUES (?, ?, ?, ?, ?, ?, ?)",
          "ittrrri", run, part, rows[i].name, rows[i].value, rows[i].low, rows[i].high, (int64_t)rows[i].images);
  return status;
}

enum status replace_evaluation(struct db *db, int64_t id, const char *part, const struct prediction_row *predictions,
                               size_t count, const struct metric_row *metrics, size_t metric_count, struct error *error)
{
  enum status status = db_run(db, error, "DELETE FROM prediction WHERE run = ? AND part = ?", "it", id, part);
  if (!status) status = db_run(db, error, "DELETE FROM metric WHERE run = ? AND part = ?", "it", id, part);
  if (!status) status = insert_predictions(db, id, part, predictions, count, error);
  return status ? status : insert_metrics(db, id, part, metrics, metric_count, error);
}

enum status run_set_evaluation(struct db *db, int64_t id, const char *part, const struct prediction_row *predictions,
                               size_t count, const struct metric_row *metrics, size_t metric_count, struct error *error)
{
  enum status status = db_begin(db, error);
  if (status) return status;
  status = replace_evaluation(db, id, part, predictions, count, metrics, metric_count, error);
  return end_transaction(db, status, error);
}
