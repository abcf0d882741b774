// compare: this engine beside its peers, in turns, each measurement a process of its own. `make bench` starts it.
//
//   compare --ours PROGRAM [--torch PROGRAM] [--onnxruntime PROGRAM] [--threads N] [--batch N] [--rounds N]
//           [--seconds S] [--budget S] [--isa NAME] [--details] [--manifest FILE]
//
// A round measures everything once: A B A B. No further round begins that would, as long as the last one, outlast the
// budget. A figure is the median over the rounds. Inference is compared with the fastest peer in its best precision.
// --details adds stages, layers, feeds and scaling, of this engine alone. --isa caps the instruction set on both sides;
// onnxruntime has no such switch and is left out. A program's lines are in ours.h.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/progress.h"
#include "measure.h"
#include "rows.h"
#include "samples.h"
#include "settings.h"
#include "training/results.h"

enum task { TRAIN, INFER, TASKS };
enum precision { FP32, BF16, PRECISIONS };

static const char *const task_names[] = {"train", "infer"}, *const precision_names[] = {"fp32", "bf16"};

struct compare {
  struct settings settings;
  int batch;
  int budget; // seconds; 0: none
  bool details;
  struct samples samples[TASKS][PRECISIONS][SIDES];
  struct rows rows;
};

static enum status add_row(struct compare *compare, const struct figure *figure, enum precision precision,
                           struct error *error)
{
  return rows_add(&compare->rows, figure, precision_names[precision], compare->settings.threads, compare->batch, error);
}

// --- rounds

// Ours comes first: where the CPU has no fast bf16 it has no figure, and a peer would take a minute for a step.
static bool takes_part(const struct compare *compare, enum task task, enum precision precision, enum side side)
{
  if (!compare->settings.programs[side] || (compare->settings.isa && precision == BF16)) return false;
  if (side != OURS && precision == BF16 && compare->samples[task][BF16][OURS].count == 0) return false;
  return side != ONNXRUNTIME || (task == INFER && precision == FP32 && !compare->settings.isa);
}

static enum status one_sample(struct compare *compare, enum task task, enum precision precision, enum side side,
                              struct error *error)
{
  const struct settings *settings = &compare->settings;
  const struct conditions under = {task_names[task], precision_names[precision], settings->threads,
                                   compare->batch,   settings->seconds,          NULL};
  return samples_take(&compare->samples[task][precision][side], settings->programs[side], &under, error);
}

static enum status one_round(struct compare *compare, struct error *error)
{
  enum status status = OK;
  for (enum task task = 0; task < TASKS; task++)
    for (enum precision precision = 0; precision < PRECISIONS; precision++)
      for (enum side side = 0; !status && side < SIDES; side++)
        if (takes_part(compare, task, precision, side)) status = one_sample(compare, task, precision, side, error);
  return status;
}

static enum status all_rounds(struct compare *compare, double begun, struct error *error)
{
  enum status status = OK;
  for (int round = 0; !status && round < compare->settings.rounds; round++) {
    double start = clock_seconds();
    status = one_round(compare, error);
    double now = clock_seconds();
    if (compare->budget > 0 && now - begun + (now - start) > compare->budget) break;
  }
  return status;
}

// --- ratios

struct rival {
  const struct samples *samples; // NULL: there is none
  double rate;
  enum precision precision;
};

// Training: the peer in the same precision. Inference: whichever is fastest.
static struct rival find_rival(const struct compare *compare, enum task task, enum precision precision)
{
  struct rival best = {.samples = NULL};
  for (enum precision theirs = 0; theirs < PRECISIONS; theirs++)
    for (enum side side = TORCH; side < SIDES; side++) {
      const struct samples *samples = &compare->samples[task][theirs][side];
      double rate = samples_rate(samples);
      if ((task == TRAIN && theirs != precision) || rate <= best.rate) continue;
      best = (struct rival){.samples = samples, .rate = rate, .precision = theirs};
    }
  return best;
}

static enum status print_memory(struct compare *compare, enum precision precision, const struct samples *ours,
                                const struct rival *rival, struct error *error)
{
  struct figure figure = {.task = "seed-cnn train memory", .unit = "MiB", .value = samples_peak(ours)};
  if (rival->samples) {
    figure.peer_value = samples_peak(rival->samples);
    snprintf(figure.peer, sizeof figure.peer, "%s", rival->samples->name);
    printf("seed-cnn train %s memory ratio %.2f  ours %.0f, %s %.0f MiB at most\n", precision_names[precision],
           figure.value / figure.peer_value, figure.value, figure.peer, figure.peer_value);
  }
  return add_row(compare, &figure, precision, error);
}

