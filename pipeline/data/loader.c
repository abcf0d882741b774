#include "data/loader.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "core/digest.h"
#include "core/files.h"
#include "core/mem.h"
#include "core/rng.h"
#include "data/feature_rows.h"
#include "image/pixels.h"
#include "store/tensorfile.h"
#include "store/tensors.h"

enum { MIXUP_SIDE = 256 }; // an image on the stack
enum { FAULT_BLOCK = 64 << 10 };

struct shard {
  struct tensorfile *file;
  const uint8_t *pixels; // [rows, side, side, 3]
  uint64_t first_row, rows;
};

// A tensor set; its files are a run of the loader's shards.
struct source {
  struct tensor_set set;
  size_t first_shard, shard_count;
};

struct loader {
  struct source *sources; // [source_count]
  size_t source_count;
  int side;               // of its pictures
  struct tensor_set form; // kind, height, width, channels and dtype of the rows of all sets
  size_t row_bytes;
  size_t unpacked;      // numbers of a row of features that is kept as bytes; 0: rows are handed out as they are
  struct shard *shards; // of all sources
  size_t shard_count, shard_capacity;
  uint64_t bytes; // in all files
  bool release_pages;

  size_t images, copies; // copies: variants of each image in the set, at least 1
  int64_t *ids;          // [images]
  uint64_t *numbers;     // [images]
  int32_t *labels;       // [images]
  const uint8_t **rows;  // [images, copies]

  bool augmented;
  struct augment_recipe recipe;
  size_t *backdrops; // [backdrop_count]: images without a hand, to stand behind others
  size_t backdrop_count;
  uint64_t seed;
  float mixup;
};

// --- files -----------------------------------------------------------------------------------------------------------

static enum status say_remedy(const struct source *source, enum status status, struct error *error)
{
  if (status != BAD_DATA || !error) return status;
  struct error inner = *error;
  const char *kind = source->set.kind;
  const char *maker = !strcmp(kind, "augmented") ? "augment" : !strcmp(kind, "features") ? "features" : "resize";
  return fail(error, status, "%s; remove the file if it is there, and run build/stages/%s again", inner.text, maker);
}

static enum status open_shard(struct shard *shard, const struct tensor_set *form, const char *folder,
                              const struct tensor_file *file, bool verify, struct error *error)
{
  char path[PATH_LIMIT], sha256[DIGEST_TEXT] = "";
  uint64_t bytes;
  uint64_t shape[4] = {file->rows, (uint64_t)form->height, (uint64_t)form->width, (uint64_t)form->channels};
  const void *pixels = NULL;
  enum status status = tensor_file_check(folder, file, error);
  if (!status) status = path_join(path, folder, file->path, error);
  if (!status && verify) status = digest_of_file(sha256, &bytes, path, error);
  if (!status && verify && strcmp(sha256, file->sha256) != 0)
    status = fail(error, BAD_DATA, "%s has SHA-256 %.12s..., the manifest says %.12s...", path, sha256, file->sha256);
  if (!status) status = tensorfile_open(&shard->file, path, error);
  if (status) return status;
  status = tensorfile_find(shard->file, tensor_set_tensor(form), form->dtype, 4, shape, &pixels, error);
  if (status) return fail_within(error, "%s", path);
  *shard = (struct shard){shard->file, pixels, file->first_row, file->rows};
  return OK;
}

// Appends the files of one set to the shards.
static enum status open_files(struct loader *loader, struct source *source, struct db *db, const char *folder,
                              bool verify, struct error *error)
{
  struct tensor_file *files = NULL;
  size_t count = 0, first = loader->shard_count;
  enum status status = tensor_set_files(db, source->set.id, &files, &count, error);
  if (!status)
    status = mem_grow((void **)&loader->shards, &loader->shard_capacity, first + count + 1, sizeof *loader->shards,
                      "tensor files", error);
  source->first_shard = first;
  for (size_t i = 0; !status && i < count; i++) {
    struct shard *shard = &loader->shards[loader->shard_count++];
    *shard = (struct shard){.file = NULL};
    status = open_shard(shard, &loader->form, folder, &files[i], verify, error);
    if (status) status = say_remedy(source, status, error);
    source->shard_count++;
    loader->bytes += files[i].bytes;
  }
  free(files);
  return status;
}

