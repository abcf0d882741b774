// Each key of the configuration arrives in its own field: every one that pipeline/keys/settings.c reads is set to a
// value that no other has, and every field is compared. Two fields that are exchanged, or a line that is lost, is
// found.
#include "config/config.h"
#include "config/keys_table.h"
#include "keys/settings.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"

// A number that a struct takes from a key. Whole numbers are ints, but for the seed.
struct number {
  const char *key, *value;
  size_t offset;
  enum { OF_FLOAT, OF_DOUBLE, OF_INT, OF_SEED } type;
};
#define TABLE_SIZE(table) (sizeof(table) / sizeof *(table))

#define AUGMENT(field, value)                                                                                          \
  {                                                                                                                    \
    "augment." #field, value, offsetof(struct augment_recipe, field), OF_FLOAT                                         \
  }
static const struct number augment[] = {
    AUGMENT(rotate, "21"),       AUGMENT(translate, "0.31"),  AUGMENT(zoom, "0.32"),
    AUGMENT(shear, "13"),        AUGMENT(brightness, "0.33"), AUGMENT(contrast, "0.34"),
    AUGMENT(saturation, "0.35"), AUGMENT(noise, "17"),        AUGMENT(flip, "0.36"),
    AUGMENT(zoom_out, "0.37"),   AUGMENT(aspect, "0.38"),     AUGMENT(perspective, "0.11"),
    AUGMENT(hue, "23"),          AUGMENT(grey, "0.39"),       AUGMENT(gain, "0.41"),
    AUGMENT(gamma, "0.42"),      AUGMENT(background, "0.43"), AUGMENT(background_pictures, "0.44"),
    AUGMENT(shadow, "0.45"),     AUGMENT(erase, "0.46"),      AUGMENT(blur, "1.7"),
    AUGMENT(motion, "7"),        AUGMENT(resolution, "0.47"), AUGMENT(jpeg, "0.48"),
};

static const struct number optimizer[] = {
    {"train.momentum", "0.51", offsetof(struct optimizer_options, momentum), OF_FLOAT},
    {"train.beta1", "0.52", offsetof(struct optimizer_options, beta1), OF_FLOAT},
    {"train.beta2", "0.53", offsetof(struct optimizer_options, beta2), OF_FLOAT},
    {"train.epsilon", "0.54", offsetof(struct optimizer_options, epsilon), OF_FLOAT},
    {"train.weight_decay", "0.55", offsetof(struct optimizer_options, weight_decay), OF_FLOAT},
    {"train.ema", "0.56", offsetof(struct optimizer_options, ema), OF_FLOAT},
    {"train.lr_inputs", "1021", offsetof(struct optimizer_options, lr_inputs), OF_INT},
};

static const struct number schedule[] = {
    {"train.lr", "0.61", offsetof(struct schedule, lr), OF_FLOAT},
    {"train.final_lr", "0.62", offsetof(struct schedule, final_lr), OF_FLOAT},
    {"train.epochs", "29", offsetof(struct schedule, epochs), OF_INT},
    {"train.warmup_epochs", "0.65", offsetof(struct schedule, warmup_epochs), OF_FLOAT},
    {"train.step_epochs", "5", offsetof(struct schedule, step_epochs), OF_INT},
    {"train.step_factor", "0.63", offsetof(struct schedule, step_factor), OF_FLOAT},
};

static const struct number fitting[] = {
    {"train.epochs", "29", offsetof(struct fit_options, epochs), OF_INT},
    {"train.batch", "37", offsetof(struct fit_options, batch), OF_INT},
    {"seed", "4294967291", offsetof(struct fit_options, seed), OF_SEED},
    {"train.label_smoothing", "0.64", offsetof(struct fit_options, label_smoothing), OF_FLOAT},
    {"train.patience", "11", offsetof(struct fit_options, patience), OF_INT},
    {"train.checkpoint_seconds", "41.5", offsetof(struct fit_options, checkpoint_seconds), OF_DOUBLE},
};

static const struct {
  const struct number *numbers;
  size_t count;
} tables[] = {
    {augment, TABLE_SIZE(augment)},
    {optimizer, TABLE_SIZE(optimizer)},
    {schedule, TABLE_SIZE(schedule)},
    {fitting, TABLE_SIZE(fitting)},
};

enum { SETS = 64, SET_LENGTH = 64 };

static struct config *load(char *const *sets, size_t count)
{
  struct config *config = NULL;
  struct error error = {0};
  if (config_load(&config, NULL, sets, count, &error)) fail_msg("%s", error.text);
  return config;
}

static struct config *with(const char *key, const char *word)
{
  char set[SET_LENGTH];
  snprintf(set, sizeof set, "%s=%s", key, word);
  return load((char *[]){set}, 1);
}

// All numbers of all tables.
static struct config *with_all_numbers(void)
{
  static char text[SETS][SET_LENGTH];
  char *sets[SETS];
  size_t count = 0;
  for (size_t t = 0; t < TABLE_SIZE(tables); t++)
    for (size_t i = 0; i < tables[t].count; i++, count++) {
      assert_true(count < SETS);
      snprintf(text[count], SET_LENGTH, "%s=%s", tables[t].numbers[i].key, tables[t].numbers[i].value);
      sets[count] = text[count];
    }
  return load(sets, count);
}

