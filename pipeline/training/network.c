#include "training/network.h"

#include "core/version.h"
#include "keys/settings.h"
#include "models/models.h"

static enum status check_input(const struct config *config, struct error *error)
{
  const char *name = config_text(config, "model.name");
  const struct model *model = model_find(name);
  int size = (int)config_integer(config, "resize.size");
  if (model && model->input.h != size)
    return fail(error, BAD_USAGE, "model.name %s takes images of %dx%d, but resize.size is %d", name, model->input.h,
                model->input.w, size);
  return OK;
}

enum status network_open(struct network *out, struct db *db, const struct config *config,
                         const struct network_options *options, struct error *error)
{
  *out = (struct network){0};
  const char *model = config_text(config, "model.name");
  const struct net_options plan = {
      .precision = options->precision,
      .kernels = settings_kernels(config),
      .threads = options->threads,
      .batch = (int)config_integer(config, "train.batch"),
      .training = options->training,
      .seed = (uint64_t)config_integer(config, "seed"),
  };
  enum status status = check_input(config, error);
  if (!status) status = class_names_of_split(&out->classes, db, options->split, error);
  if (!status && out->classes.count < 2)
    status = fail(error, BAD_DATA, "a network needs at least 2 classes, the split has %zu", out->classes.count);
  const struct model_options what = {
      .name = model, .classes = (int)out->classes.count, .dropout = (float)config_real(config, "model.dropout")};
  if (!status) status = model_build(&what, &out->net, error);
  if (!status) status = net_plan(out->net, &plan, error);
  out->subject = (struct checkpoint_subject){
      .model = model,
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