// Whether the digests are to be compared: opening may take seconds, not minutes.
static enum status choose_verify(struct loader *loader, struct db *db, bool *verify, struct error *error)
{
  int64_t bytes = 0;
  uint64_t total = 0;
  enum status status = OK;
  for (size_t s = 0; !status && s < loader->source_count; s++) {
    status = db_integer(db, &bytes, NULL, error, "SELECT ifnull(sum(bytes), 0) FROM tensor_file WHERE tensor_set = ?",
                        "i", loader->sources[s].set.id);
    total += (uint64_t)bytes;
  }
  *verify = *verify && total <= LOADER_DIGEST_LIMIT;
  return status;
}

static enum status open_shards(struct loader *loader, struct db *db, const char *folder, bool verify,
                               struct error *error)
{
  enum status status = choose_verify(loader, db, &verify, error);
  for (size_t s = 0; !status && s < loader->source_count; s++)
    status = open_files(loader, &loader->sources[s], db, folder, verify, error);
  loader->release_pages = loader->bytes > LOADER_RESIDENT_LIMIT;
  return status;
}

// Where row `row` of the set is; NULL if no file has it. Files are in the order of their rows.
static const uint8_t *row_pixels(const struct loader *loader, const struct source *source, uint64_t row)
{
  size_t low = source->first_shard, high = low + source->shard_count;
  while (low < high) {
    size_t middle = (low + high) / 2;
    const struct shard *shard = &loader->shards[middle];
    if (row < shard->first_row)
      high = middle;
    else if (row - shard->first_row >= shard->rows)
      low = middle + 1;
    else
      return shard->pixels + (row - shard->first_row) * loader->row_bytes;
  }
  return NULL;
}

// --- rows ------------------------------------------------------------------------------------------------------------

// Images of the part with their rows in set ?1, by dataset, path (ids depend on the order in which files were found)
// and variant; an image without a row comes with NULL. Of several sets each has the rows of one dataset, ?4. Labels are
// the split's, by the name of the class.
static const char part_rows[] =
    "SELECT i.id, l.ordinal, r.row, i.sha256 FROM split_image s JOIN image i ON i.id = s.image"
    " JOIN split_dataset d ON d.split = s.split AND d.dataset = i.dataset"
    " LEFT JOIN class c ON c.dataset = i.dataset AND c.ordinal = i.label"
    " LEFT JOIN split_class l ON l.split = s.split AND l.name = c.name"
    " LEFT JOIN tensor_row r ON r.tensor_set = ?1 AND r.image = i.id"
    " WHERE s.split = ?2 AND s.part = ?3 AND i.status = 'ok' AND (?4 = 0 OR i.dataset = ?4)"
    " ORDER BY d.ordinal, i.path, r.variant";
// All rows of a set. Paths first, as in what older manifests hold of sets with rows of several datasets; an image's
// rows must follow each other, also where another dataset has the same path.
static const char all_rows[] =
    "SELECT i.id, l.ordinal, r.row, i.sha256 FROM tensor_row r JOIN image i ON i.id = r.image"
    " LEFT JOIN class c ON c.dataset = i.dataset AND c.ordinal = i.label"
    " LEFT JOIN split_class l ON l.split = ?2 AND l.name = c.name"
    " LEFT JOIN split_dataset d ON d.split = ?2 AND d.dataset = i.dataset"
    " WHERE r.tensor_set = ?1 AND ?3 IS NULL AND i.status = 'ok' AND (?4 = 0 OR i.dataset = ?4)"
    " ORDER BY i.path, d.ordinal, r.variant";

struct row_lists {
  size_t images, rows, id_capacity, number_capacity, label_capacity, row_capacity;
};

// The first 60 bits of the SHA-256.
static uint64_t number_of(const char *sha256)
{
  char digits[16];
  snprintf(digits, sizeof digits, "%s", sha256);
  return strtoull(digits, NULL, 16);
}

static enum status append_row(struct loader *loader, const struct source *source, bool labelled,
                              struct row_lists *lists, struct query *query, struct error *error)
{
  int64_t id = query_integer(query, 0);
  if (labelled && query_is_null(query, 1))
    return fail(error, BAD_DATA, "image %" PRId64 " has a class that its split has not: run split again", id);
  if (query_is_null(query, 2))
    return fail(error, BAD_DATA, "image %" PRId64 " has no row in the tensor set: run resize and augment again", id);
  const uint8_t *pixels = row_pixels(loader, source, (uint64_t)query_integer(query, 2));
  if (!pixels)
    return fail(error, BAD_DATA, "row %" PRId64 " of image %" PRId64 " is in no tensor file", query_integer(query, 2),
                id);
  enum status status = OK;
  if (!lists->images || loader->ids[lists->images - 1] != id) {
    size_t n = ++lists->images;
    status = mem_grow((void **)&loader->ids, &lists->id_capacity, n, sizeof *loader->ids, "image ids", error);
    if (!status)
      status = mem_grow((void **)&loader->labels, &lists->label_capacity, n, sizeof *loader->labels, "labels", error);
    if (!status)
      status = mem_grow((void **)&loader->numbers, &lists->number_capacity, n, sizeof *loader->numbers, "image numbers",
                        error);
    if (status) return status;
    loader->ids[n - 1] = id;
    loader->numbers[n - 1] = number_of(query_text(query, 3));
    loader->labels[n - 1] = query_is_null(query, 1) ? -1 : (int32_t)query_integer(query, 1);
  }
  status = mem_grow((void **)&loader->rows, &lists->row_capacity, ++lists->rows, sizeof *loader->rows, "rows", error);
  if (!status) loader->rows[lists->rows - 1] = pixels;
  return status;
}

