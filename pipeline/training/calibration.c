#include "training/calibration.h"

#include <math.h>
#include <stdlib.h>

#include "core/mem.h"
#include "data/loader.h"
#include "engine/net/ranges.h"
#include "keys/keys.h"
#include "keys/settings.h"
#include "store/calibrations.h"
#include "training/trunk.h"

struct calibrating {
  struct stage *stage;
  struct loader *loader; // of the training part
  size_t images;         // to observe, and at most as many others to judge by
  size_t judges;
  float *ranges;          // [layers]
  float *numbers, *bytes; // [judges, values]: their features in fp32 and on bytes
  size_t values;
};

static void release(struct calibrating *c)
{
  loader_close(c->loader);
  free(c->ranges);
  free(c->numbers);
  free(c->bytes);
}

// --- images ----------------------------------------------------------------------------------------------------------

// Spread evenly over the training part: image i of those that are observed, or judge i, between two of those.
struct choice {
  const struct calibrating *calibrating;
  size_t first;
  bool judges;
};

static void fetch(void *self, size_t index, void *pixels)
{
  const struct choice *choice = self;
  const struct calibrating *c = choice->calibrating;
  const uint64_t place = 2 * (choice->first + index) + choice->judges, places = 2 * c->images;
  loader_fetch(c->loader, 1, (size_t)(place * loader_images(c->loader) / places), pixels);
}

static enum status open_images(struct calibrating *c, struct error *error)
{
  struct db *db = stage_db(c->stage);
  const struct config *config = stage_config(c->stage);
  struct split_found split;
  struct tensor_sets sets;
  enum status status = split_wanted(&split, db, config, error);
  if (!status) status = resized_wanted(&sets, db, config, error);
  if (status) return status;
  const struct loader_options options = {
      .tensor_sets = sets.ids, .tensor_set_count = sets.count, .split = split.id, .part = "train", .verify = true};
  status = loader_open(&c->loader, db, stage_folder(c->stage), &options, error);
  if (status) return status;
  const size_t there = loader_images(c->loader), wanted = (size_t)config_integer(config, "features.calibrate");
  if (there < 2)
    return fail(error, BAD_DATA, "features.precision int8 needs at least 2 training images, the split has %zu", there);
  c->images = c->judges = wanted < there / 2 ? wanted : there / 2;
  return OK;
}

// --- both nets -------------------------------------------------------------------------------------------------------

static enum status judge(struct calibrating *c, struct net *net, float *out, struct error *error)
{
  enum status status = OK;
  for (size_t first = 0; !status && first < c->judges; first += TRUNK_BLOCK) {
    struct choice choice = {c, first, true};
    const size_t n = c->judges - first < TRUNK_BLOCK ? c->judges - first : TRUNK_BLOCK;
    status = net_infer(net, &(struct net_input){&choice, fetch}, n, out + first * c->values, error);
    if (!status && stage_interrupted(c->stage)) status = fail(error, INTERRUPTED, "stopped before int8 was calibrated");
  }
  return status;
}

static enum status observe(struct calibrating *c, struct net *net, struct error *error)
{
  struct ranges *ranges = NULL;
  enum status status = ranges_new(&ranges, net, error);
  for (size_t first = 0; !status && first < c->images; first += TRUNK_BLOCK) {
    struct choice choice = {c, first, false};
    const size_t n = c->images - first < TRUNK_BLOCK ? c->images - first : TRUNK_BLOCK;
    status = net_observe(net, &(struct net_input){&choice, fetch}, n, ranges, NULL, error);
    if (!status && stage_interrupted(c->stage)) status = fail(error, INTERRUPTED, "stopped before int8 was calibrated");
  }
  if (!status) status = ranges_choose(ranges, net, c->ranges, error);
  ranges_free(ranges);
  return status;
}

static enum status allocate(struct calibrating *c, const struct net *net, struct error *error)
{
  const size_t layers = net_layer_count(net);
  c->values = (size_t)net_layer(net, layers - 1).output.c;
  enum status status = mem_zeroed((void **)&c->ranges, layers, sizeof *c->ranges, "ranges", error);
  if (!status) status = mem_zeroed((void **)&c->numbers, c->judges * c->values, sizeof *c->numbers, "features", error);
  if (!status) status = mem_zeroed((void **)&c->bytes, c->judges * c->values, sizeof *c->bytes, "features", error);
  return status;
}

