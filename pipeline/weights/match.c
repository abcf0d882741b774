#include "weights/match.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/mem.h"

enum { PART_LIMIT = 256 };

const char *naming_text(enum naming naming)
{
  static const char *const texts[] = {"Keras", "Keras before 2.2.5", "torchvision"};
  return texts[naming];
}

// --- names -----------------------------------------------------------------------------------------------------------

// Removes `mark` and the digits after it from the end: "kernel:0" -> "kernel", "W_1" -> "W".
static void strip_number(char *text, char mark)
{
  char *place = strrchr(text, mark);
  if (place && place[1] && strspn(place + 1, "0123456789") == strlen(place + 1)) *place = '\0';
}

static bool weight_of(enum layout_weight *out, const char *text)
{
  static const struct {
    const char *text;
    enum layout_weight weight;
  } known[] = {
      {"kernel", KERNEL},
      {"W", KERNEL}, // Keras 1
      {"bias", BIAS},
      {"b", BIAS},
      {"gamma", GAMMA},
      {"beta", BETA},
      {"moving_mean", MOVING_MEAN},
      {"running_mean", MOVING_MEAN},
      {"moving_variance", MOVING_VARIANCE},
      {"running_std", MOVING_VARIANCE}, // Keras 1's name for it: it holds the variance
      {"running_var", MOVING_VARIANCE},
  };
  for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
    if (strcmp(known[i].text, text) != 0) continue;
    *out = known[i].weight;
    return true;
  }
  return false;
}

// A Keras name as its layer and its weight: "conv1_conv/kernel:0"; "bn_conv1_gamma:0" in the group bn_conv1; in
// safetensors also "conv1_conv.kernel".
static bool split_name(const struct source_tensor *tensor, char layer[PART_LIMIT], enum layout_weight *weight)
{
  char text[PART_LIMIT];
  if (snprintf(text, sizeof text, "%s", tensor->name) >= PART_LIMIT) return false;
  strip_number(text, ':');
  char *last = strrchr(text, '/');
  if (!last && !*tensor->layer) last = strrchr(text, '.');
  size_t group = strlen(tensor->layer);
  const char *weight_text = text;
  snprintf(layer, PART_LIMIT, "%s", tensor->layer);
  if (last) {
    *last = '\0';
    const char *before = strrchr(text, '/');
    snprintf(layer, PART_LIMIT, "%s", before ? before + 1 : text);
    weight_text = last + 1;
  }
  if (group && !strncmp(weight_text, tensor->layer, group) && weight_text[group] == '_') weight_text += group + 1;
  if (weight_of(weight, weight_text)) return true;
  char numbered[PART_LIMIT];
  snprintf(numbered, sizeof numbered, "%s", weight_text);
  strip_number(numbered, '_');
  return weight_of(weight, numbered);
}

// The tensor of the list that a name of the file stands for, or LAYOUT_TENSORS. A group's name goes before the weight's
// own: Keras numbers the latter anew where a process built the model twice.
static size_t find_keras(const struct layout_tensor *layout, const struct source_tensor *tensor, enum naming *naming)
{
  char layer[PART_LIMIT];
  enum layout_weight weight;
  if (!split_name(tensor, layer, &weight)) return LAYOUT_TENSORS;
  const char *const candidates[] = {tensor->layer, layer};
  for (size_t c = 0; c < 2; c++)
    for (size_t i = 0; i < LAYOUT_TENSORS; i++) {
      if (layout[i].weight != weight) continue;
      bool is_new = !strcmp(layout[i].layer, candidates[c]), is_old = !strcmp(layout[i].old_layer, candidates[c]);
      if (is_old) *naming = NAMING_OLD_KERAS;
      if (is_new || is_old) return i;
    }
  return LAYOUT_TENSORS;
}

static size_t find_torch(const struct layout_tensor *layout, const struct source_tensor *tensor)
{
  for (size_t i = 0; i < LAYOUT_TENSORS; i++)
    if (*layout[i].torch && !strcmp(layout[i].torch, tensor->name)) return i;
  return LAYOUT_TENSORS;
}

static bool is_torch(const struct source *source)
{
  for (size_t i = 0; i < source->count; i++)
    if (!strcmp(source->tensors[i].name, "layer1.0.conv1.weight")) return true;
  return false;
}

// --- shapes ----------------------------------------------------------------------------------------------------------