static enum status print_ratio(struct compare *compare, enum task task, enum precision precision, struct error *error)
{
  const struct samples *ours = &compare->samples[task][precision][OURS];
  struct rival rival = find_rival(compare, task, precision);
  struct figure figure = {.unit = "images/s", .value = samples_rate(ours), .peer_value = rival.rate};
  snprintf(figure.task, sizeof figure.task, "seed-cnn %s", task_names[task]);
  if (!ours->count) {
    if (!compare->settings.isa) printf("%s %s: not on this CPU\n", figure.task, precision_names[precision]);
    return OK;
  }
  if (rival.samples) {
    snprintf(figure.peer, sizeof figure.peer, "%.*s %s", NAME_LIMIT - 8, rival.samples->name,
             precision_names[rival.precision]);
    printf("%s %s ratio %.1f  ours %.1f, %s %.1f images/s (%zu round%s)\n", figure.task, precision_names[precision],
           figure.value / rival.rate, figure.value, figure.peer, rival.rate, ours->count, ours->count == 1 ? "" : "s");
  } else {
    printf("%s %s peer missing: make deps-bench  ours %.1f images/s\n", figure.task, precision_names[precision],
           figure.value);
  }
  enum status status = add_row(compare, &figure, precision, error);
  return status || task != TRAIN ? status : print_memory(compare, precision, ours, &rival, error);
}

// Every program's own figure: a reader judges the choice of the fastest by it.
static enum status print_all(struct compare *compare, struct error *error)
{
  enum status status = OK;
  for (enum task task = 0; task < TASKS; task++)
    for (enum precision precision = 0; precision < PRECISIONS; precision++)
      for (enum side side = TORCH; !status && side < SIDES; side++) {
        const struct samples *samples = &compare->samples[task][precision][side];
        if (!samples->count) continue;
        struct figure figure = {.unit = "images/s", .value = samples_rate(samples)};
        snprintf(figure.task, sizeof figure.task, "%s %s", samples->name, task_names[task]);
        printf("%-28s %s  %8.1f images/s  %6.0f MiB\n", figure.task, precision_names[precision], figure.value,
               samples_peak(samples));
        status = add_row(compare, &figure, precision, error);
      }
  return status;
}

static enum status print_ratios(struct compare *compare, struct error *error)
{
  enum status status = OK;
  for (enum task task = 0; task < TASKS; task++)
    for (int precision = BF16; !status && precision >= FP32; precision--)
      if (!compare->settings.isa || precision == FP32)
        status = print_ratio(compare, task, (enum precision)precision, error);
  if (takes_part(compare, INFER, FP32, ONNXRUNTIME) && !compare->samples[INFER][FP32][ONNXRUNTIME].count)
    puts("onnxruntime, the faster peer of inference, missing: make deps-bench");
  return status ? status : print_all(compare, error);
}

// --- details

static enum status detail(struct compare *compare, const struct conditions *under, const char *task,
                          struct error *error)
{
  struct measured measured;
  enum status status = measure_under(compare->settings.programs[OURS], under, &measured, error);
  if (!status && measured.images_per_second > 0) {
    struct figure figure = {.unit = "images/s", .value = measured.images_per_second};
    snprintf(figure.task, sizeof figure.task, "%s", task);
    printf("%-40s %s  %2d threads  batch %4d  %10.1f images/s  %5.0f MiB\n", task, under->precision, under->threads,
           under->batch, figure.value, measured.peak_mib);
    status = rows_add(&compare->rows, &figure, under->precision, under->threads, under->batch, error);
  }
  for (size_t i = 0; !status && i < measured.figure_count; i++) {
    const struct figure *figure = &measured.figures[i];
    printf("%-40s %s  %10.1f %s", figure->task, under->precision, figure->value, figure->unit);
    if (*figure->peer)
      printf("  %s %.1f, ratio %.2f", figure->peer, figure->peer_value, figure->value / figure->peer_value);
    putchar('\n');
    status = rows_add(&compare->rows, figure, under->precision, under->threads, 0, error);
  }
  measured_release(&measured);
  return status;
}

