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

#include "core/mem.h"
#include "core/progress.h"
#include "measure.h"
#include "median.h"
#include "store/benchmarks.h"
#include "training/results.h"

enum task { TRAIN, INFER, TASKS };
enum precision { FP32, BF16, PRECISIONS };
enum side { OURS, TORCH, ONNXRUNTIME, SIDES };
enum { ROUNDS_LIMIT = 99, ARGUMENTS_LIMIT = 24 };

static const char *const task_names[] = {"train", "infer"}, *const precision_names[] = {"fp32", "bf16"};

struct samples {
  char name[NAME_LIMIT];
  double rates[ROUNDS_LIMIT], peaks[ROUNDS_LIMIT];
  size_t count;
};

struct row {
  struct figure figure;
  const char *precision;
  int threads, batch;
};

struct compare {
  const char *programs[SIDES]; // NULL: not asked for
  const char *isa, *manifest;
  int threads, batch, rounds, seconds;
  int budget; // seconds; 0: none
  bool details;
  struct samples samples[TASKS][PRECISIONS][SIDES];
  struct row *rows; // to be stored
  size_t row_count, row_capacity;
};

// --- one measurement
// ----------------------------------------------------------------------------------------------------------------

struct conditions {
  const char *task, *precision;
  int threads, batch, seconds;
  const char *more; // a further option; NULL: none
};

static enum status run(const char *program, const struct conditions *under, struct measured *out, struct error *error)
{
  char threads[16], batch[16], seconds[16];
  snprintf(threads, sizeof threads, "%d", under->threads);
  snprintf(batch, sizeof batch, "%d", under->batch);
  snprintf(seconds, sizeof seconds, "%d", under->seconds);
  const char *arguments[ARGUMENTS_LIMIT] = {program,     under->task, "--precision", under->precision,
                                            "--threads", threads,     "--batch",     batch,
                                            "--seconds", seconds,     under->more};
  if (setenv("OMP_NUM_THREADS", threads, 1)) return fail_errno(error, "cannot set OMP_NUM_THREADS");
  return measure(arguments, out, error);
}

static enum status add_row(struct compare *compare, const struct figure *figure, const char *precision, int threads,
                           int batch, struct error *error)
{
  enum status status = mem_grow((void **)&compare->rows, &compare->row_capacity, compare->row_count + 1,
                                sizeof *compare->rows, "rows", error);
  if (!status)
    compare->rows[compare->row_count++] =
        (struct row){.figure = *figure, .precision = precision, .threads = threads, .batch = batch};
  return status;
}

// --- rounds
// ----------------------------------------------------------------------------------------------------------------

// Ours comes first: where the CPU has no fast bf16 it has no figure, and a peer would take a minute for a step.
static bool takes_part(const struct compare *compare, enum task task, enum precision precision, enum side side)
{
  if (!compare->programs[side] || (compare->isa && precision == BF16)) return false;
  if (side != OURS && precision == BF16 && compare->samples[task][BF16][OURS].count == 0) return false;
  return side != ONNXRUNTIME || (task == INFER && precision == FP32 && !compare->isa);
}

static enum status one_sample(struct compare *compare, enum task task, enum precision precision, enum side side,
                              struct error *error)
{
  struct samples *samples = &compare->samples[task][precision][side];
  const struct conditions under = {task_names[task], precision_names[precision], compare->threads,
                                   compare->batch,   compare->seconds,           NULL};
  struct measured measured;
  enum status status = run(compare->programs[side], &under, &measured, error);
  if (!status && !measured.missing) {
    snprintf(samples->name, sizeof samples->name, "%s", measured.name);
    samples->peaks[samples->count] = measured.peak_mib;
    samples->rates[samples->count++] = measured.images_per_second;
  }
  measured_release(&measured);
  return status;
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
  for (int round = 0; !status && round < compare->rounds; round++) {
    double start = clock_seconds();
    status = one_round(compare, error);
    double now = clock_seconds();
    if (compare->budget > 0 && now - begun + (now - start) > compare->budget) break;
  }
  return status;
}

// --- ratios
// ----------------------------------------------------------------------------------------------------------------

struct rival {
  const struct samples *samples; // NULL: there is none
  double rate;
  enum precision precision;
};

static double rate_of(const struct samples *samples)
{
  double sorted[ROUNDS_LIMIT];
  memcpy(sorted, samples->rates, sizeof sorted);
  return median(sorted, samples->count);
}

static double peak_of(const struct samples *samples)
{
  double sorted[ROUNDS_LIMIT];
  memcpy(sorted, samples->peaks, sizeof sorted);
  return median(sorted, samples->count);
}

