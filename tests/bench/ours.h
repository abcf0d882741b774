// `ours`: one measurement of this engine in a process of its own, as `compare` starts it beside its peers. What was
// measured goes to stdout, a line each:
//
//   name=ours (native, avx512_core_bf16)
//   images_per_second=652.1
//   row=TASK|VALUE|UNIT|PEER|PEER_VALUE        a figure for the table `benchmark`; PEER may be empty
#ifndef BENCH_OURS_H
#define BENCH_OURS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/status.h"
#include "engine/net/net.h"
#include "image/augment.h"

enum { CLASSES = 29, SIDE = 100, PIXELS = SIDE * SIDE * 3 };

struct ours {
  enum net_precision precision;
  bool int8; // what is frozen works on bytes
  enum net_kernels kernels;
  int threads, batch;
  double seconds;                       // that a measurement lasts
  bool memory;                          // training is fed from memory, not from a mapped tensor file
  const struct augment_recipe *augment; // NULL: none; with `memory` it is done beforehand
};

// The measurements. Each prints its lines.
enum status ours_train(const struct ours *ours, struct error *error);
enum status ours_infer(const struct ours *ours, struct error *error);
enum status ours_layers(const struct ours *ours, struct error *error); // one thread
enum status ours_stages(const struct ours *ours, struct error *error); // decode, resize, augment, each operation
enum status ours_machine(const struct ours *ours, struct error *error);

// ResNet50: the frozen part, a training step of the head (last4) from rows in bf16, a training step of everything.
enum status ours_features(const struct ours *ours, struct error *error);
enum status ours_head(const struct ours *ours, struct error *error);
enum status ours_resnet50(const struct ours *ours, struct error *error);

// Does `step` again and again, counted from 1, and prints the rate by the median over those that fit into the time.
enum status ours_time(const struct ours *ours, enum status (*step)(void *self, uint64_t number, struct error *error),
                      void *self, struct error *error);

// seed-cnn, planned and initialised.
enum status ours_net(const struct ours *ours, bool training, struct net **net, struct error *error);

// --- the machine: what a kernel could reach at best, with the instructions that our kernels use here
double machine_flops(enum net_precision precision, int threads); // floating point operations per second
double machine_bandwidth(size_t bytes, int threads);             // bytes/s read, over and over, from so many per thread

// Recipes of augmentation by name: first `recipe` (configs/cnn.yaml's) and `all` (configs/cnn-augmented.yaml's), then
// one operation each.
struct bench_recipe {
  const char *name;
  struct augment_recipe recipe;
};
extern const struct bench_recipe bench_recipes[];
extern const size_t bench_recipe_count;
const struct augment_recipe *bench_recipe_find(const char *name); // NULL: there is none

void fill_noise(uint8_t *bytes, size_t count, uint64_t stream);

#endif