static bool field_is(const void *whole, const struct number *number)
{
  const char *field = (const char *)whole + number->offset;
  double real = strtod(number->value, NULL);
  long long integer = strtoll(number->value, NULL, 10);
  switch (number->type) {
  case OF_FLOAT:
    return *(const float *)(const void *)field == (float)real;
  case OF_DOUBLE:
    return *(const double *)(const void *)field == real;
  case OF_INT:
    return *(const int *)(const void *)field == integer;
  default:
    return *(const uint64_t *)(const void *)field == (uint64_t)integer;
  }
}

static void assert_fields(const void *whole, const struct number *numbers, size_t count)
{
  for (size_t i = 0; i < count; i++)
    if (!field_is(whole, &numbers[i])) fail_msg("%s=%s is not in its field", numbers[i].key, numbers[i].value);
}

static void numbers_arrive_in_their_fields(void **state)
{
  (void)state;
  struct config *config = with_all_numbers();
  struct augment_recipe recipe = settings_augment(config);
  struct optimizer_options options = settings_optimizer(config);
  struct schedule rates = settings_schedule(config);
  struct fit_options fit = settings_fit(config, 43);
  assert_fields(&recipe, augment, TABLE_SIZE(augment));
  assert_fields(&options, optimizer, TABLE_SIZE(optimizer));
  assert_fields(&rates, schedule, TABLE_SIZE(schedule));
  assert_fields(&fit, fitting, TABLE_SIZE(fitting));
  assert_fields(&fit.schedule, schedule, TABLE_SIZE(schedule));
  assert_int_equal(fit.threads, 43);
  config_free(config);
}

static void a_flag_arrives(void **state)
{
  (void)state;
  for (int on = 0; on < 2; on++) {
    struct config *config = with("train.centralize", on ? "true" : "false");
    assert_int_equal(settings_optimizer(config).centralize, on);
    config_free(config);
  }
}

// --- choices ---------------------------------------------------------------------------------------------------------

static int border_of(const struct config *config)
{
  return (int)settings_augment(config).border;
}

static int fit_of(const struct config *config)
{
  return (int)settings_resize_fit(config);
}

static int filter_of(const struct config *config)
{
  return (int)settings_resize_filter(config);
}

static int kernels_of(const struct config *config)
{
  return (int)settings_kernels(config);
}

static int optimizer_of(const struct config *config)
{
  return (int)settings_optimizer(config).kind;
}

// The schedule by itself, and that of the training loop.
static int schedule_of(const struct config *config)
{
  assert_int_equal(settings_fit(config, 1).schedule.kind, settings_schedule(config).kind);
  return (int)settings_schedule(config).kind;
}

static int u8_of(const struct config *config)
{
  return settings_features_u8(config);
}

static int int8_of(const struct config *config)
{
  return settings_features_int8(config);
}

// -1: refused, as bf16 is by a CPU that does not have it.
static int precision_of(const struct config *config)
{
  enum net_precision precision = NET_FP32;
  struct error error = {0};
  enum status status = settings_precision(config, &precision, &error);
  assert_true(status == OK || status == BAD_USAGE);
  return status ? -1 : (int)precision;
}

typedef int choice_reader(const struct config *config);
static const struct {
  const char *key;
  choice_reader *read;
} chosen[] = {
    {"augment.border", border_of},     {"resize.fit", fit_of},
    {"resize.filter", filter_of},      {"train.kernels", kernels_of},
    {"train.optimizer", optimizer_of}, {"train.schedule", schedule_of},
    {"features.storage", u8_of},       {"features.precision", int8_of},
    {"train.precision", precision_of},
};

static const struct {
  const char *key, *word;
  int value;
} words[] = {
    {"augment.border", "mirror", BORDER_MIRROR},
    {"augment.border", "edge", BORDER_EDGE},
    {"augment.border", "colour", BORDER_COLOUR},
    {"augment.border", "mixed", BORDER_MIXED},
    {"resize.fit", "stretch", FIT_STRETCH},
    {"resize.fit", "letterbox", FIT_LETTERBOX},
    {"resize.fit", "center_crop", FIT_CENTER_CROP},
    {"resize.filter", "area", FILTER_AREA},
    {"resize.filter", "linear", FILTER_LINEAR},
    {"resize.filter", "cubic", FILTER_CUBIC},
    {"resize.filter", "lanczos", FILTER_LANCZOS},
    {"resize.filter", "nearest", FILTER_NEAREST},
    {"train.kernels", "native", KERNELS_NATIVE},
    {"train.kernels", "onednn", KERNELS_ONEDNN},
    {"train.kernels", "reference", KERNELS_REFERENCE},
    {"train.optimizer", "adam", OPTIMIZER_ADAM},
    {"train.optimizer", "adamw", OPTIMIZER_ADAMW},
    {"train.optimizer", "muon", OPTIMIZER_MUON},
    {"train.optimizer", "sgd", OPTIMIZER_SGD},
    {"train.schedule", "constant", SCHEDULE_CONSTANT},
    {"train.schedule", "cosine", SCHEDULE_COSINE},
    {"train.schedule", "step", SCHEDULE_STEP},
    {"features.storage", "auto", false},
    {"features.storage", "bf16", false},
    {"features.storage", "u8", true},
    {"features.precision", "auto", false},
    {"features.precision", "int8", true},
};

