// A folder of rendered images in Kaggle's layout: DIR/A/A1.jpg ... DIR/space/spaceN.jpg, and DIR/.synth, which says
// what the folder holds.
//
// An image is a function of (seed, class, number), so nothing is lost with a file: files are written under another name
// and renamed, but not synced one by one, and each execution compares every file with the digest in the manifest and
// draws again what is missing, cut or changed. A folder that holds anything else is refused before anything is written.
#ifndef DATA_DRAWN_H
#define DATA_DRAWN_H

#include <stdint.h>

#include "core/files.h"
#include "core/status.h"
#include "stage/stage.h"
#include "synth/frame.h"

struct drawn {
  char root[PATH_LIMIT]; // absolute; made where it is missing
  struct frame_series series;
  int side;
  uint64_t per_class;
};

// The file of image `number` (from 1) of a class.
enum status drawn_path(const struct drawn *drawn, int class, uint64_t number, char out[PATH_LIMIT],
                       struct error *error);

// Draws what the folder lacks; *made is how many images that were.
enum status drawn_update(struct stage *stage, const struct drawn *drawn, uint64_t *made, struct error *error);

#endif
