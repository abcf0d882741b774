// Decoding, resizing and augmentation against OpenCV's imdecode and resize, on the files of a folder:
//
//   build/bench/image_bench FOLDER [--size 100] [--files 256] [--rounds 9]
//
// Files are read first and spread over the folder's classes. Ours and the peer's take turns (A/B/A/B) on the same files
// in the same run; a figure is the median of the rounds, in microseconds an image. Without OpenCV's decoder at build
// time (libopencv-imgcodecs-dev) only ours is measured.
#include <omp.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <turbojpeg.h>

#include "core/progress.h"
#include "data/scan.h"
#include "image/augment.h"
#include "image/codec.h"
#include "image/resize.h"
#include "median.h"
#ifdef HAVE_PEER
#include "image_peer.h"
#endif

enum { ROUND_LIMIT = 101, THREAD_LIMIT = 256 };

struct file {
  uint8_t *bytes;
  size_t size;
};

struct bench {
  struct file *files;
  size_t count;
  int size, rounds;
  struct decoder *decoders[THREAD_LIMIT];
  tjhandle handles[THREAD_LIMIT];
  struct image decoded[THREAD_LIMIT], resized[THREAD_LIMIT];
  uint8_t *peer[THREAD_LIMIT]; // [size, size, 3]
};

static void give_up(const char *what)
{
  fprintf(stderr, "image_bench: %s\n", what);
  exit(1);
}

static void check(enum status status, const struct error *error)
{
  if (status) give_up(error->text);
}

static bool read_whole(const char *root, const char *path, struct file *file)
{
  char name[PATH_LIMIT];
  struct stat about;
  if (path_join(name, root, path, NULL)) return false;
  FILE *stream = fopen(name, "rb");
  if (!stream) return false;
  bool good = !fstat(fileno(stream), &about) && about.st_size > 0 && about.st_size < DECODE_FILE_LIMIT;
  file->size = good ? (size_t)about.st_size : 0;
  file->bytes = malloc(file->size + 1);
  good = good && file->bytes && fread(file->bytes, 1, file->size, stream) == file->size;
  (void)fclose(stream);
  if (!good) free(file->bytes);
  return good;
}

// Files evenly spread over the folder; those that are no whole image are left out.
static void read_files(struct bench *bench, const char *root, size_t limit)
{
  struct scan scan;
  struct error error = {0};
  check(scan_folder(&scan, root, &error), &error);
  bench->files = calloc(limit, sizeof *bench->files);
  if (!bench->files) give_up("out of memory");
  size_t step = scan.count > limit ? scan.count / limit : 1;
  for (size_t i = 0; i < scan.count && bench->count < limit; i += step) {
    struct file *file = &bench->files[bench->count];
    enum image_format format;
    if (scan.files[i].not_a_file || !read_whole(root, scan.files[i].path, file)) continue;
    if (!decode(bench->decoders[0], file->bytes, file->size, &bench->decoded[0], &format, NULL))
      bench->count++;
    else
      free(file->bytes);
  }
  scan_release(&scan);
  if (!bench->count) give_up("no image in the folder");
  printf("%zu files of %s, the last %dx%d\n", bench->count, root, bench->decoded[0].width, bench->decoded[0].height);
}

// --- what is measured ----------------------------------------------------------------------------------------------

typedef void work(struct bench *bench, const struct file *file, int thread);

static void decode_whole(struct bench *bench, const struct file *file, int thread)
{
  enum image_format format;
  struct error error = {0};
  check(decode(bench->decoders[thread], file->bytes, file->size, &bench->decoded[thread], &format, &error), &error);
}

static void decode_and_resize(struct bench *bench, const struct file *file, int thread)
{
  enum image_format format;
  struct error error = {0};
  struct image *decoded = &bench->decoded[thread];
  check(decode_reduced(bench->decoders[thread], file->bytes, file->size, resize_least_side(bench->size, FILTER_AREA),
                       decoded, &format, &error),
        &error);
  check(resize_image(decoded, bench->size, FIT_STRETCH, FILTER_AREA, &bench->resized[thread], &error), &error);
}

