// SGD with momentum, Adam (Kingma and Ba, 2015), AdamW (Loshchilov and Hutter, 2019), and Muon (engine/fit/muon.h) with
// AdamW for what is no matrix. fp32 state, the same bits for any number of threads. Defaults are Keras'.
#ifndef ENGINE_OPTIMIZER_H
#define ENGINE_OPTIMIZER_H

#include <stdbool.h>
#include <stdint.h>

#include "core/status.h"
#include "engine/net/net.h"

enum optimizer_kind { OPTIMIZER_SGD, OPTIMIZER_ADAM, OPTIMIZER_ADAMW, OPTIMIZER_MUON };

struct optimizer_options {
  enum optimizer_kind kind;
  float momentum;              // SGD, Muon
  float matrix_rate;           // Muon: a matrix's rate is this times the step's
  float beta1, beta2, epsilon; // Adam, AdamW, Muon
  float weight_decay; // SGD, Adam: added to the gradient (L2); AdamW, Muon: decoupled. Kernels only, not biases.
  float ema;          // decay of an exponential moving average of the weights (Polyak averaging); 0: none
  bool centralize;    // first takes from each kernel's gradient its mean over the inputs (engine/fit/centralize.h)
  // A step of Adam moves every weight of a kernel by about the rate, and what they make of inputs that go the same way
  // by the rate times their number: a kernel with more than `lr_inputs` inputs takes lr * lr_inputs / inputs (Yang et
  // al., "Tensor programs V: tuning large neural networks via zero-shot hyperparameter transfer", 2022). 0: all take
  // lr.
  int lr_inputs;
};

struct optimizer;

// BAD_USAGE for centralize and Muon where the net gives a gradient in pieces (net_options.pieces).
enum status optimizer_new(struct optimizer **out, struct net *net, const struct optimizer_options *options,
                          struct error *error);
void optimizer_free(struct optimizer *optimizer);

// One update of all trainable parameters from their gradients, which are not kept; step counts from 1. FAILED, with the
// weights unchanged, if a gradient is not finite. Calls net_stepped.
enum status optimizer_step(struct optimizer *optimizer, uint64_t step, float lr, int threads, struct error *error);

// Exchanges the trainable weights with their averages; a second time brings them back. Nothing without options.ema. The
// average follows the weights with min(ema, (1 + step) / (10 + step)), so that it soon forgets where they began; after
// the first step it is they.
void optimizer_swap_average(struct optimizer *optimizer);

// State for checkpoints: `slots` arrays (momentum; or m and v; then ema) per parameter of the net, of the parameter's
// shape. "m", "v", "momentum", "ema". A matrix of Muon's has its momentum in m and no v.
int optimizer_slots(const struct optimizer *optimizer);
const char *optimizer_slot_name(const struct optimizer *optimizer, int slot);
float *optimizer_slot(struct optimizer *optimizer, size_t parameter, int slot); // NULL: frozen, or has no such

#endif
