// Makes a manifest as a finished pipeline leaves it, without running one: 29 classes, 2,030 predictions of two runs,
// drawn photographs, a resized tensor set. For tests of what only reads, and for looking at a report's pages.
//
//   make_manifest FOLDER            FOLDER must be there and empty
//   make_manifest FOLDER hostile    names that a shell, SQL or gnuplot would act on
//   make_manifest FOLDER bare       no epochs, no predictions
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "core/files.h"
#include "core/rng.h"
#include "image/codec.h"
#include "store/db.h"
#include "store/runs.h"
#include "store/tensorfile.h"
#include "store/tensors.h"

enum { CLASSES = 29, TRAIN = 20, VAL = 70, EACH = TRAIN + VAL, SIDE = 48, EPOCHS = 12, PIXELS = SIDE * SIDE * 3 };

static struct error error;

static void must(enum status status)
{
  if (status == OK) return;
  fprintf(stderr, "make_manifest: %s\n", error.text);
  exit(1);
}

static const char *class_name(int label, bool hostile)
{
  static const char *const plain[CLASSES] = {"A", "B", "C", "D", "E", "F", "G",   "H",       "I",    "J",
                                             "K", "L", "M", "N", "O", "P", "Q",   "R",       "S",    "T",
                                             "U", "V", "W", "X", "Y", "Z", "del", "nothing", "space"};
  static const char *const odd[] = {"`touch canary`",
                                    "$(touch canary)",
                                    "a\"b'c",
                                    "new\nline",
                                    "x_y^2 {z} @&~",
                                    "'; DROP TABLE run; --",
                                    "| touch canary",
                                    "< touch canary",
                                    "back\\slash\\n",
                                    "\xff\xfe bytes",
                                    "\xf0\x9f\x99\x82 smile",
                                    "#comment",
                                    "%s%n%d",
                                    "NaN",
                                    "tab\there",
                                    "system(\"touch canary\")"};
  // cppcheck-suppress arrayIndexOutOfBoundsCond // the caller's labels are below 29
  return hostile && label < (int)(sizeof odd / sizeof *odd) ? odd[label] : plain[label];
}

// A hand of sorts: a coloured disc whose place, size and colour depend on the class.
static void draw_picture(uint8_t *pixels, int side, int label, int frame)
{
  struct rng rng = rng_at(7, RNG_TEST, (uint64_t)label, (uint64_t)frame);
  float radius = (float)side * (0.2f + 0.01f * (float)(label % 10)) + rng_uniform(&rng, -2, 2);
  float x0 = (float)side / 2 + rng_uniform(&rng, -4, 4), y0 = (float)side * (0.35f + 0.01f * (float)label);
  for (int y = 0; y < side; y++)
    for (int x = 0; x < side; x++) {
      float distance = hypotf((float)x - x0, (float)y - y0);
      bool finger = abs(x - (int)x0 - (label % 5 - 2) * side / 10) < side / 16 && y < (int)y0;
      bool hand = distance < radius || finger;
      uint8_t *pixel = pixels + 3 * (y * side + x);
      pixel[0] = (uint8_t)(hand ? 225 - label * 2 : 60 + y * 60 / side);
      pixel[1] = (uint8_t)(hand ? 170 - label : 80 + x * 40 / side);
      pixel[2] = (uint8_t)(hand ? 140 : 90 + label * 2);
    }
}

static int64_t image_id(int label, int frame)
{
  return (int64_t)label * EACH + frame + 1;
}

static void write_picture(const char *folder, int label, int frame)
{
  char path[PATH_LIMIT];
  struct image image = {0};
  uint8_t *bytes = NULL;
  size_t size = 0;
  must(image_init(&image, 200, 200, &error));
  draw_picture(image.pixels, 200, label, frame);
  must(encode_jpeg(&image, 90, &bytes, &size, &error));
  char name[64];
  snprintf(name, sizeof name, "data/c%02d/%d.jpg", label, frame);
  must(path_join(path, folder, name, &error));
  FILE *file = fopen(path, "wb");
  if (!file || fwrite(bytes, 1, size, file) != size || fclose(file) != 0) exit(1);
  free(bytes);
  image_release(&image);
}

