// Making a tensor set: rows drawn in parallel into files of at most 64 MiB, published one by one, resumable
// file by file. The stages resize, augment and features differ only in how a row is drawn.
#ifndef PIPELINE_MATERIALISE_H
#define PIPELINE_MATERIALISE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/status.h"
#include "stage/stage.h"
#include "store/tensors.h"

enum { MATERIALISE_FILE_LIMIT = 64 << 20 };

struct materialise {
  const char *key, *parameters; // of the set
  const char *file_metadata;    // what the rows are, for whoever opens a file: "stretch, area"
  struct tensor_set set;        // kind, dataset, split, height, width, channels are given; the rest is filled
  uint64_t rows;                // of the whole set
  uint64_t file_bytes;          // a file has at most so many, or one row; at least a MiB; 0: MATERIALISE_FILE_LIMIT
  void *self;

  // The pixels of row `row` (bytes of a row: height * width * channels), in memory of thread `thread` (from
  // 0), which is this thread's until its next call. Called from an OpenMP team.
  enum status (*draw)(void *self, int thread, uint64_t row, const uint8_t **pixels, struct error *error);

  // Or, where `draw` is NULL: `count` rows from `first` on, one behind the other, in memory that lasts until the next
  // call, which is the next rows'. At most `block` rows are asked for at once.
  uint64_t block;
  enum status (*draw_block)(void *self, uint64_t first, uint64_t count, const void **rows, struct error *error);

  // What is recorded of a row. `parameters` has room for a JSON object; left empty for none.
  void (*describe)(void *self, uint64_t row, struct tensor_row *out, char *parameters, size_t size);
};

// Whether the set of this key is done and its files are there. Says what is wrong with one that is not: it will be made
// again, with all after it, and set->rows are those before it.
enum status materialise_is_done(struct stage *stage, const char *key, struct tensor_set *set, bool *done,
                                struct error *error);

// FAILED, saying how much, if the disk has no room for so many rows more.
enum status materialise_check_room(struct stage *stage, uint64_t missing, size_t row_bytes, struct error *error);

// Makes what is missing. FAILED, before anything is made, if the disk has no room for it. INTERRUPTED keeps the files
// that are whole. A published file that is not there any more, or not as long as its row says, is made again with all
// after it.
enum status materialise(struct stage *stage, struct materialise *plan, struct error *error);

#endif
