// What a net's logits say of a part of the data: a prediction for each image, and the figures of them all.
//
//   judgement_init(&judgement, images, classes, error); judgement_add(&judgement, image, label, logits) ...;
//   judgement_metrics(&judgement, metrics)
//
// accuracy, top3_accuracy (with 95 % Wilson intervals); loss (mean cross-entropy); macro_ and weighted_ precision,
// recall, f1: means over the classes that have images, equally or by their images, a class that was never predicted
// having precision 0; ece: expected calibration error over 15 equal bins of confidence (Naeini, Cooper and Hauskrecht,
// 2015).
#ifndef PIPELINE_JUDGEMENT_H
#define PIPELINE_JUDGEMENT_H

#include <stddef.h>
#include <stdint.h>

#include "core/status.h"
#include "store/runs.h"

enum { JUDGEMENT_METRICS = 10, JUDGEMENT_BINS = 15 };

struct judgement {
  int classes;
  size_t images, capacity;
  size_t known;                // of the images: those with a label, which the figures are of
  struct prediction_row *rows; // [images]
  float *probabilities;        // [classes], of the image in hand
  uint64_t *confusion;         // [label, predicted]
  uint64_t right, top3;
  double loss_sum;
  struct {
    uint64_t images, right;
    double confidence_sum;
  } bins[JUDGEMENT_BINS];
};

enum status judgement_init(struct judgement *judgement, size_t capacity, int classes, struct error *error);
void judgement_release(struct judgement *judgement);

// At most `capacity` images. A label of -1 (an outside test's class that the net does not know) makes a prediction that
// no figure counts.
void judgement_add(struct judgement *judgement, int64_t image, int label, const float *logits);

// All figures of the images with a label so far, which are at least one.
enum status judgement_metrics(const struct judgement *judgement, struct metric_row out[JUDGEMENT_METRICS],
                              struct error *error);

#endif