static enum status find_source_rows(struct loader *loader, const struct source *source, struct row_lists *lists,
                                    struct db *db, const struct loader_options *options, struct error *error)
{
  struct query *query = NULL;
  int64_t dataset = loader->source_count > 1 ? source->set.dataset : 0;
  enum status status = query_open(&query, db, options->part ? part_rows : all_rows, error);
  if (!status) status = query_bind(query, error, "iiti", source->set.id, options->split, options->part, dataset);
  while (!status && query_next(query, &status, error))
    status = append_row(loader, source, options->part, lists, query, error);
  query_close(query);
  return status;
}

// No image of the part may be missing because its dataset is in none of the sets.
static enum status check_count(const struct loader *loader, struct db *db, const struct loader_options *options,
                               struct error *error)
{
  int64_t wanted = 0;
  if (!options->part) return OK;
  enum status status = db_integer(db, &wanted, NULL, error,
                                  "SELECT count(*) FROM split_image s JOIN image i ON i.id = s.image"
                                  " WHERE s.split = ? AND s.part = ? AND i.status = 'ok'",
                                  "it", options->split, options->part);
  if (status || wanted == (int64_t)loader->images) return status;
  return fail(error, BAD_DATA, "part %s has %" PRId64 " images, %zu of them in the tensor sets: run resize again",
              options->part, wanted, loader->images);
}

static enum status find_rows(struct loader *loader, struct db *db, const struct loader_options *options,
                             struct error *error)
{
  struct row_lists lists = {0};
  enum status status = OK;
  for (size_t s = 0; !status && s < loader->source_count; s++)
    status = find_source_rows(loader, &loader->sources[s], &lists, db, options, error);
  if (status) return status;
  loader->images = lists.images;
  loader->copies = lists.images ? lists.rows / lists.images : 1;
  if (loader->copies * lists.images != lists.rows)
    return fail(error, BAD_DATA,
                "the tensor sets have %zu rows for %zu images of part %s: not the same number for each", lists.rows,
                lists.images, options->part ? options->part : "all");
  return check_count(loader, db, options, error);
}

// --- opening ---------------------------------------------------------------------------------------------------------

static enum status find_source(struct loader *loader, struct source *source, struct db *db, int64_t id,
                               struct error *error)
{
  struct tensor_set *set = &source->set;
  bool found;
  enum status status = tensor_set_find(db, NULL, id, set, &found, error);
  if (status) return status;
  if (!found || !set->done)
    return fail(error, BAD_DATA, "tensor set %" PRId64 " is not done: run resize and augment first", id);
  bool features = !strcmp(set->kind, "features");
  if (!features && (set->height != set->width || set->channels != 3 || set->dtype != TENSOR_U8))
    return fail(error, BAD_DATA, "tensor set %" PRId64 " is %dx%dx%d, not square RGB", id, set->height, set->width,
                set->channels);
  if (loader->row_bytes && (loader->form.height != set->height || loader->form.channels != set->channels ||
                            loader->form.dtype != set->dtype))
    return fail(error, BAD_DATA, "tensor set %" PRId64 " has rows of %dx%dx%d, the one before it %dx%dx%d", id,
                set->height, set->width, set->channels, loader->form.height, loader->form.width, loader->form.channels);
  loader->form = *set;
  loader->side = features ? 0 : set->height;
  loader->row_bytes = tensor_set_row_bytes(set);
  if (!features || set->dtype != TENSOR_U8) return OK;
  loader->unpacked = feature_row_values(loader->row_bytes);
  return loader->unpacked ? OK
                          : fail(error, BAD_DATA, "tensor set %" PRId64 " has rows of %zu bytes, as no features have",
                                 id, loader->row_bytes);
}