// What decoding costs at least with the library that the peer uses too: no limits, no EXIF, a buffer that is there.
static void library_alone(struct bench *bench, const struct file *file, int thread)
{
  struct image *decoded = &bench->decoded[thread];
  int width, height, sampling, colours;
  struct error error = {0};
  if (tjDecompressHeader3(bench->handles[thread], file->bytes, file->size, &width, &height, &sampling, &colours))
    return; // no JPEG
  check(image_reshape(decoded, width, height, &error), &error);
  if (tjDecompress2(bench->handles[thread], file->bytes, file->size, decoded->pixels, width, 0, height, TJPF_RGB,
                    TJFLAG_ACCURATEDCT))
    give_up(tjGetErrorStr2(bench->handles[thread]));
}

static void decode_whole_and_resize(struct bench *bench, const struct file *file, int thread)
{
  struct error error = {0};
  decode_whole(bench, file, thread);
  check(resize_image(&bench->decoded[thread], bench->size, FIT_STRETCH, FILTER_AREA, &bench->resized[thread], &error),
        &error);
}

#ifdef HAVE_PEER
static void peer_decodes(struct bench *bench, const struct file *file, int thread)
{
  if (!image_peer(file->bytes, file->size, 0, bench->peer[thread])) give_up("the peer cannot decode a file");
}

static void peer_decodes_and_resizes(struct bench *bench, const struct file *file, int thread)
{
  if (!image_peer(file->bytes, file->size, bench->size, bench->peer[thread])) give_up("the peer cannot resize a file");
}
#endif

static void augments(struct bench *bench, const struct file *file, int thread, float noise)
{
  struct augment_recipe recipe = {.rotate = 10,
                                  .translate = 0.1f,
                                  .zoom = 0.1f,
                                  .shear = 5,
                                  .brightness = 0.2f,
                                  .contrast = 0.2f,
                                  .saturation = 0.2f,
                                  .noise = noise};
  struct augment_parameters drawn = augment_draw(&recipe, 1, (uint64_t)(file - bench->files), 1);
  augment_apply(&drawn, bench->resized[thread].pixels, NULL, bench->size, bench->size, bench->peer[thread]);
}

static void augment_quietly(struct bench *bench, const struct file *file, int thread)
{
  augments(bench, file, thread, 0);
}

static void augment_with_noise(struct bench *bench, const struct file *file, int thread)
{
  augments(bench, file, thread, 8);
}

static const struct {
  const char *name;
  work *run;
} works[] = {
    {"decode", decode_whole},
    {"decode+resize", decode_and_resize},
    {"decode whole+resize", decode_whole_and_resize},
    {"TurboJPEG alone", library_alone},
#ifdef HAVE_PEER
    {"imdecode", peer_decodes},
    {"imdecode+resize", peer_decodes_and_resizes},
#endif
    {"augment", augment_quietly},
    {"augment with noise", augment_with_noise},
};
enum { WORKS = sizeof works / sizeof *works, DECODE = 0, DECODE_RESIZE = 1, PEER_DECODE = 4, PEER_RESIZE = 5 };

// Microseconds an image (of wall time, whatever the number of threads).
static double run_once(struct bench *bench, work *run, int threads)
{
  double start = clock_seconds();
#pragma omp parallel for num_threads(threads) schedule(dynamic, 4)
  for (size_t i = 0; i < bench->count; i++) run(bench, &bench->files[i], omp_get_thread_num());
  return (clock_seconds() - start) * 1e6 / (double)bench->count;
}

