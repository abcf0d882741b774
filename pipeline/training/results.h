// What a run shows of itself besides the manifest: results.csv, the Keras-like summary of the model, the line of an
// epoch, and the machine that it ran on.
#ifndef PIPELINE_RESULTS_H
#define PIPELINE_RESULTS_H

#include <stddef.h>
#include <stdio.h>

#include "core/status.h"
#include "engine/fit/fit.h"
#include "engine/net/net.h"

// epoch,time,train/loss,train/accuracy,val/loss,val/accuracy,lr: a line for each epoch, `time` summed up, empty fields
// without validation.
enum status results_csv(const char *path, const struct epoch_figures *history, size_t epochs, struct error *error);

// "epoch 3/10  loss 1.234  accuracy 0.612  val loss 1.001  val accuracy 0.660  142 images/s  49 s"
// `averaged`: the validation is of averaged weights.
void results_epoch_line(char *out, size_t size, const struct epoch_figures *figures, int epochs, bool best,
                        bool averaged);

// Layers, shapes, parameters, and what a layer is connected to where that is not simply the one before it.
void results_summary(FILE *out, const struct net *net);

// "AMD Ryzen 9 ..., 2 CPUs, Linux 6.1.0 x86_64"
void results_host(char *out, size_t size);

#endif
