// A checkpoint's metadata: written as strings, read back and checked. Of models/checkpoint.c alone.
#ifndef MODELS_CHECKPOINT_TEXT_H
#define MODELS_CHECKPOINT_TEXT_H

#include "models/checkpoint.h"
#include "store/tensorfile.h"

#define CHECKPOINT_FORMAT "asl-checkpoint-1"

enum { CHECKPOINT_TEXT_PAIRS = 13, CHECKPOINT_EPOCH_LIMIT = 1000000 };

struct checkpoint_text {
  struct metadata_pair pairs[CHECKPOINT_TEXT_PAIRS];
  char *classes, *progress, *history; // JSON; owned
  char input_size[16];
};

enum status checkpoint_text_make(struct checkpoint_text *out, const struct checkpoint_subject *subject,
                                 const struct checkpoint_state *state, struct error *error);
void checkpoint_text_release(struct checkpoint_text *text);

// BAD_DATA where the file's metadata is not the subject's.
enum status checkpoint_text_check(const struct tensorfile *file, const struct checkpoint_subject *subject,
                                  struct error *error);

// The state that the file holds; BAD_DATA where it is not one that fit() can have left.
enum status checkpoint_text_state(const struct tensorfile *file, struct checkpoint_state *out, struct error *error);

#endif