// Training: the peer in the same precision. Inference: whichever is fastest.
static struct rival find_rival(const struct compare *compare, enum task task, enum precision precision)
{
  struct rival best = {.samples = NULL};
  for (enum precision theirs = 0; theirs < PRECISIONS; theirs++)
    for (enum side side = TORCH; side < SIDES; side++) {
      const struct samples *samples = &compare->samples[task][theirs][side];
      double rate = rate_of(samples);
      if ((task == TRAIN && theirs != precision) || rate <= best.rate) continue;
      best = (struct rival){.samples = samples, .rate = rate, .precision = theirs};
    }
  return best;
}

static enum status print_memory(struct compare *compare, enum precision precision, const struct samples *ours,
                                const struct rival *rival, struct error *error)
{
  struct figure figure = {.task = "seed-cnn train memory", .unit = "MiB", .value = peak_of(ours)};
  if (rival->samples) {
    figure.peer_value = peak_of(rival->samples);
    snprintf(figure.peer, sizeof figure.peer, "%s", rival->samples->name);
    printf("seed-cnn train %s memory ratio %.2f  ours %.0f, %s %.0f MiB at most\n", precision_names[precision],
           figure.value / figure.peer_value, figure.value, figure.peer, figure.peer_value);
  }
  return add_row(compare, &figure, precision_names[precision], compare->threads, compare->batch, error);
}

static enum status print_ratio(struct compare *compare, enum task task, enum precision precision, struct error *error)
{
  const struct samples *ours = &compare->samples[task][precision][OURS];
  struct rival rival = find_rival(compare, task, precision);
  struct figure figure = {.unit = "images/s", .value = rate_of(ours), .peer_value = rival.rate};
  snprintf(figure.task, sizeof figure.task, "seed-cnn %s", task_names[task]);
  if (!ours->count) {
    if (!compare->isa) printf("%s %s: not on this CPU\n", figure.task, precision_names[precision]);
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
  enum status status = add_row(compare, &figure, precision_names[precision], compare->threads, compare->batch, error);
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
        struct figure figure = {.unit = "images/s", .value = rate_of(samples)};
        snprintf(figure.task, sizeof figure.task, "%s %s", samples->name, task_names[task]);
        printf("%-28s %s  %8.1f images/s  %6.0f MiB\n", figure.task, precision_names[precision], figure.value,
               peak_of(samples));
        status = add_row(compare, &figure, precision_names[precision], compare->threads, compare->batch, error);
      }
  return status;
}

static enum status print_ratios(struct compare *compare, struct error *error)
{
  enum status status = OK;
  for (enum task task = 0; task < TASKS; task++)
    for (int precision = BF16; !status && precision >= FP32; precision--)
      if (!compare->isa || precision == FP32) status = print_ratio(compare, task, (enum precision)precision, error);
  if (takes_part(compare, INFER, FP32, ONNXRUNTIME) && !compare->samples[INFER][FP32][ONNXRUNTIME].count)
    puts("onnxruntime, the faster peer of inference, missing: make deps-bench");
  if (compare->isa) printf("capped at %s; onnxruntime is left out: it cannot be capped\n", compare->isa);
  return status ? status : print_all(compare, error);
}

// --- details
// ----------------------------------------------------------------------------------------------------------------

static enum status detail(struct compare *compare, const struct conditions *under, const char *task,
                          struct error *error)
{
  struct measured measured;
  enum status status = run(compare->programs[OURS], under, &measured, error);
  if (!status && measured.images_per_second > 0) {
    struct figure figure = {.unit = "images/s", .value = measured.images_per_second};
    snprintf(figure.task, sizeof figure.task, "%s", task);
    printf("%-40s %s  %2d threads  batch %4d  %10.1f images/s  %5.0f MiB\n", task, under->precision, under->threads,
           under->batch, figure.value, measured.peak_mib);
    status = add_row(compare, &figure, under->precision, under->threads, under->batch, error);
  }
  bool layers = strcmp(under->task, "layers") == 0;
  for (size_t i = 0; !status && i < measured.figure_count; i++) {
    const struct figure *figure = &measured.figures[i];
    printf("%-40s %s  %10.1f %s", figure->task, under->precision, figure->value, figure->unit);
    if (*figure->peer)
      printf("  %s %.1f, ratio %.2f", figure->peer, figure->peer_value, figure->value / figure->peer_value);
    putchar('\n');
    status = add_row(compare, figure, under->precision, layers ? 1 : under->threads, 0, error);
  }
  measured_release(&measured);
  return status;
}

static enum status scaling(struct compare *compare, enum task task, const char *precision, struct error *error)
{
  static const int batches[] = {1, 8, 16, 64, 128};
  char name[32];
  int most = compare->threads;
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
    const struct conditions under = {task_names[task], precision, compare->threads, batches[i], 1, NULL};
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
    const struct conditions under = {"train", precision, compare->threads, compare->batch, 3, ways[i].option};
    status = detail(compare, &under, ways[i].task, error);
  }
  return status;
}