static enum status in_numbers(struct calibrating *c, struct error *error)
{
  char source[TRUNK_SOURCE_LIMIT];
  struct net *net = NULL;
  enum status status = trunk_build(&net, stage_config(c->stage), error);
  if (!status) status = trunk_start(net, c->stage, NET_FP32, NULL, source, error);
  if (!status) status = allocate(c, net, error);
  if (!status) status = observe(c, net, error);
  if (!status) status = judge(c, net, c->numbers, error);
  net_free(net);
  return status;
}

static enum status on_bytes(struct calibrating *c, struct error *error)
{
  char source[TRUNK_SOURCE_LIMIT];
  struct net *net = NULL;
  enum status status = trunk_build(&net, stage_config(c->stage), error);
  if (!status) status = trunk_start(net, c->stage, NET_FP32, c->ranges, source, error);
  if (!status) status = judge(c, net, c->bytes, error);
  net_free(net);
  return status;
}

// --- what came of it -------------------------------------------------------------------------------------------------

// Of two rows of zeros: 1.
static double cosine(const float *a, const float *b, size_t count)
{
  double ab = 0, aa = 0, bb = 0;
  for (size_t i = 0; i < count; i++) {
    ab += (double)a[i] * (double)b[i];
    aa += (double)a[i] * (double)a[i];
    bb += (double)b[i] * (double)b[i];
  }
  if (aa == 0 && bb == 0) return 1;
  return aa == 0 || bb == 0 ? 0 : ab / sqrt(aa * bb);
}

static struct calibration_row compare(const struct calibrating *c)
{
  struct calibration_row row = {.images = c->images, .judged = c->judges, .cosine_least = 1};
  for (size_t i = 0; i < c->judges; i++) {
    const double one = cosine(c->numbers + i * c->values, c->bytes + i * c->values, c->values);
    row.cosine_mean += one / (double)c->judges;
    if (one < row.cosine_least) row.cosine_least = one;
  }
  return row;
}

static enum status keep(struct calibrating *c, struct stage_key *key, struct calibration_row *row, struct error *error)
{
  struct net *net = NULL; // for the names of its layers
  struct calibration_range *ranges = NULL;
  size_t count = 0;
  enum status status = trunk_build(&net, stage_config(c->stage), error);
  if (!status) status = mem_zeroed((void **)&ranges, net_layer_count(net), sizeof *ranges, "ranges", error);
  for (size_t i = 0; !status && i < net_layer_count(net); i++)
    if (c->ranges[i] > 0) ranges[count++] = (struct calibration_range){net_layer(net, i).name, c->ranges[i]};
  if (!status)
    status = calibration_insert(stage_db(c->stage), stage_key_digest(key), stage_key_parameters(key), row, ranges,
                                count, error);
  free(ranges);
  net_free(net);
  return status;
}

// Also of a row that was found: the limit may have been raised since.
static enum status check_cosine(const struct calibration_row *row, const struct config *config, struct error *error)
{
  const double least = config_real(config, "features.least_cosine");
  if (row->cosine_mean >= least) return OK;
  return fail(error, FAILED,
              "features in int8 have a cosine of %.4f to those in fp32, features.least_cosine is %g: raise"
              " features.calibrate, or use features.precision auto",
              row->cosine_mean, least);
}

static enum status calibrate(struct calibrating *c, struct stage_key *key, struct error *error)
{
  enum status status = open_images(c, error);
  if (!status) stage_say(c->stage, "features: int8: what bytes stand for, from %zu training images", c->images);
  if (!status) status = in_numbers(c, error);
  if (!status) status = on_bytes(c, error);
  if (status) return status;
  struct calibration_row row = compare(c);
  stage_say(c->stage, "features: int8: cosine to fp32 %.4f, at least %.4f, of %zu other images", row.cosine_mean,
            row.cosine_least, c->judges);
  status = check_cosine(&row, stage_config(c->stage), error);
  return status ? status : keep(c, key, &row, error);
}

enum status calibration_make(struct stage *stage, struct error *error)
{
  struct calibrating calibrating = {.stage = stage};
  struct stage_key *key = NULL;
  struct calibration_row row;
  bool found = false;
  enum status status = calibration_key(&key, stage_db(stage), stage_config(stage), error);
  if (!status) status = calibration_find(stage_db(stage), stage_key_digest(key), &row, &found, error);
  if (!status) status = found ? check_cosine(&row, stage_config(stage), error) : calibrate(&calibrating, key, error);
  release(&calibrating);
  stage_key_free(key);
  return status;
}