static enum status scaling(struct compare *compare, enum task task, const char *precision, struct error *error)
{
  static const int batches[] = {1, 8, 16, 64, 128};
  char name[32];
  int most = compare->settings.threads;
  enum status status = OK;
  snprintf(name, sizeof name, "scaling %s", task_names[task]);
  // 1, 2, 4, ... and all.
  for (int threads = 1, last = 0; !status && !last; threads = 2 * threads < most ? 2 * threads : most) {
    last = threads == most;
    const struct conditions under = {task_names[task], precision, threads, compare->batch, 1, NULL};
    status = detail(compare, &under, name, error);
  }
  for (size_t i = 0; !status && i < sizeof batches / sizeof *batches; i++) {
    if (batches[i] == compare->batch) continue; // measured above
    const struct conditions under = {task_names[task], precision, compare->settings.threads, batches[i], 1, NULL};
    status = detail(compare, &under, name, error);
  }
  return status;
}

// How much of training the way of the images costs: from memory, from a mapped file, augmented on the fly.
static enum status feeds(struct compare *compare, const char *precision, struct error *error)
{
  static const struct {
    const char *option, *task;
  } ways[] = {{"--memory", "feed from memory"},
              {NULL, "feed from a mapped file"},
              {"--augment=recipe", "feed, augmented as cnn.yaml"},
              {"--augment=all", "feed, all augmentations"}};
  enum status status = OK;
  for (size_t i = 0; !status && i < sizeof ways / sizeof *ways; i++) {
    const struct conditions under = {"train", precision, compare->settings.threads, compare->batch, 3, ways[i].option};
    status = detail(compare, &under, ways[i].task, error);
  }
  return status;
}

static enum status all_details(struct compare *compare, struct error *error)
{
  const struct conditions stages = {"stages", "fp32", compare->settings.threads, compare->batch, 1, NULL};
  enum status status = detail(compare, &stages, "", error);
  for (enum precision p = 0; !status && p < (compare->settings.isa ? BF16 : PRECISIONS); p++) {
    const struct conditions machine = {"machine", precision_names[p], compare->settings.threads, compare->batch, 1,
                                       NULL};
    const struct conditions layers = {"layers", precision_names[p], 1, 1, 1, NULL};
    status = detail(compare, &machine, "", error);
    if (!status) status = detail(compare, &layers, "", error);
    if (!status) status = feeds(compare, precision_names[p], error);
    for (enum task task = 0; !status && task < TASKS; task++)
      status = scaling(compare, task, precision_names[p], error);
  }
  return status;
}

// --- the whole

static enum status compare_run(struct compare *compare, struct error *error)
{
  char host[512];
  results_host(host, sizeof host);
  double begun = clock_seconds();
  printf("%s; %d threads, batch %d\n", host, compare->settings.threads, compare->batch);
  warn_of_load();
  enum status status = settings_cap(&compare->settings, error);
  if (!status) status = all_rounds(compare, begun, error);
  if (!status) status = print_ratios(compare, error);
  if (!status && compare->details) status = all_details(compare, error);
  if (!status && compare->settings.manifest)
    status = rows_store(&compare->rows, compare->settings.manifest, host, error);
  return status;
}

static bool parse(struct compare *compare, int argc, char **argv)
{
  const struct option options[] = {{.name = "--details", .flag = &compare->details},
                                   {.name = "--batch", .count = &compare->batch, .most = 65536},
                                   {.name = "--budget", .count = &compare->budget, .most = 86400}};
  return settings_parse(&compare->settings, options, sizeof options / sizeof *options, argc, argv) &&
         compare->settings.programs[OURS];
}

int main(int argc, char **argv)
{
  struct compare *compare = calloc(1, sizeof *compare);
  if (!compare) return 1;
  *compare = (struct compare){.settings = {.threads = (int)sysconf(_SC_NPROCESSORS_ONLN), .seconds = 3, .rounds = 3},
                              .batch = 64};
  struct error error = {0};
  enum status status = OK;
  if (!parse(compare, argc, argv))
    status = fail(&error, BAD_USAGE,
                  "usage: compare --ours PROGRAM [--torch PROGRAM] [--onnxruntime PROGRAM] [--threads N] [--batch N] "
                  "[--rounds N] [--seconds S] [--budget S] [--isa NAME] [--details] [--manifest FILE]");
  if (!status) {
    setvbuf(stdout, NULL, _IOLBF, 0);
    status = compare_run(compare, &error);
  }
  rows_release(&compare->rows);
  free(compare);
  return settings_end("compare", status, &error);
}