static void make_dataset(struct db *db, const char *folder, bool hostile)
{
  char root[PATH_LIMIT], text[PATH_LIMIT];
  must(path_join(root, folder, "data", &error));
  must(db_run(db, &error,
              "INSERT INTO dataset(id, name, root, fingerprint, images, quarantined) VALUES (1, ?, ?, 'f', ?, 2)",
              "tbi", hostile ? "`touch canary` 'hands'" : "hands", root, strlen(root), (int64_t)CLASSES * EACH));
  must(db_run(db, &error, "INSERT INTO split VALUES (1, 1, 's', '{}', 'random', 0, ?, ?, 0, 1.7e9, 5)", "ii",
              (int64_t)CLASSES * TRAIN, (int64_t)CLASSES * VAL));
  must(db_run(db, &error, "INSERT INTO split_dataset VALUES (1, 0, 1)", ""));
  for (int label = 0; label < CLASSES; label++) {
    must(db_run(db, &error, "INSERT INTO class VALUES (1, ?, ?)", "it", (int64_t)label, class_name(label, hostile)));
    must(db_run(db, &error, "INSERT INTO split_class VALUES (1, ?, ?)", "it", (int64_t)label,
                class_name(label, hostile)));
    char name[16];
    snprintf(name, sizeof name, "c%02d", label);
    must(path_join(text, root, name, &error));
    must(folder_make(text, &error));
    for (int frame = 0; frame < EACH; frame++) {
      char path[64], shown[160];
      snprintf(path, sizeof path, "c%02d/%d.jpg", label, frame);
      snprintf(shown, sizeof shown, "%s/%s%d.jpg", class_name(label, hostile), class_name(label, hostile), frame);
      must(db_run(
          db, &error,
          "INSERT INTO image(id, dataset, label, path, shown, status, format, width, height, bytes, sha256, frame, "
          "mtime_ns, inode) VALUES (?, 1, ?, ?, ?, 'ok', 'jpeg', 200, 200, 4000, 'x', ?, 0, 0)",
          "iibti", image_id(label, frame), (int64_t)label, path, strlen(path), shown, (int64_t)frame));
      must(db_run(db, &error, "INSERT INTO split_image (split, image, part) VALUES (1, ?, ?)", "it",
                  image_id(label, frame), frame < TRAIN ? "train" : "val"));
    }
  }
  for (int64_t i = 0; i < 2; i++) {
    char path[32];
    snprintf(path, sizeof path, "A/broken%d.jpg", (int)i);
    must(db_run(db, &error,
                "INSERT INTO image(dataset, path, shown, status, reason, bytes, mtime_ns, inode) VALUES (1, ?, ?, "
                "'quarantined', "
                "'truncated: Premature end of JPEG file', 10, 0, 0)",
                "bt", path, strlen(path), path));
  }
}

static void make_tensors(struct db *db, const char *folder)
{
  char path[PATH_LIMIT];
  struct tensor_set set = {.dataset = 1, .kind = "resized", .height = SIDE, .width = SIDE, .channels = 3};
  struct tensor_file file = {.rows = CLASSES * TRAIN};
  struct tensor_info info = {
      .name = "images", .dtype = TENSOR_U8, .rank = 4, .shape = {CLASSES * TRAIN, SIDE, SIDE, 3}};
  struct tensorfile_writer *writer = NULL;
  static struct tensor_row rows[CLASSES * TRAIN];
  static uint8_t pixels[PIXELS];
  must(path_join(path, folder, TENSOR_FOLDER, &error));
  must(folder_make(path, &error));
  tensor_file_name(file.path, "0123456789abcdef", 0);
  must(path_join(path, folder, file.path, &error));
  must(tensorfile_create(&writer, path, &info, 1, NULL, 0, &error));
  for (int row = 0; row < CLASSES * TRAIN; row++) {
    rows[row].image = image_id(row / TRAIN, row % TRAIN);
    draw_picture(pixels, SIDE, row / TRAIN, row % TRAIN);
    must(tensorfile_write(writer, 0, (uint64_t)row * PIXELS, pixels, PIXELS, &error));
  }
  must(tensorfile_publish(writer, &file.bytes, file.sha256, &error));
  tensorfile_discard(writer);
  must(tensor_set_begin(db, &set, "0123456789abcdef", "{}", &error));
  must(tensor_set_add_file(db, &set, &file, rows, &error));
  must(tensor_set_finish(db, &set, &error));
}

