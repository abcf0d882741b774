#include "engine/fit/metrics.h"

#include <math.h>

void metrics_softmax(const float *logits, int classes, float *probabilities)
{
  double highest = (double)logits[0], sum = 0;
  for (int k = 1; k < classes; k++) highest = fmax(highest, (double)logits[k]);
  for (int k = 0; k < classes; k++) sum += exp((double)logits[k] - highest);
  for (int k = 0; k < classes; k++) probabilities[k] = (float)(exp((double)logits[k] - highest) / sum);
}

void metrics_top(const float *values, int classes, int k, int *indices)
{
  for (int place = 0; place < k; place++) {
    int best = -1;
    for (int i = 0; i < classes; i++) {
      int taken = 0;
      for (int j = 0; j < place; j++) taken |= indices[j] == i;
      if (!taken && (best < 0 || values[i] > values[best])) best = i;
    }
    indices[place] = best;
  }
}

int metrics_rank(const float *values, int classes, int label)
{
  int rank = 1;
  for (int i = 0; i < classes; i++)
    rank += i != label && !(values[i] < values[label] || (values[i] == values[label] && i > label));
  return rank;
}

void metrics_wilson(uint64_t hits, uint64_t n, double *low, double *high)
{
  *low = 0;
  *high = 1;
  if (n == 0) return;
  const double z = 1.959963984540054; // 97.5 % quantile of the normal distribution
  double count = (double)n, p = (double)hits / count, z2 = z * z;
  double centre = p + z2 / (2 * count), spread = z * sqrt(p * (1 - p) / count + z2 / (4 * count * count));
  // Exactly 0 and 1 at the ends, where rounding would leave a speck.
  if (hits > 0) *low = fmax((centre - spread) / (1 + z2 / count), 0);
  if (hits < n) *high = fmin((centre + spread) / (1 + z2 / count), 1);
}

void metrics_per_class(const uint64_t *confusion, int classes, struct class_figures *figures)
{
  for (int k = 0; k < classes; k++) {
    struct class_figures *figure = &figures[k];
    *figure = (struct class_figures){.right = confusion[k * classes + k]};
    for (int other = 0; other < classes; other++) {
      figure->images += confusion[k * classes + other];
      figure->predicted += confusion[other * classes + k];
    }
    double right = (double)figure->right;
    figure->precision = figure->predicted ? right / (double)figure->predicted : NAN;
    figure->recall = figure->images ? right / (double)figure->images : NAN;
    uint64_t both = figure->images + figure->predicted;
    figure->f1 = both ? 2 * right / (double)both : NAN;
  }
}
