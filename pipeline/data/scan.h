// Finding the images of a dataset: a folder of class folders, as Kaggle's set and torchvision's ImageFolder
// have it.
//
//   root/A/A1.jpg                                            root itself holds the class folders
//   root/asl_alphabet_train/asl_alphabet_train/A/A1.jpg      so does a folder deeper in it
//
// The class folders are in the highest folder (root, then its folders, at most SCAN_DEPTH deep) that has at
// least two folders with something other than folders in them. All its folders are classes; their ordinals
// are the places of their names, sorted by bytes. Names that begin with a dot are skipped, at every level.
// Nothing is opened but folders.
#ifndef PIPELINE_SCAN_H
#define PIPELINE_SCAN_H

#include <stddef.h>
#include <stdint.h>

#include "core/files.h"
#include "core/status.h"

enum { SCAN_DEPTH = 4, SCAN_CLASS_LIMIT = 10000 };

struct scan_file {
  char *path; // below root
  int label;
  const char *not_a_file; // NULL for a plain file; what it is otherwise: "a folder", "a link", ... (a constant)
  uint64_t size, inode;
  int64_t mtime_ns;
};

struct scan {
  char folder[PATH_LIMIT]; // that holds the class folders, below root; "" for root itself
  char **classes;          // names as the file system has them, sorted by bytes
  size_t class_count;
  struct scan_file *files; // sorted by the bytes of their paths
  size_t count, capacity;
  uint64_t hidden; // skipped because of their dot
  uint64_t loose;  // skipped because they lie beside the class folders
};

// BAD_DATA if there are no class folders, or if two folders of the same depth have some. FAILED if a folder
// cannot be read.
enum status scan_folder(struct scan *out, const char *root, struct error *error);

// The same for root/{train, val | valid | validation, test}/CLASS: all their images, with the union of the classes.
// BAD_DATA if root has no folder train, or no other of them.
enum status scan_parts(struct scan *out, const char *root, struct error *error);
void scan_release(struct scan *scan);

#endif
