// Safetensors files: the project's one format for shards, features, weights and checkpoints. Any Python user opens one
// in a line: safetensors.numpy.load_file(path).
//
// Layout: u64 little-endian length of the header; a JSON object {name: {dtype, shape, data_offsets}}, with string pairs
// under "__metadata__"; then the data, C order, little-endian, without holes.
// A reader maps the file read-only and trusts nothing in it: length, JSON, names, shapes and offsets are checked
// against each other and against the file's size before a pointer is handed out.
#ifndef STORE_TENSORFILE_H
#define STORE_TENSORFILE_H

#include <stddef.h>
#include <stdint.h>

#include "core/digest.h"
#include "core/status.h"

enum tensor_dtype { TENSOR_U8, TENSOR_BF16, TENSOR_F32, TENSOR_I64 };
enum { TENSOR_RANK_LIMIT = 8 };

const char *tensor_dtype_name(enum tensor_dtype dtype); // "U8", "BF16", "F32", "I64"
size_t tensor_dtype_size(enum tensor_dtype dtype);      // bytes of an element

// What a file holds under one name.
struct tensor_info {
  const char *name;
  enum tensor_dtype dtype;
  int rank;
  uint64_t shape[TENSOR_RANK_LIMIT];
};

struct metadata_pair {
  const char *key, *value;
};

// --- reading ---------------------------------------------------------------------------------------------------------

struct tensorfile;

// Maps a file. Its tensors live until tensorfile_close, in the order of their bytes. BAD_DATA for anything malformed,
// and for what the format allows but could not be read in place: another dtype than ours, a rank over the limit,
// unaligned elements.
enum status tensorfile_open(struct tensorfile **out, const char *path, struct error *error);
void tensorfile_close(struct tensorfile *file);

size_t tensorfile_count(const struct tensorfile *file);
const struct tensor_info *tensorfile_info(const struct tensorfile *file, size_t index);
const void *tensorfile_data(const struct tensorfile *file, size_t index);        // aligned to its element's size
const char *tensorfile_metadata(const struct tensorfile *file, const char *key); // NULL if it has no such key

// The tensor `name`, which must have this dtype and shape (a 0 in `shape` takes any extent): BAD_DATA names what it is
// instead.
enum status tensorfile_find(const struct tensorfile *file, const char *name, enum tensor_dtype dtype, int rank,
                            const uint64_t *shape, const void **data, struct error *error);

// --- writing ---------------------------------------------------------------------------------------------------------

// Space is reserved first (a full disk fails here, not in the middle); rows may come in any order and from any thread;
// the file appears under its name when it is whole.

struct tensorfile_writer;

// The names must be distinct, valid UTF-8 and not "__metadata__". Tensors lie in the file by falling size of their
// elements, so that all are aligned; equal arguments give equal bytes.
enum status tensorfile_create(struct tensorfile_writer **out, const char *path, const struct tensor_info *tensors,
                              size_t count, const struct metadata_pair *metadata, size_t pairs, struct error *error);
// `size` bytes at byte `offset` of tensor `index`. Thread safe.
enum status tensorfile_write(struct tensorfile_writer *writer, size_t index, uint64_t offset, const void *bytes,
                             size_t size, struct error *error);
// Makes the file read-only, fsync, rename, fsync the folder; *bytes and sha256 describe the finished file.
enum status tensorfile_publish(struct tensorfile_writer *writer, uint64_t *bytes, char sha256[DIGEST_TEXT],
                               struct error *error);
void tensorfile_discard(struct tensorfile_writer *writer); // always: frees; removes the file unless it was published

#endif
