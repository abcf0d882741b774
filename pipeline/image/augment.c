#include "image/augment.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>

#include "core/rng.h"

// The fields that JSON holds, with what is allowed: the recipe's limits and a rounding.
struct field {
  const char *name;
  size_t offset;
  double low, high;
};
#define FIELD(name, low, high)                                                                                         \
  {                                                                                                                    \
#name, offsetof(struct augment_parameters, name), low, high                                                        \
  }
static const struct field numbers[] = {
    FIELD(rotate, -30.001, 30.001),  FIELD(translate_x, -0.5001, 0.5001),   FIELD(translate_y, -0.5001, 0.5001),
    FIELD(zoom, 0.0999, 1.9001),     FIELD(shear, -20.001, 20.001),         FIELD(brightness, 0.0999, 1.9001),
    FIELD(contrast, 0.0999, 1.9001), FIELD(saturation, 0.0999, 1.9001),     FIELD(noise, 0, 64),
    FIELD(aspect, 0.4999, 2.0001),   FIELD(perspective_x, -0.2001, 0.2001), FIELD(perspective_y, -0.2001, 0.2001),
    FIELD(hue, -180.001, 180.001),   FIELD(gain_r, 0.4999, 1.5001),         FIELD(gain_g, 0.4999, 1.5001),
    FIELD(gain_b, 0.4999, 1.5001),   FIELD(gamma, 0.4999, 2.0001),
};
static const struct field integers[] = {
    FIELD(flip, 0, 1),
    FIELD(grey, 0, 1),
    FIELD(border, BORDER_MIRROR, BORDER_COLOUR),
    FIELD(border_colour, 0, 0xFFFFFF),
};
enum { NUMBERS = sizeof numbers / sizeof *numbers, INTEGERS = sizeof integers / sizeof *integers };

struct augment_parameters augment_identity(void)
{
  return (struct augment_parameters){.zoom = 1,
                                     .brightness = 1,
                                     .contrast = 1,
                                     .saturation = 1,
                                     .aspect = 1,
                                     .gain_r = 1,
                                     .gain_g = 1,
                                     .gain_b = 1,
                                     .gamma = 1};
}

bool augment_recipe_is_off(const struct augment_recipe *recipe)
{
  return recipe->rotate == 0 && recipe->translate == 0 && recipe->zoom == 0 && recipe->shear == 0 &&
         recipe->brightness == 0 && recipe->contrast == 0 && recipe->saturation == 0 && recipe->noise == 0 &&
         recipe->flip == 0 && recipe->zoom_out == 0 && recipe->aspect == 0 && recipe->perspective == 0 &&
         recipe->hue == 0 && recipe->grey == 0 && recipe->gain == 0 && recipe->gamma == 0;
}

// In [-range, range); +0 where the range is 0.
static float either_way(struct rng *rng, float range)
{
  return rng_uniform(rng, -1, 1) * range + 0.0f;
}

static float zoom_of(float draw, const struct augment_recipe *recipe)
{
  float down = recipe->zoom_out > recipe->zoom ? recipe->zoom_out : recipe->zoom;
  return 1 + draw * (draw < 0 ? down : recipe->zoom);
}

// As often below 1 as above, by the same factor.
static float factor(struct rng *rng, float range)
{
  float draw = rng_uniform(rng, -1, 1) * range;
  return draw < 0 ? 1 / (1 - draw) : 1 + draw;
}

static int chance(struct rng *rng, float probability)
{
  return rng_uniform(rng, 0, 1) < probability;
}

