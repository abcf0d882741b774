#include "engine/net/loss.h"

#include <math.h>

double loss_cross_entropy(const float *logits, int classes, int32_t label, int32_t other, float share, float smoothing,
                          float scale, float *dlogits)
{
  double highest = (double)logits[0], sum = 0, expected = 0;
  for (int k = 1; k < classes; k++) highest = fmax(highest, (double)logits[k]);
  for (int k = 0; k < classes; k++) sum += exp((double)logits[k] - highest);
  double log_sum = highest + log(sum), even = (double)smoothing / classes;
  double certain = 1 - (double)smoothing, own = certain * (double)share, others = certain * (1 - (double)share);
  for (int k = 0; k < classes; k++) {
    double target = even + (k == label ? own : 0) + (k == other ? others : 0);
    double probability = exp((double)logits[k] - log_sum);
    if (target > 0) expected += target * (log_sum - (double)logits[k]);
    if (dlogits) dlogits[k] = (float)((probability - target) * (double)scale);
  }
  return isnan(sum) ? sum : expected;
}
