#include "keys/settings.h"

#include <string.h>

static float real(const struct config *config, const char *key)
{
  return (float)config_real(config, key);
}

struct augment_recipe settings_augment(const struct config *config)
{
  return (struct augment_recipe){
      .rotate = real(config, "augment.rotate"),
      .translate = real(config, "augment.translate"),
      .zoom = real(config, "augment.zoom"),
      .shear = real(config, "augment.shear"),
      .brightness = real(config, "augment.brightness"),
      .contrast = real(config, "augment.contrast"),
      .saturation = real(config, "augment.saturation"),
      .noise = real(config, "augment.noise"),
      .flip = real(config, "augment.flip"),
      .zoom_out = real(config, "augment.zoom_out"),
      .aspect = real(config, "augment.aspect"),
      .perspective = real(config, "augment.perspective"),
      .hue = real(config, "augment.hue"),
      .grey = real(config, "augment.grey"),
      .gain = real(config, "augment.gain"),
      .gamma = real(config, "augment.gamma"),
      .border = (enum augment_border)config_choice(config, "augment.border"),
      .background = real(config, "augment.background"),
      .background_pictures = real(config, "augment.background_pictures"),
      .shadow = real(config, "augment.shadow"),
      .erase = real(config, "augment.erase"),
      .blur = real(config, "augment.blur"),
      .motion = real(config, "augment.motion"),
      .resolution = real(config, "augment.resolution"),
      .jpeg = real(config, "augment.jpeg"),
  };
}

// The table's choices are in the order of the enumerations, but for those that are mapped by name here.

enum resize_fit settings_resize_fit(const struct config *config)
{
  return (enum resize_fit)config_choice(config, "resize.fit");
}

enum resize_filter settings_resize_filter(const struct config *config)
{
  return (enum resize_filter)config_choice(config, "resize.filter");
}

enum status settings_precision(const struct config *config, enum net_precision *out, struct error *error)
{
  const char *wanted = config_text(config, "train.precision");
  *out = net_fastest_precision();
  if (!strcmp(wanted, "fp32")) *out = NET_FP32;
  if (!strcmp(wanted, "bf16")) *out = NET_BF16;
  if (!net_precision_supported(*out))
    return fail(error, BAD_USAGE, "train.precision is bf16, which this CPU (%s) does not have: use auto or fp32",
                net_isa());
  return OK;
}

const char *settings_precision_name(enum net_precision precision)
{
  return precision == NET_BF16 ? "bf16" : "fp32";
}

enum net_kernels settings_kernels(const struct config *config)
{
  const char *name = config_text(config, "train.kernels");
  if (strcmp(name, "reference") == 0) return KERNELS_REFERENCE;
  return strcmp(name, "onednn") == 0 ? KERNELS_ONEDNN : KERNELS_NATIVE;
}

bool features_used(const struct config *config)
{
  return strcmp(config_text(config, "model.trainable"), "all") != 0 &&
         strcmp(config_text(config, "augment.mode"), "online") != 0 && config_real(config, "train.mixup") == 0;
}

bool settings_features_u8(const struct config *config)
{
  return !strcmp(config_text(config, "features.storage"), "u8");
}

bool settings_features_int8(const struct config *config)
{
  return !strcmp(config_text(config, "features.precision"), "int8");
}

static enum optimizer_kind optimizer_kind(const char *name)
{
  if (!strcmp(name, "sgd")) return OPTIMIZER_SGD;
  if (!strcmp(name, "muon")) return OPTIMIZER_MUON;
  return strcmp(name, "adamw") ? OPTIMIZER_ADAM : OPTIMIZER_ADAMW;
}

struct optimizer_options settings_optimizer(const struct config *config)
{
  return (struct optimizer_options){
      .kind = optimizer_kind(config_text(config, "train.optimizer")),
      .momentum = real(config, "train.momentum"),
      .matrix_rate = real(config, "train.muon_lr") / real(config, "train.lr"),
      .beta1 = real(config, "train.beta1"),
      .beta2 = real(config, "train.beta2"),
      .epsilon = real(config, "train.epsilon"),
      .weight_decay = real(config, "train.weight_decay"),
      .lr_inputs = (int)config_integer(config, "train.lr_inputs"),
      .ema = real(config, "train.ema"),
      .centralize = config_flag(config, "train.centralize"),
  };
}

struct schedule settings_schedule(const struct config *config)
{
  return (struct schedule){
      .kind = (enum schedule_kind)config_choice(config, "train.schedule"),
      .lr = real(config, "train.lr"),
      .final_lr = real(config, "train.final_lr"),
      .epochs = (int)config_integer(config, "train.epochs"),
      .warmup_epochs = real(config, "train.warmup_epochs"),
      .step_epochs = (int)config_integer(config, "train.step_epochs"),
      .step_factor = real(config, "train.step_factor"),
  };
}

struct fit_options settings_fit(const struct config *config, int threads)
{
  return (struct fit_options){
      .epochs = (int)config_integer(config, "train.epochs"),
      .batch = (int)config_integer(config, "train.batch"),
      .threads = threads,
      .seed = (uint64_t)config_integer(config, "seed"),
      .label_smoothing = real(config, "train.label_smoothing"),
      .schedule = settings_schedule(config),
      .patience = (int)config_integer(config, "train.patience"),
      .checkpoint_seconds = config_real(config, "train.checkpoint_seconds"),
  };
}