static enum status all_details(struct compare *compare, struct error *error)
{
  const struct conditions stages = {"stages", "fp32", compare->threads, compare->batch, 1, NULL};
  enum status status = detail(compare, &stages, "", error);
  for (enum precision p = 0; !status && p < (compare->isa ? BF16 : PRECISIONS); p++) {
    const struct conditions machine = {"machine", precision_names[p], compare->threads, compare->batch, 1, NULL};
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
// ----------------------------------------------------------------------------------------------------------------

static enum status store(const struct compare *compare, const char *host, struct error *error)
{
  struct benchmark *rows = NULL;
  struct db *db = NULL;
  enum status status = mem_zeroed((void **)&rows, compare->row_count, sizeof *rows, "rows", error);
  for (size_t i = 0; !status && i < compare->row_count; i++) {
    const struct row *row = &compare->rows[i];
    rows[i] = (struct benchmark){.task = row->figure.task,
                                 .precision = row->precision,
                                 .threads = row->threads,
                                 .batch = row->batch,
                                 .value = row->figure.value,
                                 .unit = row->figure.unit,
                                 .peer = *row->figure.peer ? row->figure.peer : NULL,
                                 .peer_value = row->figure.peer_value};
  }
  if (!status) status = db_open(&db, compare->manifest, DB_CREATE, error);
  if (!status) status = benchmarks_add(db, rows, compare->row_count, host, error);
  db_close(db);
  free(rows);
  return status;
}

// A neighbour on the same CPUs slows both sides, and not alike.
static void warn_of_load(void)
{
  double load;
  if (getloadavg(&load, 1) == 1 && load > 0.5)
    printf("other programs are running (load %.1f): the figures are lower and less certain than on a quiet machine\n",
           load);
}

static enum status compare_run(struct compare *compare, struct error *error)
{
  char host[512];
  results_host(host, sizeof host);
  double begun = clock_seconds();
  printf("%s; %d threads, batch %d\n", host, compare->threads, compare->batch);
  warn_of_load();
  if (compare->isa && (setenv("ONEDNN_MAX_CPU_ISA", compare->isa, 1) ||
                       (strcmp(compare->isa, "AVX2") == 0 && setenv("ATEN_CPU_CAPABILITY", "avx2", 1))))
    return fail_errno(error, "cannot cap the instruction set");
  enum status status = all_rounds(compare, begun, error);
  if (!status) status = print_ratios(compare, error);
  if (!status && compare->details) status = all_details(compare, error);
  if (!status && compare->manifest) status = store(compare, host, error);
  return status;
}

static bool count_option(const char *value, long most, int *out)
{
  char *end;
  long given = strtol(value, &end, 10);
  *out = (int)given;
  return *value && !*end && given >= 1 && given <= most;
}

// One option with its value; false if there is no such thing.
static bool option(struct compare *compare, const char *name, const char *value)
{
  const struct {
    const char *name, **text;
    int *count;
    long most;
  } options[] = {{"--ours", &compare->programs[OURS], NULL, 0},
                 {"--torch", &compare->programs[TORCH], NULL, 0},
                 {"--onnxruntime", &compare->programs[ONNXRUNTIME], NULL, 0},
                 {"--isa", &compare->isa, NULL, 0},
                 {"--manifest", &compare->manifest, NULL, 0},
                 {"--threads", NULL, &compare->threads, 4096},
                 {"--batch", NULL, &compare->batch, 65536},
                 {"--rounds", NULL, &compare->rounds, ROUNDS_LIMIT},
                 {"--seconds", NULL, &compare->seconds, 3600},
                 {"--budget", NULL, &compare->budget, 86400}};
  for (size_t i = 0; i < sizeof options / sizeof *options; i++) {
    if (strcmp(name, options[i].name) != 0) continue;
    if (options[i].count) return count_option(value, options[i].most, options[i].count);
    *options[i].text = value;
    return true;
  }
  return false;
}

static bool parse(struct compare *compare, int argc, char **argv)
{
  for (int i = 1; i < argc; i++)
    if (strcmp(argv[i], "--details") == 0)
      compare->details = true;
    else if (i + 1 >= argc || !option(compare, argv[i], argv[i + 1]))
      return false;
    else
      i++;
  return compare->programs[OURS] != NULL;
}

int main(int argc, char **argv)
{
  struct compare *compare = calloc(1, sizeof *compare);
  if (!compare) return 1;
  *compare = (struct compare){.threads = (int)sysconf(_SC_NPROCESSORS_ONLN), .batch = 64, .seconds = 3, .rounds = 3};
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
  if (!status && (fflush(stdout) || ferror(stdout))) status = fail(&error, FAILED, "cannot write to stdout");
  if (status) fprintf(stderr, "compare: %s\n", error.text);
  free(compare->rows);
  free(compare);
  return status == OK ? 0 : status == BAD_USAGE ? 2 : 1;
}
