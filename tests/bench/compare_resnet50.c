// compare_resnet50: ResNet50 beside its peers, in turns, as `compare` does with seed-cnn. `make bench` starts it.
//
//   compare_resnet50 [--ours PROGRAM] [--torch PROGRAM] [--onnxruntime PROGRAM] [--threads N] [--rounds N]
//                    [--seconds S] [--isa NAME] [--manifest FILE]
//
// Programs that are not named are those of a tree that is built, from its root. Prints the medians over the rounds and
// the ratio to PyTorch in the same precision, and stores them. Who takes frozen features on bytes (int8) would
// otherwise take the fastest floats: these are what PyTorch and onnxruntime are measured in there.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "measure.h"
#include "rows.h"
#include "samples.h"
#include "settings.h"
#include "training/results.h"

enum precision { FP32, BF16, INT8 };

static const char *const precision_names[] = {"fp32", "bf16", "int8"};

enum {
  FEATURES_FP32,
  FEATURES_BF16,
  FEATURES_INT8,
  HEAD_FP32,
  HEAD_BF16,
  HEAD_BF16_LARGE,
  EVERYTHING_BF16,
  EVERYTHING_FP32
};

static const struct comparison {
  const char *task; // as ours.h has it
  const char *name; // what it is to a reader
  enum precision precision;
  int batch;
} comparisons[] = {
    [FEATURES_FP32] = {"features", "features", FP32, 16},
    [FEATURES_BF16] = {"features", "features", BF16, 16},
    [FEATURES_INT8] = {"features", "features", INT8, 16},
    [HEAD_FP32] = {"head", "head", FP32, 32},
    [HEAD_BF16] = {"head", "head", BF16, 32},
    [HEAD_BF16_LARGE] = {"head", "head", BF16, 128},
    [EVERYTHING_BF16] = {"resnet50", "everything", BF16, 32},
    [EVERYTHING_FP32] = {"resnet50", "everything", FP32, 16},
};
enum { COMPARISONS = sizeof comparisons / sizeof *comparisons };

struct resnet50 {
  struct settings settings;
  struct samples samples[COMPARISONS][SIDES];
  struct rows rows;
};

// --- rounds

// What the peers are measured in. Features in bf16 come before those on bytes, so that it is known who can do them.
static enum precision peer_precision(const struct resnet50 *resnet50, int number)
{
  if (comparisons[number].precision != INT8) return comparisons[number].precision;
  return resnet50->samples[FEATURES_BF16][OURS].count ? BF16 : FP32;
}

// Ours comes first: where the CPU has no fast bf16 it has no figure, and a peer would take minutes for a step. Training
// everything is the longest: it is measured in fp32 only where that is all there is.
static bool takes_part(const struct resnet50 *resnet50, int number, enum side side)
{
  const bool capped = resnet50->settings.isa;
  if (capped && comparisons[number].precision == BF16) return false;
  if (number == EVERYTHING_FP32 && resnet50->samples[EVERYTHING_BF16][OURS].count) return false;
  if (side == OURS) return true;
  if (!resnet50->samples[number][OURS].count) return false;
  return side == TORCH ||
         (!capped && strcmp(comparisons[number].task, "features") == 0 && peer_precision(resnet50, number) == FP32);
}

static enum status one_round(struct resnet50 *resnet50, struct error *error)
{
  const struct settings *settings = &resnet50->settings;
  enum status status = OK;
  for (int number = 0; number < COMPARISONS; number++)
    for (enum side side = 0; !status && side < SIDES; side++) {
      const struct comparison *comparison = &comparisons[number];
      if (!takes_part(resnet50, number, side)) continue;
      enum precision precision = side == OURS ? comparison->precision : peer_precision(resnet50, number);
      const struct conditions under = {comparison->task,  precision_names[precision], settings->threads,
                                       comparison->batch, settings->seconds,          NULL};
      status = samples_take(&resnet50->samples[number][side], settings->programs[side], &under, error);
    }
  return status;
}

// --- the table

// A cell on the right of `width` columns; "-" where there is no figure.
static void print_cell(int width, int decimals, double value)
{
  if (value > 0)
    printf(" %*.*f", width, decimals, value);
  else
    printf(" %*s", width, "-");
}

static enum status add_row(struct resnet50 *resnet50, int number, const struct figure *figure, enum precision precision,
                           struct error *error)
{
  return rows_add(&resnet50->rows, figure, precision_names[precision], resnet50->settings.threads,
                  comparisons[number].batch, error);
}

