// Measured figures with a peer's beside them: the table `benchmark`, which tests/bench fills and the view `benchmarks`
// shows the latest of.
#ifndef STORE_BENCHMARKS_H
#define STORE_BENCHMARKS_H

#include "store/db.h"

struct benchmark {
  const char *task;      // "seed-cnn train", "layer conv1 forward", "stage decode"
  const char *precision; // "fp32", "bf16"; NULL: of no meaning here
  int threads, batch;    // batch 0: of no meaning here
  double value;
  const char *unit;  // "images/s", "GFLOP/s", "MiB"
  const char *peer;  // "PyTorch 1.13.1", "roof"; NULL: none, and the next is not looked at
  double peer_value; // the ratio is value / peer_value
};

// Adds all rows or none, with one time for all of them. `host` is the machine that they were measured on.
enum status benchmarks_add(struct db *db, const struct benchmark *rows, size_t count, const char *host,
                           struct error *error);

#endif