struct augment_parameters augment_draw(const struct augment_recipe *recipe, uint64_t seed, uint64_t image,
                                       uint64_t variant)
{
  struct rng rng = rng_at(seed, RNG_AUGMENT, image, variant);
  struct augment_parameters drawn;
  drawn.rotate = either_way(&rng, recipe->rotate);
  drawn.translate_x = either_way(&rng, recipe->translate);
  drawn.translate_y = either_way(&rng, recipe->translate);
  drawn.zoom = zoom_of(rng_uniform(&rng, -1, 1), recipe);
  drawn.shear = either_way(&rng, recipe->shear);
  drawn.brightness = 1 + either_way(&rng, recipe->brightness);
  drawn.contrast = 1 + either_way(&rng, recipe->contrast);
  drawn.saturation = 1 + either_way(&rng, recipe->saturation);
  drawn.noise = rng_uniform(&rng, 0, 1) * recipe->noise;
  drawn.flip = chance(&rng, recipe->flip);
  uint64_t upper = rng_bits(&rng) >> 11, lower = rng_bits(&rng);
  drawn.noise_seed = upper << 32 | lower;
  drawn.aspect = factor(&rng, recipe->aspect);
  drawn.perspective_x = either_way(&rng, recipe->perspective);
  drawn.perspective_y = either_way(&rng, recipe->perspective);
  drawn.hue = either_way(&rng, recipe->hue);
  drawn.grey = chance(&rng, recipe->grey);
  drawn.gain_r = 1 + either_way(&rng, recipe->gain);
  drawn.gain_g = 1 + either_way(&rng, recipe->gain);
  drawn.gain_b = 1 + either_way(&rng, recipe->gain);
  drawn.gamma = factor(&rng, recipe->gamma);
  int border = (int)(rng_bits(&rng) >> 16) % BORDER_MIXED;
  drawn.border = recipe->border == BORDER_MIXED ? border : (int)recipe->border;
  drawn.border_colour = (int)(rng_bits(&rng) >> 8);
  return drawn;
}

void augment_to_json(const struct augment_parameters *parameters, char text[AUGMENT_JSON_LIMIT])
{
  const char *from = (const char *)parameters;
  size_t used = 0;
  for (int i = 0; i < NUMBERS; i++) {
    float value = *(const float *)(from + numbers[i].offset);
    // Nine digits bring a float back to the bit.
    used += (size_t)snprintf(text + used, AUGMENT_JSON_LIMIT - used, "%s\"%s\":%.9g", i ? "," : "{", numbers[i].name,
                             (double)value);
  }
  for (int i = 0; i < INTEGERS; i++)
    used += (size_t)snprintf(text + used, AUGMENT_JSON_LIMIT - used, ",\"%s\":%d", integers[i].name,
                             *(const int *)(from + integers[i].offset));
  snprintf(text + used, AUGMENT_JSON_LIMIT - used, ",\"noise_seed\":%" PRIu64 "}", parameters->noise_seed);
}

static enum status read_field(const struct field *field, bool whole, const json_t *object, double *out,
                              struct error *error)
{
  const json_t *value = json_object_get(object, field->name);
  if (!(whole ? json_is_integer(value) : json_is_number(value)))
    return fail(error, BAD_DATA, "augmentation: no %s \"%s\"", whole ? "integer" : "number", field->name);
  *out = json_number_value(value);
  if (!(*out >= field->low && *out <= field->high))
    return fail(error, BAD_DATA, "augmentation: \"%s\" is %g, allowed are %g to %g", field->name, *out, field->low,
                field->high);
  return OK;
}

static enum status read_fields(struct augment_parameters *parameters, const json_t *object, struct error *error)
{
  char *to = (char *)parameters;
  double number;
  enum status status = OK;
  for (int i = 0; !status && i < NUMBERS; i++)
    if (!(status = read_field(&numbers[i], false, object, &number, error)))
      *(float *)(to + numbers[i].offset) = (float)number;
  for (int i = 0; !status && i < INTEGERS; i++)
    if (!(status = read_field(&integers[i], true, object, &number, error)))
      *(int *)(to + integers[i].offset) = (int)number;
  if (status) return status;
  const json_t *seed = json_object_get(object, "noise_seed");
  if (!json_is_integer(seed) || json_integer_value(seed) < 0)
    return fail(error, BAD_DATA, "augmentation: \"noise_seed\" is not a positive number");
  parameters->noise_seed = (uint64_t)json_integer_value(seed);
  if (json_object_size(object) != NUMBERS + INTEGERS + 1) return fail(error, BAD_DATA, "augmentation: unknown fields");
  return OK;
}

enum status augment_from_json(struct augment_parameters *parameters, const char *text, struct error *error)
{
  json_error_t where;
  json_t *object = json_loads(text, JSON_REJECT_DUPLICATES, &where);
  if (!json_is_object(object)) {
    json_decref(object);
    return fail(error, BAD_DATA, "augmentation: not a JSON object: %.200s", text);
  }
  enum status status = read_fields(parameters, object, error);
  json_decref(object);
  return status;
}