// Neighbours in a ring are what a network confuses most; the last class is never right and never guessed.
static int predict(struct rng *rng, int label, double skill)
{
  if (label == CLASSES - 1) return (int)rng_below(rng, CLASSES - 1);
  if (rng_uniform(rng, 0, 1) < skill) return label;
  if (rng_below(rng, 3)) return (label + 1) % (CLASSES - 1);
  return (int)rng_below(rng, CLASSES - 1);
}

static void make_predictions(struct db *db, const char *folder, int64_t run, double skill)
{
  static struct prediction_row rows[CLASSES * VAL];
  size_t count = 0, right = 0;
  for (int label = 0; label < CLASSES; label++)
    for (int frame = TRAIN; frame < EACH; frame++) {
      struct rng rng = rng_at((uint64_t)run, RNG_TEST, (uint64_t)label, (uint64_t)frame);
      int predicted = predict(&rng, label, skill);
      bool hit = predicted == label;
      double confidence = rng_uniform(&rng, 0.4f, 1.0f);
      right += hit;
      if (!hit) write_picture(folder, label, frame);
      rows[count++] = (struct prediction_row){.image = image_id(label, frame),
                                              .label = label,
                                              .predicted = predicted,
                                              .label_rank = hit ? 1 : 2 + (int)rng_below(&rng, 5),
                                              .confidence = confidence,
                                              .label_confidence = hit ? confidence : (1 - confidence) / 2,
                                              .loss = 1,
                                              .second = (predicted + 1) % CLASSES,
                                              .third = -1,
                                              .second_confidence = (1 - confidence) / 2};
    }
  double accuracy = (double)right / (double)count;
  struct metric_row metrics[] = {
      {.name = "accuracy", .value = accuracy, .low = accuracy - 0.02, .high = accuracy + 0.02, .images = count},
      {.name = "top3_accuracy",
       .value = accuracy + 0.05,
       .low = accuracy + 0.03,
       .high = accuracy + 0.07,
       .images = count},
      {.name = "macro_f1", .value = accuracy - 0.01, .low = NAN, .high = NAN, .images = count},
      {.name = "weighted_f1", .value = accuracy - 0.01, .low = NAN, .high = NAN, .images = count}};
  must(run_set_evaluation(db, run, "val", rows, count, metrics, sizeof metrics / sizeof *metrics, &error));
}

