#include "engine/fit/fit.h"

#include <math.h>
#include <stdlib.h>

#include "core/mem.h"
#include "core/progress.h"
#include "core/rng.h"
#include "engine/fit/metrics.h"

// The images of one batch, as the net asks for them.
struct batch_view {
  const struct fit_data *data;
  uint64_t epoch;
  const uint32_t *indices;
};

static void fetch_from_view(void *self, size_t i, void *pixels)
{
  struct batch_view *view = self;
  view->data->fetch(view->data->self, view->epoch, view->indices[i], pixels);
}

static void expect(const struct fit_data *data, uint64_t epoch, const uint32_t *indices, size_t n)
{
  if (data->expect && n) data->expect(data->self, epoch, indices, n);
}

static size_t smaller(size_t a, size_t b)
{
  return a < b ? a : b;
}

int fit_classes(const struct net *net)
{
  return net_layer(net, net_layer_count(net) - 1).output.c;
}

double fit_cross_entropy(const float *logits, int classes, int label)
{
  int largest = 0;
  double others = 0;
  for (int c = 1; c < classes; c++)
    if (logits[c] > logits[largest]) largest = c;
  for (int c = 0; c < classes; c++)
    if (c != largest) others += exp((double)logits[c] - logits[largest]);
  return log1p(others) + ((double)logits[largest] - logits[label]);
}

// --- inference -------------------------------------------------------------------------------------------------------

enum status fit_predict(struct net *net, const struct fit_data *data, size_t batch,
                        enum status (*each)(void *self, size_t first, size_t n, const float *logits), void *self,
                        struct error *error)
{
  int classes = fit_classes(net);
  float *logits = NULL;
  uint32_t *indices = NULL;
  size_t elements;
  if (!mem_multiply(batch, (size_t)classes, &elements)) return fail_memory(error, "logits", batch);
  enum status status = mem_aligned((void **)&logits, elements, sizeof *logits, "logits", error);
  if (!status) status = mem_zeroed((void **)&indices, batch * 2, sizeof *indices, "indices of a batch", error);
  for (size_t first = 0; !status && first < data->images; first += batch) {
    size_t n = smaller(batch, data->images - first), next = smaller(batch, data->images - first - n);
    for (size_t i = 0; i < n + next; i++) indices[i] = (uint32_t)(first + i);
    expect(data, 0, indices + n, next);
    struct batch_view view = {data, 0, indices};
    struct net_input input = {&view, fetch_from_view};
    status = net_infer(net, &input, n, logits, error);
    if (!status) status = each(self, first, n, logits);
  }
  free(indices);
  free(logits);
  return status;
}

// --- training --------------------------------------------------------------------------------------------------------

struct fitting {
  struct net *net;
  struct optimizer *optimizer;
  const struct fit_data *train, *validation;
  const struct fit_options *options;
  struct fit_progress *progress;
  const struct fit_callbacks *callbacks;
  int classes;
  size_t steps; // of an epoch
  uint32_t *order;
  int32_t *labels, *others; // [batch]
  float *shares;            // [batch]
  float *logits;
  double checkpointed; // when the last checkpoint was made
};

static bool stop_asked(const struct fitting *f)
{
  return f->callbacks->stop && f->callbacks->stop(f->callbacks->self);
}

// Nothing that is broken is ever published: an update of finite gradients can still overflow.
static enum status check_weights(const struct fitting *f, struct error *error)
{
  for (size_t p = 0; p < net_parameter_count(f->net); p++) {
    const struct parameter *parameter = net_parameter(f->net, p);
    for (size_t i = 0; i < parameter->count; i++)
      if (!isfinite(parameter->value[i]))
        return fail(error, FAILED, "%s[%zu] is not finite after step %llu: lower the learning rate", parameter->name, i,
                    (unsigned long long)f->progress->step);
  }
  return OK;
}

static enum status checkpoint(struct fitting *f, struct error *error)
{
  enum status status = check_weights(f, error);
  if (!status) status = f->callbacks->checkpoint(f->callbacks->self, f->progress, error);
  f->checkpointed = clock_seconds();
  return status;
}

// Keeps what is done. The person who stopped may also be out of disk space: that failure is the more
// important news.
static enum status stop_here(struct fitting *f, struct error *error)
{
  enum status status = checkpoint(f, error);
  return status ? status
                : fail(error, INTERRUPTED, "stopped in epoch %d after step %llu", f->progress->epoch + 1,
                       (unsigned long long)f->progress->step);
}

static enum status step_failed(const struct fitting *f, enum status status, struct error *error)
{
  if (status != FAILED || !error) return status;
  struct error inner = *error;
  return fail(error, status,
              "epoch %d, step %llu: %s; the weights are as before this step. Try a lower learning rate, some "
              "epochs of "
              "warm-up, or fp32",
              f->progress->epoch + 1, (unsigned long long)f->progress->step + 1, inner.text);
}