static void assert_choice(const char *key, const char *word, int value)
{
  for (size_t i = 0; i < TABLE_SIZE(chosen); i++) {
    if (strcmp(chosen[i].key, key) != 0) continue;
    struct config *config = with(key, word);
    if (chosen[i].read(config) != value) fail_msg("%s=%s is read as %d", key, word, chosen[i].read(config));
    config_free(config);
    return;
  }
  fail_msg("nothing reads %s", key);
}

static void words_are_their_choices(void **state)
{
  (void)state;
  for (size_t i = 0; i < TABLE_SIZE(words); i++) assert_choice(words[i].key, words[i].word, words[i].value);
}

// The schedule moves one rate; the matrices' follows it.
static void rate_of_matrices_is_relative(void **state)
{
  (void)state;
  struct config *config = load((char *[]){"train.lr=0.002", "train.muon_lr=0.05"}, 2);
  assert_true(fabs((double)settings_optimizer(config).matrix_rate - 25) < 1e-5);
  config_free(config);
}

static void precision_follows_the_cpu(void **state)
{
  (void)state;
  bool supported = net_precision_supported(NET_BF16);
  assert_choice("train.precision", "fp32", NET_FP32);
  assert_choice("train.precision", "bf16", supported ? (int)NET_BF16 : -1);
  assert_choice("train.precision", "auto", (int)net_fastest_precision());
  assert_true(net_precision_supported(net_fastest_precision()));
  assert_string_equal(settings_precision_name(NET_FP32), "fp32");
  assert_string_equal(settings_precision_name(NET_BF16), "bf16");
}

// --- nothing is forgotten --------------------------------------------------------------------------------------------

// Read where they are used, not by settings.c; or above, as choices or a flag.
static const char *const elsewhere[] = {"augment.mode",     "augment.copies", "train.mixup",
                                        "train.centralize", "train.muon_lr",  NULL};

static bool is_tested(const char *key)
{
  for (size_t t = 0; t < TABLE_SIZE(tables); t++)
    for (size_t i = 0; i < tables[t].count; i++)
      if (!strcmp(tables[t].numbers[i].key, key)) return true;
  for (size_t i = 0; i < TABLE_SIZE(chosen); i++)
    if (!strcmp(chosen[i].key, key)) return true;
  for (size_t i = 0; elsewhere[i]; i++)
    if (!strcmp(elsewhere[i], key)) return true;
  return false;
}

static bool is_word(const char *key, const char *word)
{
  for (size_t i = 0; i < TABLE_SIZE(words); i++)
    if (!strcmp(words[i].key, key) && !strcmp(words[i].word, word)) return true;
  return !strcmp(key, "train.precision"); // which has a test of its own
}

// A new key, or a new word of a choice, must be added to the tables above.
static void every_key_and_word_is_tested(void **state)
{
  (void)state;
  for (size_t i = 0; i < config_key_count; i++) {
    const struct config_key *row = &config_keys[i];
    bool ours = !strncmp(row->name, "augment.", 8) || !strncmp(row->name, "train.", 6);
    if (ours && !is_tested(row->name)) fail_msg("%s is in none of the tables", row->name);
    for (size_t c = 0; c < TABLE_SIZE(chosen); c++)
      for (size_t w = 0; !strcmp(chosen[c].key, row->name) && row->choices[w]; w++)
        if (!is_word(row->name, row->choices[w])) fail_msg("%s=%s is not tested", row->name, row->choices[w]);
  }
}

// Neither a default, which a lost line could leave, nor the value of another key; 0 is what a lost line leaves.
static void values_are_their_own(void **state)
{
  (void)state;
  for (size_t t = 0; t < TABLE_SIZE(tables); t++)
    for (size_t i = 0; i < tables[t].count; i++) {
      const struct number *number = &tables[t].numbers[i];
      const double value = strtod(number->value, NULL);
      const char *usual = config_keys[config_key_find(number->key)].fallback;
      if (value == 0 || value == strtod(usual, NULL)) fail_msg("%s=%s is its default", number->key, number->value);
      for (size_t u = 0; u < TABLE_SIZE(tables); u++)
        for (size_t k = 0; k < tables[u].count; k++)
          if (strtod(tables[u].numbers[k].value, NULL) == value && strcmp(tables[u].numbers[k].key, number->key) != 0)
            fail_msg("%s and %s are both %s", number->key, tables[u].numbers[k].key, number->value);
    }
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(numbers_arrive_in_their_fields), cmocka_unit_test(a_flag_arrives),
      cmocka_unit_test(words_are_their_choices),        cmocka_unit_test(precision_follows_the_cpu),
      cmocka_unit_test(rate_of_matrices_is_relative),   cmocka_unit_test(every_key_and_word_is_tested),
      cmocka_unit_test(values_are_their_own),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
