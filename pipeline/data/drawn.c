#include "data/drawn.h"

#include <errno.h>
#include <fcntl.h>
#include <omp.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/mem.h"
#include "store/synth.h"

#define MARKER ".synth"

enum { BATCH = 512, MARKER_LIMIT = 4096 };

// --- the folder ------------------------------------------------------------------------------------------------------

static void marker_of(const struct drawn *drawn, char out[256])
{
  snprintf(out, 256, "rendered images: seed %llu, size %d, video %lu, variety %g, code %d\n",
           (unsigned long long)drawn->series.seed, drawn->side, (unsigned long)drawn->series.video,
           (double)drawn->series.variety, SYNTH_CODE);
}

// The number of an image's file: 17 of "A17.jpg" in the folder "A"; 0 if it is no such name.
static uint64_t number_of(const char *class, const char *name)
{
  char again[64];
  size_t length = strlen(class);
  if (strncmp(name, class, length) != 0 || name[length] < '1' || name[length] > '9') return 0;
  uint64_t number = strtoull(name + length, NULL, 10);
  snprintf(again, sizeof again, "%s%llu.jpg", class, (unsigned long long)number);
  return strcmp(again, name) == 0 ? number : 0;
}

static enum status stranger(const struct drawn *drawn, const char *what, struct error *error)
{
  return fail(error, BAD_USAGE,
              "%s holds %s, which no rendered dataset has: name a new or empty folder (--out, synth.out); "
              "nothing was changed",
              drawn->root, what);
}

static enum status check_class(const struct drawn *drawn, const char *class, struct error *error)
{
  char folder[PATH_LIMIT], what[PATH_LIMIT];
  struct listing listing;
  enum status status = path_join(folder, drawn->root, class, error);
  if (!status) status = publications_collect(folder, error);
  if (!status) status = folder_list(&listing, folder, error);
  if (status) return status;
  for (size_t i = 0; i < listing.count && !status; i++) {
    const struct entry *entry = &listing.entries[i];
    uint64_t number = entry->is_regular ? number_of(class, entry->name) : 0;
    bool ours = entry->is_regular && !strncmp(entry->name, ".publishing-", 12); // another process's
    if (!number && !ours) {
      snprintf(what, sizeof what, "%s/%.1000s", class, entry->name);
      status = stranger(drawn, what, error);
    } else if (number > drawn->per_class)
      status = fail(error, BAD_USAGE,
                    "%s holds more images than the %llu of each class that are asked for (%s/%.200s): ask for more "
                    "(--per-class, synth.per_class), or name another folder",
                    drawn->root, (unsigned long long)drawn->per_class, class, entry->name);
  }
  listing_release(&listing);
  return status;
}

static enum status check_marker(const struct drawn *drawn, bool empty, struct error *error)
{
  char path[PATH_LIMIT], wanted[256];
  uint8_t *text = NULL;
  size_t size = 0;
  marker_of(drawn, wanted);
  enum status status = path_join(path, drawn->root, MARKER, error);
  if (status) return status;
  if (access(path, F_OK) < 0) {
    if (!empty) return stranger(drawn, "files", error);
    struct publication file;
    status = publication_open(&file, path, error);
    if (!status && fputs(wanted, file.stream) == EOF) status = fail_errno(error, "cannot write %s", path);
    if (!status) status = publication_commit(&file, error);
    publication_discard(&file);
    return status;
  }
  status = file_read(&text, &size, path, MARKER_LIMIT, error);
  if (!status && (size != strlen(wanted) || memcmp(text, wanted, size) != 0))
    status = fail(error, BAD_USAGE,
                  "%s holds other images (%.*s); asked for are %.*s: name another folder (--out, synth.out) or remove "
                  "this one; nothing was changed",
                  drawn->root, (int)(size && text[size - 1] == '\n' ? size - 1 : size), (const char *)text,
                  (int)strlen(wanted) - 1, wanted);
  free(text);
  return status;
}

// Before anything is written: that nobody else's files are here.
static enum status check_folder(const struct drawn *drawn, struct error *error)
{
  struct listing listing;
  size_t others = 0;
  enum status status = folder_make(drawn->root, error);
  if (!status) status = publications_collect(drawn->root, error);
  if (!status) status = folder_list(&listing, drawn->root, error);
  if (status) return status;
  for (size_t i = 0; i < listing.count && !status; i++) {
    const struct entry *entry = &listing.entries[i];
    char what[256];
    if (!strcmp(entry->name, MARKER)) continue;
    others++;
    snprintf(what, sizeof what, "%.200s", entry->name);
    if (!entry->is_folder || hand_class_of_name(entry->name) < 0)
      status = stranger(drawn, what, error);
    else
      status = check_class(drawn, entry->name, error);
  }
  listing_release(&listing);
  return status ? status : check_marker(drawn, others == 0, error);
}

static enum status make_classes(const struct drawn *drawn, struct error *error)
{
  enum status status = OK;
  for (int class = 0; class < HAND_CLASSES && !status; class ++) {
    char folder[PATH_LIMIT];
    status = path_join(folder, drawn->root, hand_class_name(class), error);
    if (!status) status = folder_make(folder, error);
  }
  return status;
}