static enum status find_sources(struct loader *loader, struct db *db, const struct loader_options *options,
                                struct error *error)
{
  size_t count = options->tensor_set_count;
  if (!count) return fail(error, BAD_DATA, "no tensor set to read images from");
  enum status status = mem_zeroed((void **)&loader->sources, count, sizeof *loader->sources, "tensor sets", error);
  for (size_t s = 0; !status && s < count; s++, loader->source_count++)
    status = find_source(loader, &loader->sources[s], db, options->tensor_sets[s], error);
  return status;
}

// The images of the class without a hand, where the recipe asks for photographs behind others.
static enum status find_backdrops(struct loader *loader, struct db *db, int64_t split, struct error *error)
{
  int64_t label = -1;
  bool found = false;
  if (!loader->augmented || loader->recipe.background <= 0 || loader->recipe.background_pictures <= 0) return OK;
  enum status status =
      db_integer(db, &label, &found, error, "SELECT ordinal FROM split_class WHERE split = ? AND name = ?", "it", split,
                 LOADER_BACKDROP_CLASS);
  if (status || !found) return status;
  status = mem_zeroed((void **)&loader->backdrops, loader->images + 1, sizeof *loader->backdrops, "backdrops", error);
  for (size_t i = 0; !status && i < loader->images; i++)
    if (loader->labels[i] == label) loader->backdrops[loader->backdrop_count++] = i;
  return status;
}

enum status loader_open(struct loader **out, struct db *db, const char *folder, const struct loader_options *options,
                        struct error *error)
{
  struct loader *loader = NULL;
  *out = NULL;
  enum status status = mem_zeroed((void **)&loader, 1, sizeof *loader, "the loader", error);
  if (!status) status = find_sources(loader, db, options, error);
  if (!status) status = open_shards(loader, db, folder, options->verify, error);
  if (!status) status = find_rows(loader, db, options, error);
  if (!status) {
    loader->augmented = loader->side && options->augment && !augment_recipe_is_off(options->augment);
    if (loader->augmented) loader->recipe = *options->augment;
    loader->seed = options->seed;
    loader->mixup = options->mixup;
    status = find_backdrops(loader, db, options->split, error);
    if (!status && loader->mixup > 0 && loader->side > MIXUP_SIDE)
      status = fail(error, BAD_USAGE, "mixup is for images of at most %d pixels, not %d", MIXUP_SIDE, loader->side);
  }
  if (status) {
    loader_close(loader);
    return status;
  }
  *out = loader;
  return OK;
}

void loader_close(struct loader *loader)
{
  if (!loader) return;
  for (size_t i = 0; loader->shards && i < loader->shard_count; i++) tensorfile_close(loader->shards[i].file);
  free(loader->shards);
  free(loader->sources);
  free(loader->ids);
  free(loader->numbers);
  free(loader->labels);
  free(loader->rows);
  free(loader->backdrops);
  free(loader);
}

size_t loader_images(const struct loader *loader)
{
  return loader->images;
}
size_t loader_copies(const struct loader *loader)
{
  return loader->copies;
}
int loader_size(const struct loader *loader)
{
  return loader->side;
}
const int32_t *loader_labels(const struct loader *loader)
{
  return loader->labels;
}
int64_t loader_image_id(const struct loader *loader, size_t index)
{
  return loader->ids[index];
}

uint64_t loader_image_number(const struct loader *loader, size_t index)
{
  return loader->numbers[index];
}

// --- fetching --------------------------------------------------------------------------------------------------------

static const uint8_t *source_of(const struct loader *loader, uint64_t epoch, size_t index)
{
  size_t copy = epoch ? (size_t)((epoch - 1) % loader->copies) : 0;
  return loader->rows[index * loader->copies + copy];
}

static const struct shard *shard_of(const struct loader *loader, const uint8_t *row)
{
  for (size_t i = 0; i < loader->shard_count; i++) {
    const struct shard *shard = &loader->shards[i];
    if (row >= shard->pixels && row < shard->pixels + shard->rows * loader->row_bytes) return shard;
  }
  return NULL;
}

// Advises about the blocks of `alignment` bytes that hold a row, as far as they belong to its own mapping.
static void advise(const struct loader *loader, const uint8_t *row, uintptr_t alignment, int advice)
{
  const struct shard *shard = shard_of(loader, row);
  if (!shard) return;
  uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
  if (alignment < page) alignment = page;
  uintptr_t mapped = (uintptr_t)shard->pixels / page * page;
  uintptr_t mapped_end = (uintptr_t)(shard->pixels + shard->rows * loader->row_bytes);
  uintptr_t start = (uintptr_t)row / alignment * alignment;
  uintptr_t end = ((uintptr_t)row + loader->row_bytes + alignment - 1) / alignment * alignment;
  if (start < mapped) start = mapped;
  if (end > mapped_end) end = mapped_end;
  madvise((void *)start, end - start, advice);
}

