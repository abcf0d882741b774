// ours train|infer|layers|stages|machine|features|head|resnet50 [--precision fp32|bf16|int8] [--kernels
// native|onednn|reference] [--threads N]
//      [--batch N] [--seconds S] [--memory] [--augment=recipe|all|OPERATION]
// int8: features alone, between steps in fp32, or in bf16 where the CPU has it.
// Exits with 77 where this CPU has no bf16.
#include "ours.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/rng.h"
#include "measure.h"
#include "models/models.h"

static const struct {
  const char *name;
  enum status (*run)(const struct ours *ours, struct error *error);
} measurements[] = {{"train", ours_train},   {"infer", ours_infer},      {"layers", ours_layers},
                    {"stages", ours_stages}, {"machine", ours_machine},  {"features", ours_features},
                    {"head", ours_head},     {"resnet50", ours_resnet50}};
enum { MEASUREMENTS = sizeof measurements / sizeof *measurements };

void fill_noise(uint8_t *bytes, size_t count, uint64_t stream)
{
  struct rng rng = rng_at(1, RNG_TEST, stream, 0);
  for (size_t i = 0; i < count; i += sizeof(uint32_t)) {
    uint32_t bits = rng_bits(&rng);
    memcpy(bytes + i, &bits, count - i < sizeof bits ? count - i : sizeof bits);
  }
}

enum status ours_net(const struct ours *ours, bool training, struct net **net, struct error *error)
{
  const struct net_options options = {.precision = ours->precision,
                                      .kernels = ours->kernels,
                                      .threads = ours->threads,
                                      .batch = ours->batch,
                                      .training = training};
  enum status status =
      model_build(&(struct model_options){.name = "seed-cnn", .classes = CLASSES, .dropout = 0.3f}, net, error);
  if (!status) status = net_plan(*net, &options, error);
  if (!status) net_initialise(*net, 1);
  return status;
}

static bool number(const char *text, double least, double most, double *out)
{
  char *end;
  *out = strtod(text, &end);
  return *text && !*end && *out >= least && *out <= most;
}

static bool choice(const char *text, const char *const *names, int count, int *out)
{
  for (*out = 0; *out < count; ++*out)
    if (strcmp(text, names[*out]) == 0) return true;
  return false;
}

static void set_precision(struct ours *ours, int choice)
{
  ours->int8 = choice == 2;
  ours->precision = choice == 1 || (ours->int8 && net_precision_supported(NET_BF16)) ? NET_BF16 : NET_FP32;
}

// One option with its value; false if there is no such thing.
static bool option(struct ours *ours, const char *name, const char *value)
{
  static const char *const precisions[] = {"fp32", "bf16", "int8"}, *const kernels[] = {"reference", "onednn",
                                                                                        "native"};
  double given;
  int index;
  if (strcmp(name, "--precision") == 0 && choice(value, precisions, 3, &index))
    set_precision(ours, index);
  else if (strcmp(name, "--kernels") == 0 && choice(value, kernels, 3, &index))
    ours->kernels = (enum net_kernels)index;
  else if (strcmp(name, "--threads") == 0 && number(value, 1, 4096, &given))
    ours->threads = (int)given;
  else if (strcmp(name, "--batch") == 0 && number(value, 1, 65536, &given))
    ours->batch = (int)given;
  else if (strcmp(name, "--seconds") == 0 && number(value, 0, 3600, &given))
    ours->seconds = given;
  else
    return false;
  return true;
}

static bool parse(struct ours *ours, int argc, char **argv, int *measurement)
{
  static const char augment[] = "--augment=";
  if (argc < 2) return false;
  for (*measurement = 0; *measurement < MEASUREMENTS; ++*measurement)
    if (strcmp(argv[1], measurements[*measurement].name) == 0) break;
  if (*measurement == MEASUREMENTS) return false;
  for (int i = 2; i < argc; i++) {
    if (strcmp(argv[i], "--memory") == 0)
      ours->memory = true;
    else if (strncmp(argv[i], augment, strlen(augment)) == 0) {
      if (!(ours->augment = bench_recipe_find(argv[i] + strlen(augment)))) return false;
    } else if (i + 1 >= argc || !option(ours, argv[i], argv[i + 1]))
      return false;
    else
      i++;
  }
  return true;
}

int main(int argc, char **argv)
{
  struct ours ours = {.kernels = KERNELS_NATIVE, .threads = 1, .batch = 64, .seconds = 1};
  struct error error = {0};
  int measurement;
  if (!parse(&ours, argc, argv, &measurement)) {
    fputs(
        "usage: ours train|infer|layers|stages|machine|features|head|resnet50 [--precision fp32|bf16|int8] [--kernels "
        "native|onednn|reference]\n"
        "  [--threads N] [--batch N] [--seconds S] [--memory] [--augment=recipe|all|OPERATION]\n",
        stderr);
    return 2;
  }
  if (!net_precision_supported(ours.precision)) return EXIT_MISSING;
  static const char *const kernels[] = {"reference", "onednn", "native"};
  printf("name=ours (%s, %s)\n", kernels[ours.kernels], net_isa());
  if (measurements[measurement].run(&ours, &error)) {
    fprintf(stderr, "ours: %s\n", error.text);
    return 1;
  }
  return fflush(stdout) == 0 && !ferror(stdout) ? 0 : 1;
}
