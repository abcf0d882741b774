// Shares out the usable images of the datasets that are trained on, all together, to train, val and test.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/mem.h"
#include "data/split.h"
#include "keys/keys.h"
#include "stage/stage.h"
#include "store/splits.h"

struct work {
  struct datasets datasets;
  char name[SUBJECT_LIMIT]; // of them all
  struct split_candidate *images;
  enum part *parts;
  int *distances; // bits to the nearest train image of the class
  size_t count;
  uint32_t groups;
  struct class_names classes;
  size_t (*of_class)[PART_COUNT + 1]; // images of a class in a part
};

static void release(struct work *work)
{
  free(work->images);
  free(work->parts);
  free(work->distances);
  free(work->of_class);
  class_names_release(&work->classes);
}

static enum status read_images(struct work *work, struct db *db, struct error *error)
{
  const struct datasets *datasets = &work->datasets;
  enum status status = class_names_union(&work->classes, db, datasets->ids, datasets->count, error);
  if (!status)
    status = split_candidates(db, datasets->ids, datasets->count, &work->classes, &work->images, &work->count, error);
  if (!status && !work->count) status = fail(error, BAD_DATA, "dataset %s has no usable image", work->name);
  if (!status) status = mem_zeroed((void **)&work->parts, work->count, sizeof *work->parts, "the parts", error);
  if (!status)
    status = mem_zeroed((void **)&work->distances, work->count, sizeof *work->distances, "the distances", error);
  if (!status)
    status = mem_zeroed((void **)&work->of_class, work->classes.count, sizeof *work->of_class, "the classes", error);
  return status;
}

// A group takes at most half of what a class has in its smallest part: so that the parts can be of the sizes that are
// asked for, and of more than one scene each.
static double group_limit(double val, double test)
{
  double least = 1 - val - test;
  if (val > 0 && val < least) least = val;
  if (test > 0 && test < least) least = test;
  return least / 2;
}

static struct split_options options_of(const struct config *config)
{
  double val = config_real(config, "split.val"), test = config_real(config, "split.test");
  return (struct split_options){
      .val = val,
      .test = test,
      .seed = (uint64_t)config_integer(config, "seed"),
      .near = {.bits = (int)config_integer(config, "split.bits"),
               .frames = config_integer(config, "split.frames"),
               .limit = group_limit(val, test)},
      .blocks = config_integer(config, "split.blocks"),
      .gap = config_integer(config, "split.gap"),
  };
}

static enum status assign(struct work *work, const struct config *config, struct error *error)
{
  const struct split_options options = options_of(config);
  const char *name = config_text(config, "split.method");
  split_method *method = split_method_find(name);
  if (!method) return fail(error, BAD_USAGE, "split.method: %s is not built in", name);
  enum status status = groups_find(&options.near, work->images, work->count, work->classes.count, &work->groups, error);
  if (!status) status = method(&options, work->images, work->count, work->classes.count, work->parts, error);
  if (!status)
    status = neighbours_nearest(work->images, work->count, work->classes.count, work->parts, work->distances, error);
  for (size_t i = 0; i < work->count && !status; i++) work->of_class[work->images[i].label][work->parts[i]]++;
  return status;
}

// Names the classes without an image in `part` in one line: a thing to know, not a failure.
static void warn_of_classes(struct stage *stage, const struct work *work, enum part part, const char *why)
{
  enum { NAMED = 8 };
  char names[512] = "";
  size_t used = 0, without = 0;
  for (size_t c = 0; c < work->classes.count; c++) {
    if (work->of_class[c][part]) continue;
    if (without++ < NAMED && used < sizeof names)
      used += (size_t)snprintf(names + used, sizeof names - used, "%s%.60s", used ? ", " : "", work->classes.list[c]);
  }
  if (without)
    stage_warn(stage, "%zu of %zu classes %s %s: %s%s", without, work->classes.count, why, part_name(part), names,
               without > NAMED ? ", ..." : "");
}

// Random and grouped always leave a class something to train on; frames and folders need not.
static void warn_of_parts(struct stage *stage, const struct work *work, const struct config *config)
{
  const char *method = config_text(config, "split.method");
  bool folder = !strcmp(method, "folder"), given = folder || !strcmp(method, "blocks");
  const char *why = given ? "have nothing in" : "have too few images to have one in";
  if (given) warn_of_classes(stage, work, PART_TRAIN, why);
  if (folder || config_real(config, "split.val") > 0) warn_of_classes(stage, work, PART_VAL, why);
  if (!folder && config_real(config, "split.test") > 0) warn_of_classes(stage, work, PART_TEST, why);
}

static void show_counts(struct stage *stage, const struct work *work, const struct split_found *split)
{
  stage_say(stage, "part     images   share  per class");
  for (enum part part = PART_TRAIN; part <= PART_NONE; part++) {
    char images[STAGE_NUMBER_LIMIT], least_text[STAGE_NUMBER_LIMIT], most_text[STAGE_NUMBER_LIMIT];
    size_t least = SIZE_MAX, most = 0;
    for (size_t c = 0; c < work->classes.count; c++) {
      if (work->of_class[c][part] < least) least = work->of_class[c][part];
      if (work->of_class[c][part] > most) most = work->of_class[c][part];
    }
    if (!split->images[part]) continue;
    stage_number(split->images[part], images);
    stage_number(least, least_text);
    stage_number(most, most_text);
    stage_say(stage, "%-5s %9s %6.1f%%  %s%s%s", part_name(part), images,
              100.0 * (double)split->images[part] / (double)work->count, least_text, least < most ? " to " : "",
              least < most ? most_text : "");
  }
}