enum status drawn_path(const struct drawn *drawn, int class, uint64_t number, char out[PATH_LIMIT], struct error *error)
{
  char name[96];
  snprintf(name, sizeof name, "%s/%s%llu.jpg", hand_class_name(class), hand_class_name(class),
           (unsigned long long)number);
  return path_join(out, drawn->root, name, error);
}

// --- what is there
// -----------------------------------------------------------------------------------------------------

// Images in the order in which they are drawn: all classes' first, then all classes' second, ...: whatever is there
// after an interruption is a balanced dataset.
struct known {
  uint64_t count;
  bool *there; // of each image; from here on a file that has its row's digest
  char (*sha256)[DIGEST_TEXT];
  uint64_t *bytes;
};

static void known_release(struct known *known)
{
  free(known->there);
  free(known->sha256);
  free(known->bytes);
}

static void remember(void *self, const struct synth_image *image)
{
  struct known *known = self;
  int class = hand_class_of_name(image->class);
  if (class < 0 || !image->number || image->number > known->count / HAND_CLASSES) return;
  size_t at = (size_t)((image->number - 1) * HAND_CLASSES) + (size_t) class;
  known->there[at] = true;
  known->bytes[at] = image->bytes;
  memcpy(known->sha256[at], image->sha256, DIGEST_TEXT);
}

// Whether the file is what its row says. Any trouble with it is a reason to draw it again.
static bool is_whole(const struct drawn *drawn, const struct known *known, uint64_t at)
{
  char path[PATH_LIMIT], sha256[DIGEST_TEXT];
  struct stat info;
  uint64_t size = 0;
  if (drawn_path(drawn, (int)(at % HAND_CLASSES), at / HAND_CLASSES + 1, path, NULL)) return false;
  if (lstat(path, &info) < 0 || !S_ISREG(info.st_mode) || (uint64_t)info.st_size != known->bytes[at]) return false;
  return digest_of_file(sha256, &size, path, NULL) == OK && strcmp(sha256, known->sha256[at]) == 0;
}

static enum status look(struct stage *stage, const struct drawn *drawn, int64_t synth, struct known *known,
                        uint64_t *missing, struct error *error)
{
  void *there = NULL, *sha256 = NULL, *bytes = NULL;
  *known = (struct known){.count = drawn->per_class * HAND_CLASSES};
  enum status status = mem_zeroed(&there, known->count, sizeof *known->there, "the images' states", error);
  known->there = there;
  if (!status) status = mem_zeroed(&sha256, known->count, sizeof *known->sha256, "the images' digests", error);
  known->sha256 = sha256;
  if (!status) status = mem_zeroed(&bytes, known->count, sizeof *known->bytes, "the images' sizes", error);
  known->bytes = bytes;
  if (!status) status = synth_images_read(stage_db(stage), synth, known, remember, error);
  if (status) return status;
  uint64_t lacking = 0;
#pragma omp parallel for schedule(dynamic, 64) num_threads(stage_threads(stage)) reduction(+ : lacking)
  for (uint64_t at = 0; at < known->count; at++) {
    if (known->there[at] && !stage_interrupted(stage)) known->there[at] = is_whole(drawn, known, at);
    lacking += !known->there[at];
  }
  *missing = lacking;
  return stage_interrupted(stage) ? fail(error, INTERRUPTED, "stopped while the files were compared") : OK;
}

// --- drawing
// -----------------------------------------------------------------------------------------------------------

struct artist { // one thread's
  struct renderer *renderer;
  struct image image;
};

struct work {
  struct stage *stage;
  const struct drawn *drawn;
  struct progress *progress;
  int64_t synth;
  struct artist *artists;
  atomic_bool stop;
  uint64_t places[BATCH];
  bool made[BATCH];
  struct synth_image rows[BATCH];
  char (*texts)[FRAME_TEXT];
};

// Not publication_commit: see the head of drawn.h.
static enum status write_file(const char *path, const uint8_t *bytes, size_t size, struct error *error)
{
  struct publication file;
  enum status status = publication_open(&file, path, error);
  if (!status) status = file_write_all(file.fd, bytes, size, path, error);
  if (!status) status = publication_commit_unsynced(&file, error);
  publication_discard(&file);
  return status;
}

static enum status draw_one(struct work *work, struct artist *artist, int i, struct error *error)
{
  const struct drawn *drawn = work->drawn;
  int class = (int)(work->places[i] % HAND_CLASSES);
  uint64_t index = work->places[i] / HAND_CLASSES;
  struct synth_image *row = &work->rows[i];
  struct frame frame;
  char path[PATH_LIMIT];
  uint8_t *bytes = NULL;
  size_t size = 0;
  frame_make(&frame, &drawn->series, class, index);
  enum status status = frame_draw(artist->renderer, &frame, &artist->image, error);
  if (!status) status = frame_encode(&frame, &artist->image, &bytes, &size, error);
  if (!status) status = drawn_path(drawn, class, index + 1, path, error);
  if (!status) status = write_file(path, bytes, size, error);
  *row = (struct synth_image){
      .class = hand_class_name(class), .parameters = work->texts[i], .number = index + 1, .bytes = size};
  if (!status) status = digest_of(row->sha256, bytes, size, error);
  frame_describe(&frame, work->texts[i], FRAME_TEXT);
  free(bytes);
  return status;
}

