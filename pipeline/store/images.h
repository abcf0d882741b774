// Datasets, their classes and their images in the manifest.
//
//   dataset_move        a folder that was moved keeps its row
//   dataset_open        the row of a folder; made where it is new
//   images_changes      what differs between the folder and the rows; nothing: the dataset is up to date
//   dataset_begin       one transaction: vanished images, classes; the fingerprint is gone until dataset_finish, so
//                       that no other stage takes half a scan for a dataset
//   images_write        one transaction per batch of images; each file's row is added or brought up to date
//   dataset_finish      one transaction: counts and fingerprint
//
// Killed anywhere, the next execution finds what is written and reads only the rest.
#ifndef STORE_IMAGES_H
#define STORE_IMAGES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/digest.h"
#include "core/files.h"
#include "store/db.h"

struct dataset_row {
  int64_t id;
  char name[256];
  bool finished; // it has a fingerprint
  uint64_t ok, quarantined;
};

// A file as it was found: what tells whether it has to be read again.
struct image_file {
  const char *path; // below the dataset's root; the caller's
  int label;
  uint64_t size, inode;
  int64_t mtime_ns;
};

// What became of one.
struct image_row {
  struct image_file file;
  bool ok;
  char reason[256];   // where it is not
  const char *format; // a constant; this and the following: of an image that is ok
  int width, height;
  uint64_t dhash;
  float brightness, sharpness;
  char sha256[DIGEST_TEXT]; // "" where the bytes could not be read
};

// Where no dataset has the folder `root` (absolute), and the folder of one is gone that had files of the same paths and
// sizes, it was moved: its row gets the new root. `from` is the old one then, else "". That the files hold the same is
// for images_changes to find out: another time or inode makes it read them again.
enum status dataset_move(struct db *db, const char *root, const struct image_file *files, size_t count,
                         char from[PATH_LIMIT], struct error *error);

// The dataset of the folder `root` (absolute). A new one is named after the folder, made unique by "-2",
// "-3", ...
enum status dataset_open(struct db *db, const char *root, struct dataset_row *out, struct error *error);

// Compares `count` files, sorted by the bytes of their paths, with the rows. todo[i] becomes true for each
// file that has to be read: no row, or another size, time, inode or label, or a row that was missing, or one that
// the system refused to read the last time.
// vanished (free it) holds the images whose file is not among them.
struct image_changes {
  uint64_t known; // rows that there are
  bool *todo;
  uint64_t todo_count;
  int64_t *vanished;
  size_t vanished_count;
};
enum status images_changes(struct db *db, int64_t dataset, const struct image_file *files, size_t count,
                           struct image_changes *out, struct error *error);
void images_changes_release(struct image_changes *changes);

// True if the dataset's classes are exactly these, in this order.
enum status dataset_has_classes(struct db *db, int64_t dataset, char *const *names, size_t count, bool *same,
                                struct error *error);

enum status dataset_begin(struct db *db, int64_t dataset, char *const *classes, size_t class_count,
                          const struct image_changes *changes, struct error *error);
enum status images_write(struct db *db, int64_t dataset, const struct image_row *rows, size_t count,
                         struct error *error);

// The first class without an image that is ok, as its printable name; "" if each has one.
enum status dataset_empty_class(struct db *db, int64_t dataset, char *out, size_t size, struct error *error);

// Fills in what is counted: ok and quarantined.
enum status dataset_count(struct db *db, struct dataset_row *dataset, struct error *error);

// Counts, and the fingerprint: SHA-256 over class names and, in the order of their paths' bytes, path,
// SHA-256, status and label of all images but the missing ones.
enum status dataset_finish(struct db *db, struct dataset_row *dataset, struct error *error);

// "2 truncated, 1 empty": the first words of the reasons of what is quarantined, most frequent first.
enum status dataset_reasons(struct db *db, int64_t dataset, char *out, size_t size, struct error *error);

// Calls `each` with the first `limit` quarantined files.
enum status dataset_quarantined(struct db *db, int64_t dataset, size_t limit, void *self,
                                void (*each)(void *self, const char *shown, const char *reason), struct error *error);

#endif