struct augment_parameters loader_parameters(const struct loader *loader, uint64_t epoch, size_t index)
{
  if (!loader->augmented) return augment_identity();
  return augment_draw(&loader->recipe, loader->seed, loader->numbers[index], epoch);
}

static const uint8_t *backdrop_of(const struct loader *loader, const struct augment_parameters *parameters)
{
  if (parameters->background != BACKGROUND_PICTURE || !loader->backdrop_count) return NULL;
  return source_of(loader, 0, loader->backdrops[(size_t)parameters->background_seed % loader->backdrop_count]);
}

static void fetch_alone(const struct loader *loader, uint64_t epoch, size_t index, uint8_t *pixels)
{
  const uint8_t *source = source_of(loader, epoch, index);
  if (loader->augmented) {
    struct augment_parameters parameters = loader_parameters(loader, epoch, index);
    const uint8_t *behind = backdrop_of(loader, &parameters);
    augment_apply(&parameters, source, behind, loader->side, loader->side, pixels);
    if (behind && loader->release_pages) advise(loader, behind, FAULT_BLOCK, MADV_DONTNEED);
  } else if (loader->unpacked) {
    feature_row_unpack(source, loader->unpacked, (uint16_t *)(void *)pixels);
  } else {
    memcpy(pixels, source, loader->row_bytes);
  }
  // The kernel maps pages around a fault in blocks: what it mapped for us is what has to be given back. A
  // neighbour's page that goes with them is mapped again when it is needed.
  if (loader->release_pages) advise(loader, source, FAULT_BLOCK, MADV_DONTNEED);
}

// Jöhnk's way to Beta(alpha, alpha): quick for alpha up to 2.
static double beta(struct rng *rng, double alpha)
{
  for (int tries = 0; tries < 1000; tries++) {
    double a = pow((double)rng_uniform(rng, 0, 1), 1 / alpha), b = pow((double)rng_uniform(rng, 0, 1), 1 / alpha);
    if (a + b > 0 && a + b <= 1) return a / (a + b);
  }
  return 0;
}

struct loader_mix loader_mix(const struct loader *loader, uint64_t epoch, size_t index)
{
  struct loader_mix mix = {index, MIXUP_UNIT};
  if (loader->mixup <= 0) return mix;
  struct rng rng = rng_at(loader->seed, RNG_MIXUP, loader->numbers[index], epoch);
  mix.other = rng_below(&rng, (uint32_t)loader->images);
  int share = (int)lround(beta(&rng, (double)loader->mixup) * MIXUP_UNIT);
  mix.share = share > MIXUP_UNIT / 2 ? share : MIXUP_UNIT - share;
  return mix;
}

void loader_fetch(const struct loader *loader, uint64_t epoch, size_t index, uint8_t *pixels)
{
  struct loader_mix mix = loader_mix(loader, epoch, index);
  fetch_alone(loader, epoch, index, pixels);
  if (mix.share == MIXUP_UNIT) return;
  uint8_t other[MIXUP_SIDE * MIXUP_SIDE * 3];
  fetch_alone(loader, epoch, mix.other, other);
  pixel_kernels()->blend(other, MIXUP_UNIT - mix.share, loader->row_bytes, pixels);
}

static float mix_for_fit(void *self, uint64_t epoch, size_t index, int32_t *other)
{
  const struct loader *loader = self;
  struct loader_mix mix = loader_mix(loader, epoch, index);
  *other = loader->labels[mix.other];
  return (float)mix.share / MIXUP_UNIT;
}

static void fetch_for_fit(void *self, uint64_t epoch, size_t index, void *pixels)
{
  loader_fetch(self, epoch, index, pixels);
}

static void expect_for_fit(void *self, uint64_t epoch, const uint32_t *indices, size_t n)
{
  struct loader *loader = self;
  for (size_t i = 0; i < n; i++) advise(loader, source_of(loader, epoch, indices[i]), 1, MADV_WILLNEED);
}

struct fit_data loader_fit_data(struct loader *loader)
{
  return (struct fit_data){
      .self = loader,
      .images = loader->images,
      .labels = loader->labels,
      .fetch = fetch_for_fit,
      .mix = loader->mixup > 0 ? mix_for_fit : NULL,
      .expect = loader->release_pages ? expect_for_fit : NULL,
  };
}