static enum status draw_batch(struct work *work, int count, struct error *error)
{
  enum status first = OK;
#pragma omp parallel for schedule(dynamic, 1) num_threads(stage_threads(work->stage))
  for (int i = 0; i < count; i++) {
    struct error own;
    work->made[i] = false;
    if (work->stop || stage_interrupted(work->stage)) continue;
    enum status status = draw_one(work, &work->artists[omp_get_thread_num()], i, &own);
    work->made[i] = !status;
    if (!status) progress_add(work->progress, 1);
    if (!status) continue;
#pragma omp critical(drawn_failure)
    if (!first) first = fail(error, status, "%s", own.text);
    work->stop = true; // a full disk is full for all that follow
  }
  return first;
}

// Records what was drawn, also where others failed.
static enum status record_batch(struct work *work, int count, uint64_t *made, struct error *error)
{
  size_t kept = 0;
  for (int i = 0; i < count; i++)
    if (work->made[i]) work->rows[kept++] = work->rows[i];
  enum status status = kept ? synth_images_write(stage_db(work->stage), work->synth, work->rows, kept, error) : OK;
  if (!status) *made += kept;
  return status;
}

static enum status draw_all(struct work *work, const struct known *known, uint64_t *made, struct error *error)
{
  enum status status = OK;
  for (uint64_t at = 0; at < known->count && !status;) {
    int count = 0;
    for (; at < known->count && count < BATCH; at++)
      if (!known->there[at]) work->places[count++] = at;
    struct error unwritten;
    status = draw_batch(work, count, error);
    enum status recorded = record_batch(work, count, made, &unwritten);
    if (!status && recorded) status = fail(error, recorded, "%s", unwritten.text);
    if (!status && stage_interrupted(work->stage)) status = INTERRUPTED;
  }
  return status;
}

static enum status draw_missing(struct stage *stage, const struct drawn *drawn, int64_t synth,
                                const struct known *known, uint64_t missing, uint64_t *made, struct error *error)
{
  void *artists = NULL, *texts = NULL, *memory = NULL;
  int threads = stage_threads(stage);
  enum status status = mem_zeroed(&memory, 1, sizeof(struct work), "a batch of images", error);
  if (status) return status;
  struct work *work = memory;
  *work = (struct work){.stage = stage, .drawn = drawn, .synth = synth};
  status = mem_zeroed(&artists, (size_t)threads, sizeof *work->artists, "the threads' renderers", error);
  work->artists = artists;
  if (!status) status = mem_zeroed(&texts, BATCH, sizeof *work->texts, "a batch of parameters", error);
  work->texts = texts;
  for (int t = 0; t < threads && !status; t++) status = renderer_new(&work->artists[t].renderer, drawn->side, error);
  double started = clock_seconds();
  if (!status) {
    work->progress = stage_progress(stage, "images", missing);
    status = draw_all(work, known, made, error);
    stage_count(stage, *made, clock_seconds() - started);
  }
  for (int t = 0; work->artists && t < threads; t++) {
    renderer_free(work->artists[t].renderer);
    image_release(&work->artists[t].image);
  }
  free(work->artists);
  free(work->texts);
  free(work);
  return status;
}

static void say_why(struct stage *stage, uint64_t missing, uint64_t all, uint64_t known)
{
  char why[160], some[STAGE_NUMBER_LIMIT], total[STAGE_NUMBER_LIMIT];
  stage_number(missing, some);
  stage_number(all, total);
  if (known)
    snprintf(why, sizeof why, "%s of %s images are missing or changed", some, total);
  else
    snprintf(why, sizeof why, "the folder is new to the manifest: %s images", total);
  stage_runs_for(stage, why);
}

enum status drawn_update(struct stage *stage, const struct drawn *drawn, uint64_t *made, struct error *error)
{
  struct known known = {0};
  uint64_t missing = 0;
  struct synth_row row = {.seed = drawn->series.seed,
                          .side = drawn->side,
                          .code = SYNTH_CODE,
                          .video = drawn->series.video,
                          .variety = (double)drawn->series.variety};
  *made = 0;
  enum status status = check_folder(drawn, error);
  if (!status) status = make_classes(drawn, error);
  if (!status) status = synth_open(stage_db(stage), drawn->root, &row, error);
  if (!status) status = look(stage, drawn, row.id, &known, &missing, error);
  if (!status && missing) {
    say_why(stage, missing, known.count, known.count - missing);
    status = draw_missing(stage, drawn, row.id, &known, missing, made, error);
  }
  known_release(&known);
  return status;
}
