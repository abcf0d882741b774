#include "training/network.h"

#include <stdlib.h>
#include <string.h>

#include "core/mem.h"
#include "core/version.h"
#include "keys/keys.h"
#include "keys/settings.h"
#include "models/weights.h"
#include "store/calibrations.h"

enum status network_model(struct model_options *out, const struct config *config, int classes, enum model_part part,
                          struct error *error)
{
  const char *name = config_text(config, "model.name");
  const struct model *model = model_find(name);
  int size = (int)config_integer(config, "resize.size");
  bool late_stride = strcmp(config_text(config, "model.variant"), "v1.5") == 0;
  if (late_stride && strcmp(name, "resnet50") != 0)
    return fail(error, BAD_USAGE, "model.variant v1.5 is a variant of resnet50; %s has v1 alone", name);
  if (config_flag(config, "model.zero_gamma") && strcmp(name, "resnet50") != 0)
    return fail(error, BAD_USAGE, "model.zero_gamma is of resnet50; %s has no batch norms", name);
  if (model && model->input.h != size)
    return fail(error, BAD_USAGE, "model.name %s takes images of %dx%d, but resize.size is %d", name, model->input.h,
                model->input.w, size);
  *out = (struct model_options){
      .name = name,
      .classes = classes,
      .dropout = (float)config_real(config, "model.dropout"),
      .part = part,
      .trainable = (enum model_trainable)config_choice(config, "model.trainable"),
      .variant = late_stride ? VARIANT_V1_5 : VARIANT_V1,
      .zero_gamma = config_flag(config, "model.zero_gamma"),
      .feature_dtype = DTYPE_BF16,
  };
  return OK;
}

// --- the frozen part on bytes ----------------------------------------------------------------------------------------

struct named_ranges {
  const struct net *net;
  float *ranges; // [layers]
  size_t taken;
};

static void take_range(void *self, const char *layer, float range)
{
  struct named_ranges *named = self;
  for (size_t i = 0; i < net_layer_count(named->net); i++)
    if (!strcmp(net_layer(named->net, i).name, layer)) {
      named->ranges[i] = range;
      named->taken++;
    }
}

enum status network_ranges(float **out, const struct net *net, struct db *db, const char *calibration,
                           struct error *error)
{
  struct calibration_row row;
  struct named_ranges named = {.net = net};
  bool found = false;
  *out = NULL;
  enum status status = calibration_find(db, calibration, &row, &found, error);
  if (!status && !found)
    status = fail(error, BAD_DATA, "features.precision int8 is not calibrated yet: run build/stages/features first");
  if (!status) status = mem_zeroed((void **)out, net_layer_count(net), sizeof **out, "ranges", error);
  named.ranges = *out;
  if (!status) status = calibration_ranges(db, row.id, &named, take_range, error);
  if (!status && named.taken == 0)
    status = fail(error, BAD_DATA,
                  "%s: calibration %lld has no range of any layer: delete its row, and run"
                  " build/stages/features again",
                  db_path(db), (long long)row.id);
  if (!status) return OK;
  free(*out);
  *out = NULL;
  return status;
}

// --- a run's network -------------------------------------------------------------------------------------------------

enum status network_open(struct network *out, struct db *db, const struct config *config,
                         const struct network_options *options, struct error *error)
{
  *out = (struct network){0};
  const char *model = config_text(config, "model.name");
  float *ranges = NULL;
  struct net_options plan = {
      .precision = options->precision,
      .kernels = settings_kernels(config),
      .threads = options->threads,
      .batch = (int)config_integer(config, "train.batch"),
      .training = options->training,
      .pieces = options->training && !config_flag(config, "train.centralize"), // whose mean needs the whole gradient
      .seed = (uint64_t)config_integer(config, "seed"),
  };
  struct model_options what = {.name = model};
  enum status status = class_names_of_split(&out->classes, db, options->split, error);
  if (!status && out->classes.count < 2)
    status = fail(error, BAD_DATA, "a network needs at least 2 classes, the split has %zu", out->classes.count);
  if (!status) status = network_model(&what, config, (int)out->classes.count, options->part, error);
  if (!status) status = model_build(&what, &out->net, error);
  if (!status && options->calibration && options->calibration[0])
    status = network_ranges(&ranges, out->net, db, options->calibration, error);
  plan.ranges = ranges;
  if (!status) status = net_plan(out->net, &plan, error);
  free(ranges);
  out->subject = (struct checkpoint_subject){
      .model = model,
      .variant = config_text(config, "model.variant"),
      .preprocessing = out->net ? model_find(model)->preprocessing[what.variant] : "",
      .classes = (const char *const *)out->classes.list,
      .class_count = out->classes.count,
      .input_size = (int)config_integer(config, "resize.size"),
      .resize_fit = config_text(config, "resize.fit"),
      .resize_filter = config_text(config, "resize.filter"),
      .run_key = options->run_key,
      .library = PIPELINE_VERSION,
      .precision = settings_precision_name(options->precision),
  };
  return status;
}

void network_release(struct network *network)
{
  class_names_release(&network->classes);
  net_free(network->net);
  *network = (struct network){0};
}

enum status network_start(struct net *net, uint64_t seed, const struct weights_row *initial, const char *folder,
                          size_t *loaded, struct error *error)
{
  char path[PATH_LIMIT], sha256[DIGEST_TEXT];
  uint64_t bytes;
  *loaded = 0;
  net_initialise(net, seed);
  if (!initial->id) return OK;
  enum status status = weights_file_check(folder, initial, error);
  if (!status) status = path_join(path, folder, initial->path, error);
  if (!status) status = digest_of_file(sha256, &bytes, path, error);
  if (!status && strcmp(sha256, initial->sha256) != 0)
    status =
        fail(error, BAD_DATA, "%s has SHA-256 %.12s..., the manifest says %.12s...: run build/stages/weights again",
             path, sha256, initial->sha256);
  return status ? status : weights_load(path, net, loaded, error);
}