static void shape_text(char out[160], const uint64_t *shape, int rank)
{
  int used = snprintf(out, 160, "[");
  for (int d = 0; d < rank && used < 130; d++)
    used += snprintf(out + used, (size_t)(160 - used), "%s%llu", d ? ", " : "", (unsigned long long)shape[d]);
  snprintf(out + used, (size_t)(160 - used), "]");
}

static enum status check_tensor(const struct layout_tensor *wanted, const struct source_tensor *tensor, bool torch,
                                const char *path, struct error *error)
{
  uint64_t shape[4];
  memcpy(shape, wanted->shape, sizeof shape);
  if (torch && wanted->rank == 4) { // [channels out, channels in, height, width]
    shape[0] = wanted->shape[3], shape[1] = wanted->shape[2];
    shape[2] = wanted->shape[0], shape[3] = wanted->shape[1];
  }
  const char *weight = layout_weight_name(wanted->weight);
  if (tensor->rank != wanted->rank || memcmp(shape, tensor->shape, (size_t)wanted->rank * sizeof *shape) != 0) {
    char is[160], allowed[160];
    shape_text(is, tensor->shape, tensor->rank);
    shape_text(allowed, shape, wanted->rank);
    return fail(error, BAD_DATA, "%s: layer %s, weight %s (%.100s): its shape is %s; allowed: %s", path, wanted->layer,
                weight, tensor->name, is, allowed);
  }
  if (tensor->fp32) return OK;
  return fail(error, BAD_DATA, "%s: layer %s, weight %s (%.100s): its numbers are not 32-bit floats; allowed: those",
              path, wanted->layer, weight, tensor->name);
}

// --- all -------------------------------------------------------------------------------------------------------------

// A layer's name is told once, however many weights it has.
static void note_extra(struct match *match, const struct source_tensor *tensor)
{
  const char *name = *tensor->layer ? tensor->layer : tensor->name;
  size_t used = strlen(match->extras), length = strlen(name);
  bool same = used >= length && !strcmp(match->extras + used - length, name) &&
              (used == length || match->extras[used - length - 1] == ' ');
  if (same) return;
  if (used + length + 8 < sizeof match->extras)
    snprintf(match->extras + used, sizeof match->extras - used, "%s%s", used ? ", " : "", name);
  else if (used >= 3 && strcmp(match->extras + used - 3, "...") != 0)
    snprintf(match->extras + used, sizeof match->extras - used, ", ...");
}

static enum status check_all_there(const struct match *match, const struct layout_tensor *layout, bool torch,
                                   const char *path, struct error *error)
{
  size_t there = 0;
  for (size_t i = 0; i < LAYOUT_TENSORS; i++) there += match->from[i] != SIZE_MAX;
  for (size_t i = 0; i < LAYOUT_TENSORS; i++) {
    if (match->from[i] != SIZE_MAX || (torch && !*layout[i].torch)) continue;
    if (torch)
      return fail(error, BAD_DATA, "%s: %s is missing: %zu of ResNet50's tensors are there", path, layout[i].torch,
                  there);
    return fail(error, BAD_DATA,
                "%s: layer %s (%s in old files), weight %s is missing: %zu of ResNet50's %d tensors are there", path,
                layout[i].layer, layout[i].old_layer, layout_weight_name(layout[i].weight), there, LAYOUT_TENSORS);
  }
  return OK;
}

enum status match_tensors(struct match *out, const struct source *source, const struct layout_tensor *layout,
                          const char *path, struct error *error)
{
  bool torch = is_torch(source);
  *out = (struct match){.naming = torch ? NAMING_TORCHVISION : NAMING_KERAS};
  for (size_t i = 0; i < LAYOUT_TENSORS; i++) out->from[i] = SIZE_MAX;
  for (size_t t = 0; t < source->count; t++) {
    const struct source_tensor *tensor = &source->tensors[t];
    size_t i = torch ? find_torch(layout, tensor) : find_keras(layout, tensor, &out->naming);
    if (i == LAYOUT_TENSORS) {
      note_extra(out, tensor);
      continue;
    }
    if (out->from[i] != SIZE_MAX)
      return fail(error, BAD_DATA, "%s: layer %s, weight %s is there twice: as %.100s and as %.100s", path,
                  layout[i].layer, layout_weight_name(layout[i].weight), source->tensors[out->from[i]].name,
                  tensor->name);
    enum status status = check_tensor(&layout[i], tensor, torch, path, error);
    if (status) return status;
    out->from[i] = t;
  }
  return check_all_there(out, layout, torch, path, error);
}
