// A folder of class folders and its dataset in the manifest: what changed since it was last read, and reading that.
// What the stage ingest does for each folder, and evaluate for one that the manifest does not know yet.
//
//   folder_look(&folder, stage, root, error);
//   if (!folder.up_to_date) folder_update(&folder, error); // folder.why says why
//   folder_release(&folder); // in any case
#ifndef PIPELINE_FOLDER_H
#define PIPELINE_FOLDER_H

#include <stdbool.h>

#include "core/files.h"
#include "data/scan.h"
#include "stage/stage.h"
#include "store/images.h"

struct folder {
  struct stage *stage;
  char root[PATH_LIMIT];
  struct dataset_row dataset;
  bool up_to_date;
  char why[128]; // it is not
  // Inside.
  struct scan scan;
  struct image_file *files; // of the scan, as the store takes them
  struct image_changes changes;
};

// Scans `root` (absolute, without links) and compares it with its dataset, which is made where it is new.
enum status folder_look(struct folder *out, struct stage *stage, const char *root, struct error *error);

// The same for a folder whose class folders are in folders train, val and test (scan_parts).
enum status folder_look_in_parts(struct folder *out, struct stage *stage, const char *root, struct error *error);

// Reads what changed and records it; says what was found. BAD_DATA where a class has no image that can be used: a
// network cannot learn it, or be tested on it.
enum status folder_update(struct folder *folder, struct error *error);

void folder_release(struct folder *folder);

#endif
