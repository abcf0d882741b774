// Inside a stage: what stage*.c share.
#ifndef PIPELINE_STAGE_PARTS_H
#define PIPELINE_STAGE_PARTS_H

#include "core/files.h"
#include "stage/stage.h"

enum { STAGE_OPTION_LIMIT = 16, STAGE_TEXT_LIMIT = 1024 };

// The command line, read.
struct stage_options {
  const char *manifest, *config;
  char **sets; // pointers into argv, then those of `spelled`
  size_t set_count;
  int threads; // 0: all CPUs
  bool json, quiet;
  char *spelled[STAGE_OPTION_LIMIT];   // "key=value" of options that stand for configuration keys
  const char *own[STAGE_OPTION_LIMIT]; // values in the order of the definition's options; NULL: absent
  enum { STAGE_RUN, STAGE_HELP, STAGE_HELP_CONFIG, STAGE_VERSION } action;
};

// BAD_USAGE for what the command line does not allow. Release the options whatever is returned.
enum status stage_options_read(struct stage_options *options, const struct stage_definition *definition, int argc,
                               char **argv, struct error *error);
void stage_options_release(struct stage_options *options);
void stage_help(const struct stage_definition *definition, FILE *out);

struct stage {
  const struct stage_definition *definition;
  struct stage_options options;
  struct config *config;
  struct db *db;
  char folder[PATH_LIMIT];
  int lock; // descriptor of the lock file
  int threads;
  struct progress progress;
  bool progress_on;
  double started;
  // For the log row.
  int64_t log_id;
  char subject[STAGE_TEXT_LIMIT], why[STAGE_TEXT_LIMIT], resumed[256];
  char key[DIGEST_TEXT], *parameters;
  bool counted;
  uint64_t images;
  double seconds;
};

// Takes $(WORK)/.lock-STAGE, which the kernel frees when the process ends, however it ends. FAILED at once, with the
// holder's process id, if another has it.
enum status stage_lock(struct stage *stage, struct error *error);
// Marks as interrupted the log rows of stages whose process is gone.
enum status stage_close_abandoned(struct stage *stage, struct error *error);

#endif