// What the groups are, and how far the parts know each other.
static void show_neighbours(struct stage *stage, const struct work *work, int bits)
{
  char groups[STAGE_NUMBER_LIMIT], images[STAGE_NUMBER_LIMIT];
  stage_number(work->groups, groups);
  stage_number(work->count, images);
  stage_say(stage, "%s images are %s groups of near-duplicates", images, groups);
  for (enum part part = PART_VAL; part <= PART_TEST; part++) {
    size_t known = 0, count = 0;
    for (size_t i = 0; i < work->count; i++) {
      if (work->parts[i] != part) continue;
      count++;
      known += work->distances[i] != NO_DISTANCE && work->distances[i] <= bits;
    }
    if (count)
      stage_say(stage, "%s: %.1f%% of the images have a neighbour in train (of their class, within %d bits)",
                part_name(part), 100.0 * (double)known / (double)count, bits);
  }
}

// A class that is one scene: grouped leaves it as random would.
static void warn_of_scenes(struct stage *stage, const struct work *work, int bits)
{
  for (size_t c = 0; c < work->classes.count; c++) {
    size_t known = 0, count = 0;
    for (size_t i = 0; i < work->count; i++) {
      if ((size_t)work->images[i].label != c || (work->parts[i] != PART_VAL && work->parts[i] != PART_TEST)) continue;
      count++;
      known += work->distances[i] != NO_DISTANCE && work->distances[i] <= bits;
    }
    if (known)
      stage_warn(stage,
                 "%.60s is too much of one scene for a split without leaks: %zu of its %zu images in val and test have "
                 "a neighbour in train",
                 work->classes.list[c], known, count);
  }
}

static enum status make(struct stage *stage, struct work *work, struct stage_key *key, struct error *error)
{
  struct db *db = stage_db(stage);
  const struct config *config = stage_config(stage);
  double started = clock_seconds();
  char *previous = NULL;
  enum status status = split_previous(db, work->datasets.ids[0], &previous, error);
  if (!status) stage_runs_because(stage, key, previous);
  free(previous);
  if (!status) status = read_images(work, db, error);
  if (!status) status = assign(work, config, error);
  if (status) return status;
  const struct split_row row = {.datasets = work->datasets.ids,
                                .dataset_count = work->datasets.count,
                                .classes = &work->classes,
                                .key = stage_key_digest(key),
                                .parameters = stage_key_parameters(key),
                                .method = config_text(config, "split.method"),
                                .seed = config_integer(config, "seed"),
                                .bits = config_integer(config, "split.bits")};
  struct split_found split;
  status = split_insert(db, &row, work->images, work->parts, work->distances, work->count, &split, error);
  if (status) return status;
  stage_count(stage, work->count, clock_seconds() - started);
  warn_of_parts(stage, work, config);
  show_counts(stage, work, &split);
  show_neighbours(stage, work, (int)row.bits);
  if (!strcmp(row.method, "grouped")) warn_of_scenes(stage, work, (int)row.bits);
  return OK;
}

static void say_up_to_date(struct stage *stage, const struct split_found *split)
{
  char train[STAGE_NUMBER_LIMIT], val[STAGE_NUMBER_LIMIT], test[STAGE_NUMBER_LIMIT], text[160];
  stage_number(split->images[PART_TRAIN], train);
  stage_number(split->images[PART_VAL], val);
  stage_number(split->images[PART_TEST], test);
  snprintf(text, sizeof text, "%s images in train, %s in val, %s in test", train, val, test);
  stage_up_to_date(stage, text);
}

static enum status split_work(struct stage *stage, struct error *error)
{
  struct db *db = stage_db(stage);
  const struct config *config = stage_config(stage);
  struct work work = {0};
  struct split_found split;
  struct stage_key *key = NULL;
  bool found = false;
  enum status status = datasets_find(&work.datasets, db, config, error);
  datasets_name(&work.datasets, work.name, sizeof work.name);
  if (!status) stage_subject(stage, work.name);
  if (!status) status = split_key(&key, db, config, error);
  if (!status) status = split_find(db, stage_key_digest(key), 0, &split, &found, error);
  if (!status && found) {
    stage_uses_key(stage, key);
    say_up_to_date(stage, &split);
  } else if (!status)
    status = make(stage, &work, key, error);
  stage_key_free(key);
  release(&work);
  return status;
}

static const struct stage_definition split_stage = {
    .name = "split",
    .summary = "share out the datasets' usable images to train, val and test",
    .example = "build/stages/split --manifest work/manifest.db --config configs/cnn.yaml --set split.val=0.1",
    .needs_manifest = true,
    .work = split_work};

int main(int argc, char **argv)
{
  return stage_main(&split_stage, argc, argv);
}
