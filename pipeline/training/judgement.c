#include "training/judgement.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "core/mem.h"
#include "engine/fit/fit.h"
#include "engine/fit/metrics.h"

enum status judgement_init(struct judgement *judgement, size_t capacity, int classes, struct error *error)
{
  size_t n = (size_t)classes;
  *judgement = (struct judgement){.classes = classes, .capacity = capacity};
  enum status status =
      mem_zeroed((void **)&judgement->rows, capacity + 1, sizeof *judgement->rows, "predictions", error);
  if (!status)
    status =
        mem_zeroed((void **)&judgement->probabilities, n, sizeof *judgement->probabilities, "probabilities", error);
  if (!status)
    status = mem_zeroed((void **)&judgement->confusion, n * n, sizeof *judgement->confusion, "confusion", error);
  return status;
}

void judgement_release(struct judgement *judgement)
{
  free(judgement->rows);
  free(judgement->probabilities);
  free(judgement->confusion);
  *judgement = (struct judgement){0};
}

// Confidences in (0, 1/15], (1/15, 2/15], ...; none of NaN.
static void add_to_bin(struct judgement *judgement, double confidence, int right)
{
  int bin = confidence > 0 ? (int)ceil(confidence * JUDGEMENT_BINS) - 1 : 0;
  if (bin >= JUDGEMENT_BINS) bin = JUDGEMENT_BINS - 1;
  judgement->bins[bin].images++;
  judgement->bins[bin].right += (uint64_t)right;
  judgement->bins[bin].confidence_sum += confidence;
}

// What the figures are made of.
static void count(struct judgement *judgement, const struct prediction_row *row)
{
  judgement->known++;
  judgement->confusion[(size_t)row->label * (size_t)judgement->classes + (size_t)row->predicted]++;
  judgement->right += row->label_rank == 1;
  judgement->top3 += row->label_rank <= 3;
  judgement->loss_sum += row->loss;
  add_to_bin(judgement, row->confidence, row->label_rank == 1);
}

void judgement_add(struct judgement *judgement, int64_t image, int label, const float *logits)
{
  int classes = judgement->classes, top[3] = {-1, -1, -1};
  float *probabilities = judgement->probabilities;
  metrics_softmax(logits, classes, probabilities);
  metrics_top(logits, classes, classes < 3 ? classes : 3, top); // of logits: softmax can make unequal ones equal
  struct prediction_row *row = &judgement->rows[judgement->images++];
  *row = (struct prediction_row){
      .image = image,
      .label = label,
      .predicted = top[0],
      .confidence = probabilities[top[0]],
      .second = top[1],
      .third = top[2],
      .second_confidence = top[1] < 0 ? 0 : probabilities[top[1]],
      .third_confidence = top[2] < 0 ? 0 : probabilities[top[2]],
  };
  if (label < 0) return;
  row->label_rank = metrics_rank(logits, classes, label);
  row->label_confidence = probabilities[label];
  row->loss = fit_cross_entropy(logits, classes, label);
  count(judgement, row);
}

// --- figures ---------------------------------------------------------------------------------------------------------

struct averages {
  double precision, recall, f1;
};

static void average_classes(const struct class_figures *figures, int classes, struct averages *macro,
                            struct averages *weighted)
{
  double classes_with_images = 0, images = 0;
  *macro = *weighted = (struct averages){0};
  for (int c = 0; c < classes; c++) {
    const struct class_figures *one = &figures[c];
    if (!one->images) continue;
    double n = (double)one->images, precision = one->predicted ? one->precision : 0;
    classes_with_images++;
    images += n;
    *macro = (struct averages){macro->precision + precision, macro->recall + one->recall, macro->f1 + one->f1};
    *weighted = (struct averages){weighted->precision + n * precision, weighted->recall + n * one->recall,
                                  weighted->f1 + n * one->f1};
  }
  *macro = (struct averages){macro->precision / classes_with_images, macro->recall / classes_with_images,
                             macro->f1 / classes_with_images};
  *weighted = (struct averages){weighted->precision / images, weighted->recall / images, weighted->f1 / images};
}

static double calibration_error(const struct judgement *judgement)
{
  double sum = 0;
  for (int b = 0; b < JUDGEMENT_BINS; b++)
    sum += fabs((double)judgement->bins[b].right - judgement->bins[b].confidence_sum);
  return sum / (double)judgement->known;
}

static struct metric_row figure(const char *name, double value, const struct judgement *judgement)
{
  struct metric_row row = {.value = value, .low = NAN, .high = NAN, .images = judgement->known};
  snprintf(row.name, sizeof row.name, "%s", name);
  return row;
}

static struct metric_row proportion(const char *name, uint64_t hits, const struct judgement *judgement)
{
  struct metric_row row = figure(name, (double)hits / (double)judgement->known, judgement);
  metrics_wilson(hits, judgement->known, &row.low, &row.high);
  return row;
}

enum status judgement_metrics(const struct judgement *judgement, struct metric_row out[JUDGEMENT_METRICS],
                              struct error *error)
{
  struct class_figures *figures = NULL;
  struct averages macro, weighted;
  enum status status =
      mem_zeroed((void **)&figures, (size_t)judgement->classes, sizeof *figures, "figures of the classes", error);
  if (status) return status;
  metrics_per_class(judgement->confusion, judgement->classes, figures);
  average_classes(figures, judgement->classes, &macro, &weighted);
  free(figures);
  struct metric_row *row = out;
  *row++ = proportion("accuracy", judgement->right, judgement);
  *row++ = proportion("top3_accuracy", judgement->top3, judgement);
  *row++ = figure("loss", judgement->loss_sum / (double)judgement->known, judgement);
  *row++ = figure("macro_precision", macro.precision, judgement);
  *row++ = figure("macro_recall", macro.recall, judgement);
  *row++ = figure("macro_f1", macro.f1, judgement);
  *row++ = figure("weighted_precision", weighted.precision, judgement);
  *row++ = figure("weighted_recall", weighted.recall, judgement);
  *row++ = figure("weighted_f1", weighted.f1, judgement);
  *row++ = figure("ece", calibration_error(judgement), judgement);
  return OK;
}
