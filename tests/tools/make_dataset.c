// Draws a small dataset for tests: class folders of JPEGs whose classes a small network can tell apart, the same bytes
// for the same options.
//
//   build/tools/make_dataset DIR [--per-class 8] [--size 64] [--seed 0] [--classes 29]
//
// A class is a pattern: five discs around a centre, bright or dark as the bits of the class's number plus one. Place,
// size, colour and noise vary from image to image, as hands do.
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/files.h"
#include "core/rng.h"
#include "image/codec.h"

enum { DISCS = 5, CLASS_LIMIT = 31, QUALITY = 90 };

struct options {
  const char *folder;
  long per_class, size, seed, classes;
};

// The names of Kaggle's set, in the order of their bytes; beyond those, numbers.
static void class_name(long class, char out[32])
{
  static const char *const words[] = {"del", "nothing", "space"};
  if (class < 26)
    snprintf(out, 32, "%c", (char)('A' + class));
  else if (class < 29)
    snprintf(out, 32, "%s", words[class - 26]);
  else
    snprintf(out, 32, "z%ld", class);
}

static uint8_t level(float value)
{
  return (uint8_t)(value < 0 ? 0 : value > 255 ? 255 : value);
}

struct scene {
  float center_x, center_y, radius, disc, background[3], bright[3], dark[3];
};

static struct scene scene_of(struct rng *rng, float size)
{
  struct scene scene = {
      .center_x = size * rng_uniform(rng, 0.45f, 0.55f),
      .center_y = size * rng_uniform(rng, 0.45f, 0.55f),
      .radius = size * rng_uniform(rng, 0.26f, 0.31f),
      .disc = size * rng_uniform(rng, 0.11f, 0.14f),
  };
  for (int c = 0; c < 3; c++) {
    scene.background[c] = rng_uniform(rng, 95, 135);
    scene.bright[c] = rng_uniform(rng, 200, 250);
    scene.dark[c] = rng_uniform(rng, 5, 55);
  }
  return scene;
}

// The colour at a point: of the disc that covers it, or of the background.
static const float *colour_at(const struct scene *scene, long class, float x, float y)
{
  for (int i = 0; i < DISCS; i++) {
    float angle = 6.2831853f * (float)i / DISCS;
    float dx = x - scene->center_x - scene->radius * sinf(angle),
          dy = y - scene->center_y + scene->radius * cosf(angle);
    if (dx * dx + dy * dy < scene->disc * scene->disc) return (class + 1) >> i & 1 ? scene->bright : scene->dark;
  }
  return scene->background;
}

static void draw(struct image *image, long class, struct rng *rng)
{
  struct scene scene = scene_of(rng, (float)image->width);
  uint8_t *pixel = image->pixels;
  for (int y = 0; y < image->height; y++) {
    for (int x = 0; x < image->width; x++, pixel += 3) {
      const float *colour = colour_at(&scene, class, (float)x, (float)y);
      for (int c = 0; c < 3; c++) pixel[c] = level(colour[c] + rng_uniform(rng, -8, 8));
    }
  }
}

// Not published: a test's files need not survive a power cut, and thousands of fsyncs take a minute.
static enum status write_image(const char *folder, const char *name, const struct image *image, struct error *error)
{
  char path[PATH_LIMIT];
  uint8_t *bytes = NULL;
  size_t size = 0;
  enum status status = path_join(path, folder, name, error);
  if (!status) status = encode_jpeg(image, QUALITY, &bytes, &size, error);
  int fd = status ? -1 : open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
  if (!status && fd < 0) status = fail_errno(error, "cannot create %s", path);
  if (!status) status = file_write_all(fd, bytes, size, path, error);
  if (fd >= 0 && close(fd) && !status) status = fail_errno(error, "cannot write %s", path);
  free(bytes);
  return status;
}

static enum status make_class(const struct options *options, long class, struct image *image, struct error *error)
{
  char name[32], file[96], folder[PATH_LIMIT];
  class_name(class, name);
  enum status status = path_join(folder, options->folder, name, error);
  if (!status) status = folder_make(folder, error);
  for (long i = 1; i <= options->per_class && !status; i++) {
    struct rng rng = rng_at((uint64_t)options->seed, RNG_TEST, (uint64_t) class, (uint64_t)i);
    draw(image, class, &rng);
    snprintf(file, sizeof file, "%s%ld.jpg", name, i);
    status = write_image(folder, file, image, error);
  }
  return status;
}

static bool read_number(const char *text, long low, long high, long *out)
{
  char *end = NULL;
  errno = 0;
  *out = strtol(text, &end, 10);
  return !errno && end != text && !*end && *out >= low && *out <= high;
}

static bool read_options(int argc, char **argv, struct options *options)
{
  *options = (struct options){.per_class = 8, .size = 64, .classes = 29};
  for (int i = 1; i < argc; i++) {
    const char *value = i + 1 < argc ? argv[i + 1] : "";
    bool good = true;
    if (!strcmp(argv[i], "--per-class"))
      good = read_number(value, 1, 100000, &options->per_class), i++;
    else if (!strcmp(argv[i], "--size"))
      good = read_number(value, 8, 1024, &options->size), i++;
    else if (!strcmp(argv[i], "--seed"))
      good = read_number(value, 0, 1L << 31, &options->seed), i++;
    else if (!strcmp(argv[i], "--classes"))
      good = read_number(value, 2, CLASS_LIMIT, &options->classes), i++;
    else if (argv[i][0] != '-' && !options->folder)
      options->folder = argv[i];
    else
      good = false;
    if (!good) return false;
  }
  return options->folder;
}

int main(int argc, char **argv)
{
  struct options options;
  struct error error = {0};
  struct image image;
  if (!read_options(argc, argv, &options)) {
    fprintf(stderr, "usage: make_dataset DIR [--per-class N] [--size PIXELS] [--seed N] [--classes 2..%d]\n",
            CLASS_LIMIT);
    return 2;
  }
  enum status status = image_init(&image, (int)options.size, (int)options.size, &error);
  for (long class = 0; class < options.classes && !status; class ++)
    status = make_class(&options, class, &image, &error);
  image_release(&image);
  if (status) fprintf(stderr, "make_dataset: %s\n", error.text);
  return status ? 1 : 0;
}