static void measure(struct bench *bench, int threads)
{
  double took[WORKS][ROUND_LIMIT], middle[WORKS];
  for (int round = -1; round < bench->rounds; round++) // the first is to get warm
    for (int w = 0; w < WORKS; w++) took[w][round < 0 ? 0 : round] = run_once(bench, works[w].run, threads);
  for (int w = 0; w < WORKS; w++) {
    middle[w] = median(took[w], (size_t)bench->rounds);
    printf("%d thread%s %-22s %8.1f us/image %9.0f images/s\n", threads, threads > 1 ? "s" : " ", works[w].name,
           middle[w], 1e6 / middle[w]);
  }
#ifdef HAVE_PEER
  printf("decode ratio %.2f (imdecode, %d threads)\n", middle[PEER_DECODE] / middle[DECODE], threads);
  printf("decode+resize ratio %.2f (imdecode + resize INTER_AREA, %d threads)\n",
         middle[PEER_RESIZE] / middle[DECODE_RESIZE], threads);
#endif
}

// --- what reduced decoding costs -----------------------------------------------------------------------------------

// Reduced decoding and our area filter against whole decoding and the same filter.
static void compare(struct bench *bench)
{
  double sum = 0;
  int largest = 0;
  size_t bytes = (size_t)bench->size * (size_t)bench->size * IMAGE_CHANNELS, beyond = 0;
  for (size_t i = 0; i < bench->count; i++) {
    decode_whole_and_resize(bench, &bench->files[i], 0);
    memcpy(bench->peer[0], bench->resized[0].pixels, bytes);
    decode_and_resize(bench, &bench->files[i], 0);
    for (size_t j = 0; j < bytes; j++) {
      int difference = abs(bench->peer[0][j] - bench->resized[0].pixels[j]);
      sum += difference;
      beyond += difference > 4;
      if (difference > largest) largest = difference;
    }
  }
  double samples = (double)bytes * (double)bench->count;
  printf("reduced decoding: mean difference %.3f levels, largest %d, beyond 4 levels %.3f %%\n", sum / samples, largest,
         100 * (double)beyond / samples);
}

static long number(const char *text, long low, long high)
{
  char *end;
  long value = strtol(text, &end, 10);
  if (*end || value < low || value > high) give_up("a number is out of its range");
  return value;
}

int main(int argc, char **argv)
{
  static struct bench bench = {.size = 100, .rounds = 9};
  struct error error = {0};
  const char *folder = NULL;
  long files = 256;
  for (int i = 1; i < argc; i++) {
    if (!strcmp(argv[i], "--size") && i + 1 < argc)
      bench.size = (int)number(argv[++i], 1, 1024);
    else if (!strcmp(argv[i], "--files") && i + 1 < argc)
      files = number(argv[++i], 1, 1000000);
    else if (!strcmp(argv[i], "--rounds") && i + 1 < argc)
      bench.rounds = (int)number(argv[++i], 1, ROUND_LIMIT);
    else if (!folder)
      folder = argv[i];
    else
      give_up("usage: image_bench FOLDER [--size 100] [--files 256] [--rounds 9]");
  }
  if (!folder) give_up("usage: image_bench FOLDER [--size 100] [--files 256] [--rounds 9]");
  int threads = omp_get_max_threads() < THREAD_LIMIT ? omp_get_max_threads() : THREAD_LIMIT;
  for (int t = 0; t < threads; t++) {
    check(decoder_new(&bench.decoders[t], &error), &error);
    if (!(bench.handles[t] = tjInitDecompress())) give_up("out of memory");
    check(image_init(&bench.resized[t], bench.size, bench.size, &error), &error);
    if (!(bench.peer[t] = malloc((size_t)bench.size * (size_t)bench.size * IMAGE_CHANNELS))) give_up("out of memory");
  }
  read_files(&bench, folder, (size_t)files);
  measure(&bench, 1);
  if (threads > 1) measure(&bench, threads);
  compare(&bench);
  for (int t = 0; t < threads; t++) {
    decoder_free(bench.decoders[t]);
    tjDestroy(bench.handles[t]);
    image_release(&bench.decoded[t]);
    image_release(&bench.resized[t]);
    free(bench.peer[t]);
  }
  for (size_t i = 0; i < bench.count; i++) free(bench.files[i].bytes);
  free(bench.files);
  return 0;
}
