// Augmentations that are measured.
#include <string.h>

#include "ours.h"

#define GEOMETRY .rotate = 10, .translate = 0.12f, .zoom = 0.2f, .zoom_out = 0.3f, .shear = 6, .perspective = 0.08f
#define COLOURS  .brightness = 0.35f, .contrast = 0.35f, .saturation = 0.5f, .gain = 0.1f, .gamma = 0.3f, .grey = 0.1f

const struct bench_recipe bench_recipes[] = {
    // configs/cnn.yaml and configs/cnn-augmented.yaml
    {"recipe", {GEOMETRY, COLOURS, .noise = 6}},
    {"all",
     {.rotate = 10,
      .translate = 0.12f,
      .zoom = 0.15f,
      .zoom_out = 0.4f,
      .aspect = 0.15f,
      .shear = 5,
      .perspective = 0.1f,
      .border = BORDER_MIXED,
      .background = 0.5f,
      .background_pictures = 0.5f,
      .brightness = 0.25f,
      .contrast = 0.25f,
      .saturation = 0.3f,
      .hue = 8,
      .gain = 0.1f,
      .gamma = 0.4f,
      .grey = 0.1f,
      .shadow = 0.5f,
      .erase = 0.15f,
      .resolution = 0.5f,
      .motion = 3,
      .blur = 1,
      .noise = 6,
      .jpeg = 0.2f}},
    // One by one, as often as in the second.
    {"geometry", {GEOMETRY}},
    {"geometry without perspective", {.rotate = 10, .translate = 0.12f, .zoom = 0.2f, .zoom_out = 0.3f, .shear = 6}},
    {"colours", {COLOURS}},
    {"noise", {.noise = 6}},
    {"background", {.background = 0.5f}},
    {"shadow", {.shadow = 0.5f}},
    {"erase", {.erase = 0.15f}},
    {"resolution", {.resolution = 0.5f}},
    {"motion", {.motion = 3}},
    {"blur", {.blur = 1}},
    {"jpeg", {.jpeg = 0.2f}},
};
const size_t bench_recipe_count = sizeof bench_recipes / sizeof *bench_recipes;

const struct augment_recipe *bench_recipe_find(const char *name)
{
  for (size_t i = 0; i < bench_recipe_count; i++)
    if (strcmp(bench_recipes[i].name, name) == 0) return &bench_recipes[i].recipe;
  return NULL;
}