static struct net_target target_of(const struct fitting *f, const uint32_t *indices, size_t n)
{
  const struct fit_data *train = f->train;
  uint64_t epoch = (uint64_t)f->progress->epoch + 1;
  struct net_target target = {.labels = f->labels, .label_smoothing = f->options->label_smoothing};
  for (size_t i = 0; i < n; i++) f->labels[i] = train->labels[indices[i]];
  if (!train->mix) return target;
  for (size_t i = 0; i < n; i++) {
    f->others[i] = f->labels[i];
    f->shares[i] = train->mix(train->self, epoch, indices[i], &f->others[i]);
  }
  target.others = f->others;
  target.shares = f->shares;
  return target;
}

// One step with the images order[first ... first + n - 1].
static enum status train_batch(struct fitting *f, size_t first, size_t n, struct error *error)
{
  struct fit_progress *progress = f->progress;
  const uint32_t *indices = f->order + first;
  struct batch_view view = {f->train, (uint64_t)progress->epoch + 1, indices};
  struct net_input input = {&view, fetch_from_view};
  struct net_target target = target_of(f, indices, n);
  double loss = 0;
  enum status status = net_train(f->net, &input, &target, n, progress->step, &loss, f->logits, error);
  float lr = schedule_lr(&f->options->schedule, progress->step, f->steps);
  if (!status) status = optimizer_step(f->optimizer, progress->step + 1, lr, f->options->threads, error);
  if (status) return step_failed(f, status, error);
  progress->step++;
  progress->batches++;
  progress->loss_sum += loss * (double)n;
  for (size_t i = 0; i < n; i++)
    progress->correct += metrics_rank(f->logits + i * (size_t)f->classes, f->classes, f->labels[i]) == 1;
  return OK;
}

// The batches of the epoch in hand that are still to do, in the order that belongs to (seed, epoch).
static enum status train_epoch(struct fitting *f, struct error *error)
{
  struct fit_progress *progress = f->progress;
  uint64_t epoch = (uint64_t)progress->epoch + 1;
  size_t images = f->train->images, batch = (size_t)f->options->batch;
  for (size_t i = 0; i < images; i++) f->order[i] = (uint32_t)i;
  struct rng rng = rng_at(f->options->seed, RNG_SHUFFLE, epoch, 0);
  rng_shuffle(&rng, f->order, images);
  double before = progress->seconds, started = clock_seconds();
  while (progress->batches < f->steps) {
    if (stop_asked(f)) return stop_here(f, error);
    size_t first = progress->batches * batch, n = smaller(batch, images - first);
    expect(f->train, epoch, f->order + first + n, smaller(batch, images - first - n));
    enum status status = train_batch(f, first, n, error);
    if (status) return status;
    progress->seconds = before + clock_seconds() - started;
    if (f->callbacks->trained) f->callbacks->trained(f->callbacks->self, n);
    double wait = f->options->checkpoint_seconds;
    if (wait > 0 && clock_seconds() - f->checkpointed >= wait) {
      double paused = clock_seconds();
      if ((status = checkpoint(f, error))) return status;
      started += clock_seconds() - paused;
    }
  }
  return OK;
}

struct validation {
  struct fitting *fitting;
  double loss_sum;
  uint64_t correct;
};

static enum status validate_batch(void *self, size_t first, size_t n, const float *logits)
{
  struct validation *validation = self;
  struct fitting *f = validation->fitting;
  for (size_t i = 0; i < n; i++) {
    const float *row = logits + i * (size_t)f->classes;
    int label = f->validation->labels[first + i];
    validation->loss_sum += fit_cross_entropy(row, f->classes, label);
    validation->correct += metrics_rank(row, f->classes, label) == 1;
  }
  if (f->callbacks->validated) f->callbacks->validated(f->callbacks->self, n);
  return stop_asked(f) ? INTERRUPTED : OK;
}

static bool has_validation(const struct fitting *f)
{
  return f->validation && f->validation->images;
}

static enum status validation_failed(const struct epoch_figures *figures, struct error *error)
{
  if (!error) return FAILED;
  struct error inner = *error;
  return fail(error, FAILED, "the validation of epoch %d: %s; lower the learning rate", figures->epoch, inner.text);
}

