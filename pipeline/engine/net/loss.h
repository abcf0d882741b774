// Softmax cross-entropy.
#ifndef ENGINE_LOSS_H
#define ENGINE_LOSS_H

#include <stdint.h>

// The loss of one image, -sum t log(softmax(logits)) with t = (1 - smoothing) * target + smoothing / classes. `target`
// is share * one-hot(label) + (1 - share) * one-hot(other), of an image that is mixed of two (Zhang et al., "mixup:
// Beyond Empirical Risk Minimization", ICLR 2018); share 1 is one image. dlogits[classes], if not NULL, receives the
// loss's gradient by the logits times `scale`. Stable for any finite logits (log-sum-exp); not finite if a logit is
// not.
double loss_cross_entropy(const float *logits, int classes, int32_t label, int32_t other, float share, float smoothing,
                          float scale, float *dlogits);

#endif
