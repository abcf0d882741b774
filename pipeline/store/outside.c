// Outside tests of a run: declared in runs.h, beside its evaluation on its own parts.
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "store/runs.h"
#include "store/runs_parts.h"

// The names that a query finds, as a list; what does not fit any more is counted alone.
static enum status list_names(struct db *db, const char *sql, int64_t first, int64_t second, char *out, size_t size,
                              size_t *count, struct error *error)
{
  struct query *query = NULL;
  size_t used = 0;
  bool full = false;
  out[0] = '\0';
  *count = 0;
  enum status status = query_open(&query, db, sql, error);
  if (!status) status = query_bind(query, error, "ii", first, second);
  for (; !status && query_next(query, &status, error); ++*count) {
    if (full) continue;
    const char *name = query_text(query, 0), *comma = used ? ", " : "";
    full = used + strlen(comma) + strlen(name) + sizeof ", ..." > size; // after each name there is room for these
    used += (size_t)snprintf(out + used, size - used, "%s%s", comma, full ? "..." : name);
  }
  query_close(query);
  return status;
}

enum status run_outside_facts(struct db *db, int64_t id, int64_t dataset, struct outside_facts *out,
                              struct error *error)
{
  static const char missing[] = "SELECT l.name FROM run r JOIN split_class l ON l.split = r.split WHERE r.id = ?1"
                                " AND l.name NOT IN (SELECT name FROM class WHERE dataset = ?2) ORDER BY l.ordinal";
  static const char unknown[] =
      "SELECT c.name FROM class c WHERE c.dataset = ?2 AND c.name NOT IN (SELECT l.name"
      " FROM run r JOIN split_class l ON l.split = r.split WHERE r.id = ?1) ORDER BY c.ordinal";
  static const char same[] =
      "SELECT count(*) FROM image i WHERE i.dataset = ?2 AND i.status = 'ok' AND EXISTS"
      " (SELECT * FROM image t JOIN split_image s ON s.image = t.id JOIN run r ON r.split = s.split"
      "  WHERE t.sha256 = i.sha256 AND r.id = ?1 AND s.part = 'train')";
  int64_t twins = 0, classes = 0;
  enum status status = list_names(db, missing, id, dataset, out->missing_classes, sizeof out->missing_classes,
                                  &out->missing_count, error);
  if (!status)
    status = list_names(db, unknown, id, dataset, out->unknown_classes, sizeof out->unknown_classes,
                        &out->unknown_count, error);
  if (!status) status = db_integer(db, &twins, NULL, error, same, "ii", id, dataset);
  if (!status)
    status = db_integer(db, &classes, NULL, error,
                        "SELECT count(*) FROM run r JOIN split_class l ON l.split = r.split WHERE r.id = ?", "i", id);
  out->same_as_training = (uint64_t)twins;
  out->class_count = (size_t)classes;
  return status;
}

enum status run_set_outside(struct db *db, int64_t id, const struct outside_row *row, const struct outside_facts *facts,
                            const struct prediction_row *predictions, size_t count, const struct metric_row *metrics,
                            size_t metric_count, struct error *error)
{
  enum status status = db_begin(db, error);
  if (status) return status;
  status = replace_evaluation(db, id, row->part, predictions, count, metrics, metric_count, error);
  if (!status)
    status = db_run(db, error, "DELETE FROM outside_test WHERE run = ? AND dataset = ?", "ii", id, row->dataset);
  if (!status)
    status = db_run(db, error,
                    "INSERT INTO outside_test (run, dataset, part, fingerprint, weights_sha256, images, unknown_images,"
                    " unknown_classes, missing_classes, same_as_training, evaluated_at)"
                    " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                    "iitttiittir", id, row->dataset, row->part, row->fingerprint, row->weights_sha256,
                    (int64_t)row->images, (int64_t)row->unknown_images, facts->unknown_classes, facts->missing_classes,
                    (int64_t)facts->same_as_training, (double)time(NULL));
  return end_transaction(db, status, error);
}
