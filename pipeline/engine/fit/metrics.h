// Figures of a classifier from its logits: softmax, rank of the label, confusion, precision, recall, F1,
// Wilson intervals.
#ifndef ENGINE_METRICS_H
#define ENGINE_METRICS_H

#include <stddef.h>
#include <stdint.h>

// probabilities[classes] of logits[classes]; in place is allowed.
void metrics_softmax(const float *logits, int classes, float *probabilities);

// The k largest, best first; equal values in the order of their indices. k <= classes.
void metrics_top(const float *values, int classes, int k, int *indices);

// 1-based rank of `label` among the values, ties counted against it only by lower indices. Of two values of which one
// is NaN, the label's comes behind: what a broken net says is never right.
int metrics_rank(const float *values, int classes, int label);

// 95 % Wilson score interval of hits out of n (Wilson, 1927); n = 0 gives [0, 1].
void metrics_wilson(uint64_t hits, uint64_t n, double *low, double *high);

// Per class from a confusion matrix [label, predicted]; a class without images has NaN recall, one never
// predicted NaN precision.
struct class_figures {
  uint64_t images, predicted, right;
  double precision, recall, f1;
};
void metrics_per_class(const uint64_t *confusion, int classes, struct class_figures *figures);

#endif