static enum status print_comparison(struct resnet50 *resnet50, int number, struct error *error)
{
  const struct comparison *comparison = &comparisons[number];
  const struct samples *ours = &resnet50->samples[number][OURS], *torch = &resnet50->samples[number][TORCH];
  struct figure figure = {.unit = "images/s", .value = samples_rate(ours), .peer_value = samples_rate(torch)};
  snprintf(figure.task, sizeof figure.task, "resnet50 %s", comparison->name);
  if (torch->count)
    snprintf(figure.peer, sizeof figure.peer, "%.*s %s", NAME_LIMIT - 8, torch->name,
             precision_names[peer_precision(resnet50, number)]);
  printf("%-10s %-6s %6d", comparison->name, precision_names[comparison->precision], comparison->batch);
  print_cell(14, 1, figure.value);
  print_cell(14, 1, figure.peer_value);
  print_cell(8, 2, torch->count ? figure.value / figure.peer_value : 0);
  print_cell(12, 1, samples_rate(&resnet50->samples[number][ONNXRUNTIME]));
  putchar('\n');
  return ours->count ? add_row(resnet50, number, &figure, comparison->precision, error) : OK;
}

static enum status print_table(struct resnet50 *resnet50, struct error *error)
{
  enum status status = OK;
  printf("%-10s %-6s %6s %14s %14s %8s %12s\n", "resnet50", "", "batch", "ours images/s", "PyTorch", "ratio",
         "onnxruntime");
  for (int number = 0; !status && number < COMPARISONS; number++)
    if (takes_part(resnet50, number, OURS)) status = print_comparison(resnet50, number, error);
  if (takes_part(resnet50, FEATURES_FP32, TORCH) && !resnet50->samples[FEATURES_FP32][TORCH].count)
    puts("PyTorch missing: make deps-bench");
  if (takes_part(resnet50, FEATURES_FP32, ONNXRUNTIME) && !resnet50->samples[FEATURES_FP32][ONNXRUNTIME].count)
    puts("onnxruntime missing: make deps-bench");
  return status;
}

// onnxruntime is nobody's peer in the table, so that its figure is stored by itself: that of the turns in fp32. Beside
// int8 it was measured once more under the same conditions.
static enum status add_onnxruntime(struct resnet50 *resnet50, struct error *error)
{
  const struct samples *samples = &resnet50->samples[FEATURES_FP32][ONNXRUNTIME];
  struct figure figure = {.unit = "images/s", .value = samples_rate(samples)};
  snprintf(figure.task, sizeof figure.task, "%s resnet50 %s", samples->name, comparisons[FEATURES_FP32].name);
  return samples->count ? add_row(resnet50, FEATURES_FP32, &figure, FP32, error) : OK;
}

// --- the whole

static enum status resnet50_run(struct resnet50 *resnet50, struct error *error)
{
  char host[512];
  results_host(host, sizeof host);
  printf("%s; %d threads\n", host, resnet50->settings.threads);
  warn_of_load();
  enum status status = settings_cap(&resnet50->settings, error);
  for (int round = 0; !status && round < resnet50->settings.rounds; round++) status = one_round(resnet50, error);
  if (!status) status = print_table(resnet50, error);
  if (!status) status = add_onnxruntime(resnet50, error);
  if (!status && resnet50->settings.manifest)
    status = rows_store(&resnet50->rows, resnet50->settings.manifest, host, error);
  return status;
}

int main(int argc, char **argv)
{
  struct resnet50 *resnet50 = calloc(1, sizeof *resnet50);
  if (!resnet50) return 1;
  resnet50->settings = (struct settings){
      .programs = {"build/bench/ours", "tests/bench/peers/torch_resnet50.py", "tests/bench/peers/onnxruntime_peer.js"},
      .threads = (int)sysconf(_SC_NPROCESSORS_ONLN),
      .seconds = 3,
      .rounds = 3};
  struct error error = {0};
  enum status status = OK;
  if (!settings_parse(&resnet50->settings, NULL, 0, argc, argv))
    status = fail(&error, BAD_USAGE,
                  "usage: compare_resnet50 [--ours PROGRAM] [--torch PROGRAM] [--onnxruntime PROGRAM] [--threads N] "
                  "[--rounds N] [--seconds S] [--isa NAME] [--manifest FILE]");
  if (!status) {
    setvbuf(stdout, NULL, _IOLBF, 0);
    status = resnet50_run(resnet50, &error);
  }
  rows_release(&resnet50->rows);
  free(resnet50);
  return settings_end("compare_resnet50", status, &error);
}
