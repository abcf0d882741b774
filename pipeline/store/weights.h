// Imported weights in the manifest: files that runs start from, and which of them a configuration's list came to.
#ifndef STORE_WEIGHTS_H
#define STORE_WEIGHTS_H

#include <stdbool.h>
#include <stdint.h>

#include "core/digest.h"
#include "core/files.h"
#include "store/db.h"

// The folder below $(WORK) that holds imported weights.
#define WEIGHTS_FOLDER "weights"

struct weights_row {
  int64_t id;
  char path[128]; // below $(WORK)
  uint64_t bytes;
  char sha256[DIGEST_TEXT];
};

// What is recorded of an import, besides its file.
struct weights_source {
  const char *key, *parameters;
  const char *sha256; // of the file that was read
  uint64_t bytes;
  const char *format, *naming, *preprocessing, *ignored;
};

// "weights/0123456789ab.safetensors"
void weights_file_name(char out[128], const char *key);

enum status weights_find(struct db *db, const char *key, struct weights_row *out, bool *found, struct error *error);
enum status weights_insert(struct db *db, const struct weights_source *source, struct weights_row *row,
                           struct error *error);

// The file is there, a plain one, inside its folder and as long as its row says; BAD_DATA if not.
enum status weights_file_check(const char *folder, const struct weights_row *row, struct error *error);

// Records that the list `wanted` of a model came to `item`, found at `place`; weights 0: none, the run's are drawn.
enum status weights_choose(struct db *db, const char *model, const char *wanted, const char *item, const char *place,
                           int64_t weights, struct error *error);

// What the list came to when stage weights last ran: out->id is 0 where it was none.
enum status weights_chosen(struct db *db, const char *model, const char *wanted, struct weights_row *out, bool *found,
                           struct error *error);

// What a run started from; out->id is 0 where its weights were drawn.
enum status weights_of_run(struct db *db, int64_t run, struct weights_row *out, struct error *error);

#endif