// Fills the validation figures; INTERRUPTED after a stop, with a checkpoint that resumes at this validation.
static enum status validate(struct fitting *f, struct epoch_figures *figures, struct error *error)
{
  figures->val_loss = figures->val_accuracy = NAN;
  if (!has_validation(f)) return OK;
  struct validation sums = {.fitting = f};
  optimizer_swap_average(f->optimizer);
  enum status status = fit_predict(f->net, f->validation, (size_t)f->options->batch, validate_batch, &sums, error);
  optimizer_swap_average(f->optimizer);
  if (status == INTERRUPTED) return stop_here(f, error);
  if (status == FAILED) return validation_failed(figures, error);
  figures->val_loss = sums.loss_sum / (double)f->validation->images;
  figures->val_accuracy = (double)sums.correct / (double)f->validation->images;
  return status;
}

static bool is_best(const struct fitting *f, const struct epoch_figures *figures)
{
  const struct fit_progress *progress = f->progress;
  if (!has_validation(f) || !progress->best_epoch) return true;
  if (figures->val_accuracy != progress->best_val_accuracy) return figures->val_accuracy > progress->best_val_accuracy;
  return figures->val_loss < progress->best_val_loss;
}

static enum status finish_epoch(struct fitting *f, struct error *error)
{
  struct fit_progress *progress = f->progress;
  double started = clock_seconds(), images = (double)f->train->images;
  struct epoch_figures figures = {
      .epoch = progress->epoch + 1,
      .train_loss = progress->loss_sum / images,
      .train_accuracy = (double)progress->correct / images,
      .lr = schedule_lr(&f->options->schedule, progress->step - 1, f->steps),
      .images_per_second = progress->seconds > 0 ? images / progress->seconds : 0,
  };
  enum status status = check_weights(f, error);
  if (!status) status = validate(f, &figures, error);
  if (status) return status;
  figures.seconds = progress->seconds + clock_seconds() - started;
  bool best = is_best(f, &figures);
  if (best) {
    progress->best_epoch = figures.epoch;
    progress->best_val_accuracy = figures.val_accuracy;
    progress->best_val_loss = figures.val_loss;
  }
  progress->epoch++;
  progress->batches = 0;
  progress->loss_sum = progress->seconds = 0;
  progress->correct = 0;
  status = f->callbacks->epoch(f->callbacks->self, &figures, best, progress, error);
  f->checkpointed = clock_seconds();
  return status;
}

static bool patience_is_out(const struct fitting *f)
{
  int patience = f->options->patience;
  return patience > 0 && has_validation(f) && f->progress->best_epoch > 0 &&
         f->progress->epoch - f->progress->best_epoch >= patience;
}

static enum status check_labels(const struct fit_data *data, const char *what, int classes, struct error *error)
{
  for (size_t i = 0; i < data->images; i++)
    if (data->labels[i] < 0 || data->labels[i] >= classes)
      return fail(error, BAD_DATA, "%s image %zu has label %d; the net has %d classes", what, i, data->labels[i],
                  classes);
  return OK;
}

static enum status check_start(const struct fitting *f, struct error *error)
{
  if (!f->train->images || f->train->images > UINT32_MAX)
    return fail(error, BAD_DATA, "training needs 1 to %u images, not %zu", UINT32_MAX, f->train->images);
  if (f->progress->batches > f->steps)
    return fail(error, BAD_DATA, "the checkpoint is %zu batches into an epoch of %zu", f->progress->batches, f->steps);
  enum status status = check_labels(f->train, "training", f->classes, error);
  return status || !f->validation ? status : check_labels(f->validation, "validation", f->classes, error);
}

enum status fit(struct net *net, struct optimizer *optimizer, const struct fit_data *train,
                const struct fit_data *validation, const struct fit_options *options, struct fit_progress *progress,
                const struct fit_callbacks *callbacks, struct error *error)
{
  size_t batch = (size_t)options->batch;
  struct fitting f = {net, optimizer, train, validation, options, progress, callbacks, .classes = fit_classes(net)};
  f.steps = (train->images + batch - 1) / batch;
  f.checkpointed = clock_seconds();
  enum status status = check_start(&f, error);
  if (!status) status = mem_zeroed((void **)&f.order, train->images, sizeof *f.order, "the order of images", error);
  if (!status) status = mem_zeroed((void **)&f.labels, batch, sizeof *f.labels, "labels of a batch", error);
  if (!status) status = mem_zeroed((void **)&f.others, batch, sizeof *f.others, "labels of a batch", error);
  if (!status) status = mem_zeroed((void **)&f.shares, batch, sizeof *f.shares, "shares of a batch", error);
  if (!status) status = mem_aligned((void **)&f.logits, batch * (size_t)f.classes, sizeof *f.logits, "logits", error);
  while (!status && progress->epoch < options->epochs && !patience_is_out(&f)) {
    status = train_epoch(&f, error);
    if (!status) status = finish_epoch(&f, error);
  }
  free(f.order);
  free(f.labels);
  free(f.others);
  free(f.shares);
  free(f.logits);
  return status;
}
