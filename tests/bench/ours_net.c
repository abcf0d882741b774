// Training and inference of seed-cnn as a whole.
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/files.h"
#include "core/mem.h"
#include "core/rng.h"
#include "engine/fit/optimizer.h"
#include "image/augment.h"
#include "ours.h"
#include "store/tensorfile.h"

enum { ROWS = 1024 };

// Where images come from: ROWS of them, in a shuffled order, one batch after another.
struct feed {
  const uint8_t *pixels; // [ROWS, SIDE, SIDE, 3]
  void *memory;          // that holds them, or ...
  struct tensorfile *file;
  uint32_t order[ROWS];
  uint64_t step;
  size_t batch;
  const struct augment_recipe *recipe; // NULL: none
};

static void feed_fetch(void *self, size_t index, void *pixels)
{
  const struct feed *feed = self;
  uint64_t place = (feed->step * feed->batch + index);
  uint32_t row = feed->order[place % ROWS];
  const uint8_t *source = feed->pixels + (size_t)row * PIXELS;
  if (!feed->recipe) {
    memcpy(pixels, source, PIXELS);
    return;
  }
  struct augment_parameters parameters = augment_draw(feed->recipe, 0, row, place / ROWS);
  augment_apply(&parameters, source, NULL, SIDE, SIDE, pixels);
}

// Publishes a tensor file in a folder of its own, maps it, and removes its name.
static enum status feed_map(struct feed *feed, const uint8_t *pixels, struct error *error)
{
  char folder[] = "/tmp/bench-XXXXXX", path[PATH_LIMIT], sha256[DIGEST_TEXT];
  const struct tensor_info info = {"images", TENSOR_U8, 4, {ROWS, SIDE, SIDE, 3}};
  struct tensorfile_writer *writer = NULL;
  uint64_t bytes;
  if (!mkdtemp(folder)) return fail_errno(error, "cannot make %s", folder);
  enum status status = path_join(path, folder, "images.safetensors", error);
  if (!status) status = tensorfile_create(&writer, path, &info, 1, NULL, 0, error);
  if (!status) status = tensorfile_write(writer, 0, 0, pixels, (size_t)ROWS * PIXELS, error);
  if (!status) status = tensorfile_publish(writer, &bytes, sha256, error);
  if (!status) status = tensorfile_open(&feed->file, path, error);
  if (!status) feed->pixels = tensorfile_data(feed->file, 0);
  tensorfile_discard(writer);
  (void)unlink(path); // where there is none there is nothing to remove
  (void)rmdir(folder);
  return status;
}

// Every row as its first epoch would see it. A step's own time depends on what is in the images (backward visits the
// pools' winners): only the same kind of images tells what augmenting them costs.
static enum status feed_augment(uint8_t *rows, const struct augment_recipe *recipe, struct error *error)
{
  void *source = NULL;
  enum status status = mem_aligned(&source, PIXELS, 1, "an image", error);
  if (status) return status;
  for (size_t row = 0; row < ROWS; row++) {
    struct augment_parameters parameters = augment_draw(recipe, 0, row, 0);
    memcpy(source, rows + row * PIXELS, PIXELS);
    augment_apply(&parameters, source, NULL, SIDE, SIDE, rows + row * PIXELS);
  }
  free(source);
  return OK;
}

static enum status feed_open(struct feed *feed, const struct ours *ours, bool mapped, struct error *error)
{
  enum status status = mem_aligned(&feed->memory, ROWS, PIXELS, "images", error);
  if (status) return status;
  fill_noise(feed->memory, (size_t)ROWS * PIXELS, 0);
  struct rng rng = rng_at(1, RNG_SHUFFLE, 0, 0);
  for (uint32_t i = 0; i < ROWS; i++) feed->order[i] = i;
  rng_shuffle(&rng, feed->order, ROWS);
  feed->batch = (size_t)ours->batch;
  feed->recipe = mapped ? ours->augment : NULL;
  feed->pixels = feed->memory;
  if (!mapped) return ours->augment ? feed_augment(feed->memory, ours->augment, error) : OK;
  status = feed_map(feed, feed->memory, error);
  free(feed->memory);
  feed->memory = NULL;
  return status;
}

static void feed_close(struct feed *feed)
{
  tensorfile_close(feed->file);
  free(feed->memory);
}

struct job {
  const struct ours *ours;
  struct net *net;
  struct optimizer *optimizer; // NULL: inference
  struct feed *feed;
  int32_t *labels;
  float *logits;
};

static enum status job_step(void *self, uint64_t step, struct error *error)
{
  struct job *job = self;
  size_t batch = (size_t)job->ours->batch;
  struct net_input input = {job->feed, feed_fetch};
  job->feed->step = step;
  if (!job->optimizer) return net_infer(job->net, &input, batch, job->logits, error);
  struct net_target target = {.labels = job->labels};
  double loss;
  enum status status = net_train(job->net, &input, &target, batch, step, &loss, NULL, error);
  return status ? status : optimizer_step(job->optimizer, step, 1e-4f, job->ours->threads, error);
}

static enum status measure(const struct ours *ours, bool training, struct error *error)
{
  static const struct optimizer_options adam = {
      .kind = OPTIMIZER_ADAM, .beta1 = 0.9f, .beta2 = 0.999f, .epsilon = 1e-7f};
  struct feed feed = {0};
  struct job job = {.ours = ours, .feed = &feed};
  size_t batch = (size_t)ours->batch;
  enum status status = feed_open(&feed, ours, training && !ours->memory, error);
  if (!status) status = ours_net(ours, training, &job.net, error);
  if (!status && training) status = optimizer_new(&job.optimizer, job.net, &adam, error);
  if (!status) status = mem_zeroed((void **)&job.labels, batch, sizeof *job.labels, "labels", error);
  if (!status) status = mem_zeroed((void **)&job.logits, batch * CLASSES, sizeof *job.logits, "logits", error);
  for (size_t i = 0; !status && i < batch; i++) job.labels[i] = (int32_t)(i % CLASSES);
  if (!status) status = ours_time(ours, job_step, &job, error);
  free(job.logits);
  free(job.labels);
  optimizer_free(job.optimizer);
  net_free(job.net);
  feed_close(&feed);
  return status;
}

enum status ours_train(const struct ours *ours, struct error *error)
{
  return measure(ours, true, error);
}

enum status ours_infer(const struct ours *ours, struct error *error)
{
  return measure(ours, false, error);
}
