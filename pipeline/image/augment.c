#include "image/augment.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>

#include "core/rng.h"

// The fields that JSON holds as numbers, with what is allowed: the recipe's limits and a rounding.
struct field {
  const char *name;
  size_t offset;
  double low, high;
};
#define FIELD(name, low, high)                                                                                         \
  {                                                                                                                    \
#name, offsetof(struct augment_parameters, name), low, high                                                        \
  }
static const struct field fields[] = {
    FIELD(rotate, -30.001, 30.001),  FIELD(translate_x, -0.5001, 0.5001), FIELD(translate_y, -0.5001, 0.5001),
    FIELD(zoom, 0.0999, 1.9001),     FIELD(shear, -20.001, 20.001),       FIELD(brightness, 0.0999, 1.9001),
    FIELD(contrast, 0.0999, 1.9001), FIELD(saturation, 0.0999, 1.9001),   FIELD(noise, 0, 64),
};
enum { FIELDS = sizeof fields / sizeof *fields };

struct augment_parameters augment_identity(void)
{
  return (struct augment_parameters){.zoom = 1, .brightness = 1, .contrast = 1, .saturation = 1};
}

bool augment_recipe_is_off(const struct augment_recipe *recipe)
{
  return recipe->rotate == 0 && recipe->translate == 0 && recipe->zoom == 0 && recipe->shear == 0 &&
         recipe->brightness == 0 && recipe->contrast == 0 && recipe->saturation == 0 && recipe->noise == 0 &&
         recipe->flip == 0;
}

// In [-range, range); +0 where the range is 0.
static float either_way(struct rng *rng, float range)
{
  return rng_uniform(rng, -1, 1) * range + 0.0f;
}

struct augment_parameters augment_draw(const struct augment_recipe *recipe, uint64_t seed, uint64_t image,
                                       uint64_t variant)
{
  struct rng rng = rng_at(seed, RNG_AUGMENT, image, variant);
  struct augment_parameters drawn;
  drawn.rotate = either_way(&rng, recipe->rotate);
  drawn.translate_x = either_way(&rng, recipe->translate);
  drawn.translate_y = either_way(&rng, recipe->translate);
  drawn.zoom = 1 + either_way(&rng, recipe->zoom);
  drawn.shear = either_way(&rng, recipe->shear);
  drawn.brightness = 1 + either_way(&rng, recipe->brightness);
  drawn.contrast = 1 + either_way(&rng, recipe->contrast);
  drawn.saturation = 1 + either_way(&rng, recipe->saturation);
  drawn.noise = rng_uniform(&rng, 0, 1) * recipe->noise;
  drawn.flip = rng_uniform(&rng, 0, 1) < recipe->flip;
  uint64_t upper = rng_bits(&rng) >> 11, lower = rng_bits(&rng);
  drawn.noise_seed = upper << 32 | lower;
  return drawn;
}

void augment_to_json(const struct augment_parameters *parameters, char text[AUGMENT_JSON_LIMIT])
{
  size_t used = 0;
  for (int i = 0; i < FIELDS; i++) {
    float value = *(const float *)((const char *)parameters + fields[i].offset);
    // Nine digits bring a float back to the bit.
    int length =
        snprintf(text + used, AUGMENT_JSON_LIMIT - used, "%s\"%s\":%.9g", i ? "," : "{", fields[i].name, (double)value);
    used += (size_t)length;
  }
  snprintf(text + used, AUGMENT_JSON_LIMIT - used, ",\"flip\":%d,\"noise_seed\":%" PRIu64 "}", parameters->flip,
           parameters->noise_seed);
}

static enum status read_fields(struct augment_parameters *parameters, const json_t *object, struct error *error)
{
  for (int i = 0; i < FIELDS; i++) {
    const struct field *field = &fields[i];
    const json_t *value = json_object_get(object, field->name);
    if (!json_is_number(value)) return fail(error, BAD_DATA, "augmentation: no number \"%s\"", field->name);
    double number = json_number_value(value);
    if (!(number >= field->low && number <= field->high))
      return fail(error, BAD_DATA, "augmentation: \"%s\" is %g, allowed are %g to %g", field->name, number, field->low,
                  field->high);
    *(float *)((char *)parameters + field->offset) = (float)number;
  }
  const json_t *flip = json_object_get(object, "flip"), *seed = json_object_get(object, "noise_seed");
  if (!json_is_integer(flip) || json_integer_value(flip) < 0 || json_integer_value(flip) > 1)
    return fail(error, BAD_DATA, "augmentation: \"flip\" is neither 0 nor 1");
  if (!json_is_integer(seed) || json_integer_value(seed) < 0)
    return fail(error, BAD_DATA, "augmentation: \"noise_seed\" is not a positive number");
  parameters->flip = (int)json_integer_value(flip);
  parameters->noise_seed = (uint64_t)json_integer_value(seed);
  if (json_object_size(object) != FIELDS + 2) return fail(error, BAD_DATA, "augmentation: unknown fields");
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
