// Inside the runs: what runs.c and outside.c share.
#ifndef STORE_RUNS_PARTS_H
#define STORE_RUNS_PARTS_H

#include "store/runs.h"

// Ends the transaction that db_begin began: commits, or rolls back after a failure.
enum status end_transaction(struct db *db, enum status status, struct error *error);

// Within a transaction.
enum status replace_evaluation(struct db *db, int64_t id, const char *part, const struct prediction_row *predictions,
                               size_t count, const struct metric_row *metrics, size_t metric_count,
                               struct error *error);

#endif
