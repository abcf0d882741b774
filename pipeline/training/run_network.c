#include "training/run_network.h"

#include <string.h>

#include "keys/keys.h"
#include "keys/settings.h"
#include "models/weights.h"
#include "store/calibrations.h"
#include "training/training.h"

static enum net_precision precision_of(struct stage *stage, const struct run_found *run)
{
  if (strcmp(run->precision, "bf16") != 0) return NET_FP32;
  if (net_precision_supported(NET_BF16)) return NET_BF16;
  stage_warn(stage, "run %s was trained in bf16, which this CPU (%s) does not have: judged in fp32", run->name,
             net_isa());
  return NET_FP32;
}

static enum status open_net(struct network *out, struct stage *stage, const struct run_found *run,
                            const struct config *config, enum model_part part, struct error *error)
{
  char calibration[DIGEST_TEXT] = "";
  const struct network_options options = {
      .part = part,
      .split = run->split,
      .run_key = run->key,
      .calibration = calibration,
      .precision = precision_of(stage, run),
      .threads = stage_threads(stage),
  };
  // The head reads features that were computed already.
  enum status status = part == MODEL_WHOLE ? calibration_of_run(stage_db(stage), run->id, calibration, error) : OK;
  return status ? status : network_open(out, stage_db(stage), config, &options, error);
}

static enum status best_of(const struct stage *stage, const struct run_found *run, char best[PATH_LIMIT],
                           struct error *error)
{
  char folder[PATH_LIMIT];
  enum status status = run_folder(folder, stage_folder(stage), run->name, error);
  return status ? status : path_join(best, folder, "weights/best.safetensors", error);
}

// All weights of the net are in the run's file.
static enum status load_all(struct network *network, const struct run_found *run, const char *best, struct error *error)
{
  char sha256[DIGEST_TEXT];
  enum status status = checkpoint_load(best, network->net, NULL, &network->subject, NULL, error);
  if (!status) status = checkpoint_weights_sha256(network->net, sha256, error);
  if (!status && strcmp(sha256, run->best_sha256) != 0)
    status =
        fail(error, BAD_DATA, "%s holds weights %.12s..., the manifest says %.12s...", best, sha256, run->best_sha256);
  return status;
}

// The run's file has the head; the trunk never changed from what the run started from. The head is loaded into a net of
// its own first, which checks the file.
static enum status load_both(struct network *network, struct stage *stage, const struct run_found *run,
                             const struct config *config, const char *best, struct error *error)
{
  struct network head;
  struct weights_row initial;
  size_t loaded = 0, heads = 0;
  enum status status = run_network_open(&head, stage, run, config, MODEL_HEAD, error);
  network_release(&head);
  if (!status) status = weights_of_run(stage_db(stage), run->id, &initial, error);
  if (!status) status = network_start(network->net, (uint64_t)run->seed, &initial, stage_folder(stage), &loaded, error);
  return status ? status : weights_load(best, network->net, &heads, error);
}

enum status run_network_open(struct network *out, struct stage *stage, const struct run_found *run,
                             const struct config *config, enum model_part part, struct error *error)
{
  char best[PATH_LIMIT];
  bool both = part == MODEL_WHOLE && features_used(config);
  enum status status = open_net(out, stage, run, config, part, error);
  if (!status) status = best_of(stage, run, best, error);
  if (!status) status = both ? load_both(out, stage, run, config, best, error) : load_all(out, run, best, error);
  return status;
}
