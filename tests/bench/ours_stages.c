// Rates of what happens to a picture before the network sees it: decode, resize, augment; and of drawing one.
#include <omp.h>
#include <stdio.h>
#include <stdlib.h>

#include "core/mem.h"
#include "core/progress.h"
#include "image/augment.h"
#include "image/codec.h"
#include "image/resize.h"
#include "ours.h"
#include "synth/frame.h"

enum { SOURCE_SIDE = 200, PICTURES = 32 };

struct pictures {
  struct image images[PICTURES], small[PICTURES]; // small: resized
  uint8_t *files[PICTURES];
  size_t sizes[PICTURES];
};

// One thread's tools and results.
struct bench_worker {
  struct decoder *decoder;
  struct renderer *renderer;
  struct image decoded, resized, augmented;
  const struct augment_recipe *recipe;
  uint64_t drawn;
  struct error error;
};

typedef enum status work_on(struct bench_worker *worker, const struct pictures *pictures, size_t index);

static enum status work_decode(struct bench_worker *worker, const struct pictures *pictures, size_t index)
{
  enum image_format format;
  return decode(worker->decoder, pictures->files[index], pictures->sizes[index], &worker->decoded, &format,
                &worker->error);
}

static enum status work_resize(struct bench_worker *worker, const struct pictures *pictures, size_t index)
{
  return resize_image(&pictures->images[index], SIDE, FIT_STRETCH, FILTER_AREA, &worker->resized, &worker->error);
}

static enum status work_both(struct bench_worker *worker, const struct pictures *pictures, size_t index)
{
  enum status status = work_decode(worker, pictures, index);
  return status ? status
                : resize_image(&worker->decoded, SIDE, FIT_STRETCH, FILTER_AREA, &worker->resized, &worker->error);
}

// Of a resized picture.
static enum status work_augment(struct bench_worker *worker, const struct pictures *pictures, size_t index)
{
  struct augment_parameters parameters = augment_draw(worker->recipe, 0, index, ++worker->drawn);
  augment_apply(&parameters, pictures->small[index].pixels, NULL, SIDE, SIDE, worker->augmented.pixels);
  return OK;
}

// One image of stage synth, but for its file: parameters, hand, background, camera, JPEG.
static enum status work_render(struct bench_worker *worker, const struct pictures *pictures, size_t index)
{
  (void)pictures;
  struct frame frame;
  uint8_t *bytes = NULL;
  size_t size = 0;
  uint64_t number = (uint64_t)index + PICTURES * (uint64_t)omp_get_thread_num();
  frame_make(&frame, &(struct frame_series){.seed = 0, .video = 1, .variety = 1}, (int)(number % HAND_CLASSES), number);
  enum status status = frame_draw(worker->renderer, &frame, &worker->decoded, &worker->error);
  if (!status) status = frame_encode(&frame, &worker->decoded, &bytes, &size, &worker->error);
  free(bytes);
  return status;
}

static const struct {
  const char *name;
  work_on *work;
} stages[] = {{"stage decode 200x200 JPEG", work_decode},
              {"stage resize 200 to 100, area", work_resize},
              {"stage decode and resize", work_both},
              {"stage synth 200x200", work_render}};

// A smooth picture with some grain: it compresses as a photograph does (about 9 KB).
static enum status draw(struct pictures *pictures, int index, struct error *error)
{
  struct image *image = &pictures->images[index];
  enum status status = image_init(image, SOURCE_SIDE, SOURCE_SIDE, error);
  if (status) return status;
  size_t count = (size_t)SOURCE_SIDE * SOURCE_SIDE * 3;
  fill_noise(image->pixels, count, (uint64_t)index + 1);
  for (size_t i = 0; i < count; i++) {
    int x = (int)(i / 3 % SOURCE_SIDE) - 100, y = (int)(i / 3 / SOURCE_SIDE) - 100;
    int hand = x * x + y * y < 4000 + 100 * index ? 170 - (x + y) / 4 : 90 + y / 5;
    image->pixels[i] = (uint8_t)(hand + (int)(i % 3) * 10 + image->pixels[i] % 14);
  }
  status = resize_image(image, SIDE, FIT_STRETCH, FILTER_AREA, &pictures->small[index], error);
  return status ? status : encode_jpeg(image, 90, &pictures->files[index], &pictures->sizes[index], error);
}

static enum status work_in_turn(struct bench_worker *workers, const struct pictures *pictures, int threads,
                                double seconds, work_on *work, double *rate)
{
  uint64_t done = 0;
  double start = clock_seconds();
#pragma omp parallel num_threads(threads) reduction(+ : done)
  {
    struct bench_worker *worker = &workers[omp_get_thread_num()];
    for (size_t i = 0; clock_seconds() - start < seconds && !worker->error.status; i++, done++)
      work(worker, pictures, i % PICTURES);
  }
  *rate = (double)done / (clock_seconds() - start);
  for (int t = 0; t < threads; t++)
    if (workers[t].error.status) return workers[t].error.status;
  return OK;
}

static enum status workers_new(struct bench_worker **out, int threads, struct error *error)
{
  enum status status = mem_zeroed((void **)out, (size_t)threads, sizeof **out, "workers", error);
  for (int t = 0; !status && t < threads; t++) {
    status = decoder_new(&(*out)[t].decoder, error);
    if (!status) status = renderer_new(&(*out)[t].renderer, SOURCE_SIDE, error);
    if (!status) status = image_init(&(*out)[t].resized, SIDE, SIDE, error);
    if (!status) status = image_init(&(*out)[t].augmented, SIDE, SIDE, error);
  }
  return status;
}

enum status ours_stages(const struct ours *ours, struct error *error)
{
  struct pictures pictures = {0};
  struct bench_worker *workers = NULL;
  enum status status = workers_new(&workers, ours->threads, error);
  for (int i = 0; !status && i < PICTURES; i++) status = draw(&pictures, i, error);
  for (size_t s = 0; !status && s < sizeof stages / sizeof *stages; s++) {
    double rate;
    status = work_in_turn(workers, &pictures, ours->threads, ours->seconds, stages[s].work, &rate);
    if (!status) printf("row=%s|%.0f|images/s||\n", stages[s].name, rate);
  }
  for (size_t r = 0; !status && r < bench_recipe_count; r++) {
    double rate;
    for (int t = 0; t < ours->threads; t++) workers[t].recipe = &bench_recipes[r].recipe;
    status = work_in_turn(workers, &pictures, ours->threads, ours->seconds / 4, work_augment, &rate);
    if (!status) printf("row=stage augment 100x100, %s|%.0f|images/s||\n", bench_recipes[r].name, rate);
  }
  for (int t = 0; workers && t < ours->threads; t++) {
    if (workers[t].error.status) (void)fail(error, status, "%s", workers[t].error.text);
    decoder_free(workers[t].decoder);
    renderer_free(workers[t].renderer);
    image_release(&workers[t].decoded);
    image_release(&workers[t].resized);
    image_release(&workers[t].augmented);
  }
  free(workers);
  for (int i = 0; i < PICTURES; i++) {
    image_release(&pictures.images[i]);
    image_release(&pictures.small[i]);
    free(pictures.files[i]);
  }
  return status;
}