static void make_run(struct db *db, const char *folder, const char *name, double skill, bool bare)
{
  bool large = strcmp(name, "cnn") != 0; // the other run is of the other model
  static const char digest[] = "4355a46b19d348dc2f57c046f8ef63d4538ebb936000f3c9ee954a27460dd865";
  static const char config[] =
      "dataset:\n  train: [hands]\naugment:\n  mode: online\n  rotate: 12\n  zoom: 0.15\n  brightness: 0.3\n"
      "train:\n  epochs: 12\n  schedule: cosine\n  precision: bf16\nresize:\n  filter: lanczos\n";
  struct epoch_row epochs[EPOCHS];
  for (int i = 0; i < EPOCHS; i++) {
    double t = (i + 1.0) / EPOCHS;
    epochs[i] = (struct epoch_row){.epoch = i + 1,
                                   .train_loss = 3.4 * exp(-3 * t) + 0.05,
                                   .train_accuracy = 1 - exp(-3.4 * t),
                                   .val_loss = 3.4 * exp(-2.6 * t) + 0.25 + (i == EPOCHS - 1 ? 0.1 : 0),
                                   .val_accuracy = skill * (1 - exp(-3.2 * t)) - (i == EPOCHS - 1 ? 0.05 : 0),
                                   .lr = 0.0005 * (1 + cos(3.14159265 * i / EPOCHS)),
                                   .seconds = 9.5,
                                   .images_per_second = 143};
  }
  const int64_t tensor_set = 1;
  struct run_row row = {.name = name,
                        .key = name,
                        .parameters = "{\"code\":1,\"train.epochs\":12}",
                        .config = config,
                        .model = large ? "resnet50" : "seed-cnn",
                        .dataset = 1,
                        .split = 1,
                        .tensor_sets = &tensor_set,
                        .tensor_set_count = 1,
                        .precision = "bf16",
                        .isa = "avx512_core_bf16",
                        .host =
                            "A CPU of some name with many words in it @ 3.10 GHz, 2 CPUs, Linux 6.1.0-18-amd64 x86_64",
                        .versions = "{}",
                        .threads = 2,
                        .parameter_count = large ? 49285533 : 3232861,
                        .trainable_count = large ? 26752541 : 3232861,
                        .epochs_planned = EPOCHS};
  struct run_result result = {.best_epoch = EPOCHS - 1,
                              .best_val_accuracy = epochs[EPOCHS - 2].val_accuracy,
                              .weights_sha256 = digest,
                              .best_sha256 = digest,
                              .peak_memory = 612 << 20,
                              .stopped = "epochs"};
  int64_t id;
  must(run_insert(db, &row, &id, &error));
  if (bare) return;
  must(run_set_epochs(db, id, epochs, EPOCHS, &error));
  must(run_finish(db, id, &result, &error));
  make_predictions(db, folder, id, skill);
}

static void make_log(struct db *db, const char *dataset, const char *run)
{
  static const struct {
    const char *stage;
    bool of_run;
    int images;
    double seconds, rate;
    int mib;
  } done[] = {{"ingest", false, 2610, 1.2, 2175, 40},
              {"split", false, 2610, 0.1, 26100, 21},
              {"resize", false, 2610, 0.9, 2900, 64},
              {"train", true, 6960, 48.7, 143, 612},
              {"evaluate", true, 2030, 3.1, 655, 300}};
  for (size_t i = 0; i < sizeof done / sizeof *done; i++)
    must(db_run(
        db, &error,
        "INSERT INTO stage_log(stage, arguments, subject, state, images, seconds, images_per_second, peak_memory, "
        "threads, version, pid, started_at) VALUES (?, '[]', ?, 'done', ?, ?, ?, ?, 2, '0', 1, ?)",
        "ttirrir", done[i].stage, done[i].of_run ? run : dataset, (int64_t)done[i].images, done[i].seconds,
        done[i].rate, (int64_t)done[i].mib << 20, 1.7e9 + 100.0 * (double)i));
}

int main(int argc, char **argv)
{
  if (argc < 2) return fprintf(stderr, "usage: make_manifest FOLDER [hostile|bare]\n"), 2;
  bool hostile = argc > 2 && !strcmp(argv[2], "hostile"), bare = argc > 2 && !strcmp(argv[2], "bare");
  char path[PATH_LIMIT], folder[PATH_LIMIT];
  struct db *db = NULL;
  if (!realpath(argv[1], folder)) return perror(argv[1]), 1;
  must(path_join(path, folder, "manifest.db", &error));
  must(db_open(&db, path, DB_CREATE, &error));
  must(db_begin(db, &error));
  make_dataset(db, folder, hostile);
  must(db_commit(db, &error));
  make_tensors(db, folder);
  make_run(db, folder, "cnn", 0.85, bare);
  make_run(db, folder, "cnn-2", 0.7, bare);
  make_log(db, hostile ? "`touch canary` 'hands'" : "hands", "cnn");
  db_close(db);
  return 0;
}
