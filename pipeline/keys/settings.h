// The configuration's values as the options that the rooms take: one place where a key meets a field.
#ifndef PIPELINE_SETTINGS_H
#define PIPELINE_SETTINGS_H

#include <stdbool.h>

#include "config/config.h"
#include "engine/fit/fit.h"
#include "engine/fit/optimizer.h"
#include "engine/fit/schedule.h"
#include "engine/net/net.h"
#include "image/augment.h"
#include "image/resize.h"

struct augment_recipe settings_augment(const struct config *config);
enum resize_fit settings_resize_fit(const struct config *config);
enum resize_filter settings_resize_filter(const struct config *config);

// train.precision with "auto" resolved for this CPU. BAD_USAGE if bf16 is asked for where it is not supported.
enum status settings_precision(const struct config *config, enum net_precision *out, struct error *error);
const char *settings_precision_name(enum net_precision precision); // "fp32", "bf16"
enum net_kernels settings_kernels(const struct config *config);

// Whether training reads features instead of images: a part of the model is frozen, and an image is the same in every
// epoch.
bool features_used(const struct config *config);

// Whether features are kept as bytes with scales; else as bf16.
bool settings_features_u8(const struct config *config);

// Whether the frozen part works on bytes.
bool settings_features_int8(const struct config *config);

struct optimizer_options settings_optimizer(const struct config *config);
struct schedule settings_schedule(const struct config *config);
struct fit_options settings_fit(const struct config *config, int threads);

#endif
