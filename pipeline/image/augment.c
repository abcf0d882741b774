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
    FIELD(rotate, -30.001, 30.001),
    FIELD(translate_x, -0.5001, 0.5001),
    FIELD(translate_y, -0.5001, 0.5001),
    FIELD(zoom, 0.0999, 1.9001),
    FIELD(shear, -20.001, 20.001),
    FIELD(brightness, 0.0999, 1.9001),
    FIELD(contrast, 0.0999, 1.9001),
    FIELD(saturation, 0.0999, 1.9001),
    FIELD(noise, 0, 64),
    FIELD(aspect, 0.4999, 2.0001),
    FIELD(perspective_x, -0.2001, 0.2001),
    FIELD(perspective_y, -0.2001, 0.2001),
    FIELD(hue, -180.001, 180.001),
    FIELD(gain_r, 0.4999, 1.5001),
    FIELD(gain_g, 0.4999, 1.5001),
    FIELD(gain_b, 0.4999, 1.5001),
    FIELD(gamma, 0.4999, 2.0001),
    FIELD(shadow, 0, 0.9001),
    FIELD(shadow_angle, -180.001, 180.001),
    FIELD(shadow_at, -1, 1),
    FIELD(shadow_soft, 0.0499, 1.0001),
    FIELD(erase_x, 0, 1),
    FIELD(erase_y, 0, 1),
    FIELD(erase_width, 0, 1),
    FIELD(erase_height, 0, 1),
    FIELD(blur, 0, 3),
    FIELD(motion, 0, 12),
    FIELD(resolution, 0.2999, 1),

};
static const struct field integers[] = {
    FIELD(flip, 0, 1),
    FIELD(grey, 0, 1),
    FIELD(border, BORDER_MIRROR, BORDER_COLOUR),
    FIELD(border_colour, 0, 0xFFFFFF),
    FIELD(background, BACKGROUND_OWN, BACKGROUND_PICTURE),
    FIELD(background_seed, 0, 0xFFFFFF),
    FIELD(erase, 0, 2),
    FIELD(erase_colour, 0, 0xFFFFFF),
    FIELD(motion_direction, 0, 3),
    FIELD(jpeg, 0, 100),
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
                                     .gamma = 1,
                                     .shadow_soft = 1,
                                     .resolution = 1};
}

bool augment_recipe_is_off(const struct augment_recipe *recipe)
{
  return recipe->rotate == 0 && recipe->translate == 0 && recipe->zoom == 0 && recipe->shear == 0 &&
         recipe->brightness == 0 && recipe->contrast == 0 && recipe->saturation == 0 && recipe->noise == 0 &&
         recipe->flip == 0 && recipe->zoom_out == 0 && recipe->aspect == 0 && recipe->perspective == 0 &&
         recipe->hue == 0 && recipe->grey == 0 && recipe->gain == 0 && recipe->gamma == 0 && recipe->background == 0 &&
         recipe->shadow == 0 && recipe->erase == 0 && recipe->blur == 0 && recipe->motion == 0 &&
         recipe->resolution == 0 && recipe->jpeg == 0;
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

// 0 in half of all draws, else in [0, range).
static float now_and_then(struct rng *rng, float range)
{
  float draw = rng_uniform(rng, -1, 1);
  return draw > 0 ? draw * range : 0;
}

static int colour_bits(struct rng *rng)
{
  return (int)(rng_bits(rng) >> 8);
}

static int chance(struct rng *rng, float probability)
{
  return rng_uniform(rng, 0, 1) < probability;
}

static void draw_scene(struct rng *rng, const struct augment_recipe *recipe, struct augment_parameters *drawn)
{
  int replaced = chance(rng, recipe->background), picture = chance(rng, recipe->background_pictures);
  drawn->background = !replaced ? BACKGROUND_OWN : picture ? BACKGROUND_PICTURE : BACKGROUND_TEXTURE;
  drawn->background_seed = colour_bits(rng);
  drawn->shadow = now_and_then(rng, recipe->shadow);
  drawn->shadow_angle = rng_uniform(rng, -180, 180);
  drawn->shadow_at = rng_uniform(rng, -0.6f, 0.6f);
  drawn->shadow_soft = rng_uniform(rng, 0.05f, 1);
  int erased = chance(rng, recipe->erase), textured = chance(rng, 0.5f);
  drawn->erase = erased ? 1 + textured : 0;
  drawn->erase_colour = colour_bits(rng);
  drawn->erase_width = rng_uniform(rng, 0.2f, 0.5f);
  drawn->erase_height = rng_uniform(rng, 0.2f, 0.5f);
  drawn->erase_x = rng_uniform(rng, 0, 1 - drawn->erase_width);
  drawn->erase_y = rng_uniform(rng, 0, 1 - drawn->erase_height);
}

static void draw_camera(struct rng *rng, const struct augment_recipe *recipe, struct augment_parameters *drawn)
{
  drawn->blur = now_and_then(rng, recipe->blur);
  drawn->motion = now_and_then(rng, recipe->motion);
  drawn->motion_direction = (int)(rng_bits(rng) >> 30);
  drawn->resolution = 1 - now_and_then(rng, recipe->resolution);
  int recompressed = chance(rng, recipe->jpeg), quality = 15 + (int)rng_uniform(rng, 0, 71);
  drawn->jpeg = recompressed ? quality : 0;
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
  drawn.border_colour = colour_bits(&rng);
  draw_scene(&rng, recipe, &drawn);
  draw_camera(&rng, recipe, &drawn);
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
