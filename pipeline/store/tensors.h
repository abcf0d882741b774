// Tensor sets in the manifest: sets of tensor files [rows, height, width, channels], made file by file.
//
//   no row -> running -> done      tensor_set_begin, tensor_set_add_file (once per published file),
//   tensor_set_finish
//
// A file is published first, its rows follow in one transaction. An execution that was killed leaves a
// running set with some files; the next one keeps them and goes on at tensor_set_begin's `rows`.
// tensor_set_collect removes files that no row knows.
#ifndef STORE_TENSORS_H
#define STORE_TENSORS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/digest.h"
#include "core/files.h"
#include "store/db.h"
#include "store/tensorfile.h"

// The folder below $(WORK) that holds all tensor files.
#define TENSOR_FOLDER "tensors"

struct tensor_set {
  int64_t id, dataset, split; // split: 0 for none
  const char *kind;           // "resized", "augmented", "features": a constant
  bool done;
  int height, width, channels;
  enum tensor_dtype dtype; // of a row's numbers
  uint64_t rows;           // in files that are published
};

struct tensor_file {
  int ordinal;
  char path[128]; // below $(WORK)
  uint64_t first_row, rows, bytes;
  char sha256[DIGEST_TEXT];
};

struct tensor_row {
  int64_t image;
  int variant;            // 0: the image itself; 1 and up: augmented
  const char *parameters; // JSON, or NULL
};

// The set of this key or, with a NULL key, of this id.
enum status tensor_set_find(struct db *db, const char *key, int64_t id, struct tensor_set *out, bool *found,
                            struct error *error);

// Bytes of a row, and the name of the tensor that a set's files hold: "images", or "features".
size_t tensor_set_row_bytes(const struct tensor_set *set);
const char *tensor_set_tensor(const struct tensor_set *set);

// What was made of this kind for this dataset last: its parameters JSON (free it), or NULL. For saying what
// changed.
enum status tensor_set_previous(struct db *db, const char *kind, int64_t dataset, char **parameters,
                                struct error *error);

// Fills set->id and set->rows: of a new row in state running, or of the one that an earlier execution of this
// key left. BAD_DATA if that one is of another kind, extents or dtype: the request is what buffers were made for.
enum status tensor_set_begin(struct db *db, struct tensor_set *set, const char *key, const char *parameters,
                             struct error *error);

// One transaction: the file and its rows (file->rows of them); set->rows grows.
enum status tensor_set_add_file(struct db *db, struct tensor_set *set, const struct tensor_file *file,
                                const struct tensor_row *rows, struct error *error);

enum status tensor_set_finish(struct db *db, struct tensor_set *set, struct error *error);

// The files of a set in the order of their rows; free *files.
enum status tensor_set_files(struct db *db, int64_t set, struct tensor_file **files, size_t *count,
                             struct error *error);

// "tensors/<first 12 digits of the key>-<ordinal>.safetensors"
void tensor_file_name(char out[128], const char *key, int ordinal);

// OK if the file below $(WORK) is there, plain and as long as its row says; BAD_DATA names what is wrong.
enum status tensor_file_check(const char *folder, const struct tensor_file *file, struct error *error);

// Forgets the files from `ordinal` on, and their rows: they are to be made again.
enum status tensor_set_forget_from(struct db *db, struct tensor_set *set, int ordinal, struct error *error);

// Removes files below $(WORK)/tensors whose name starts as the key's do and that no row knows (what a killed
// execution left).
enum status tensor_set_collect(struct db *db, const char *folder, const char *key, struct error *error);

#endif
