#include "models/checkpoint.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/mem.h"
#include "models/checkpoint_text.h"
#include "store/tensorfile.h"

// --- what a file holds -----------------------------------------------------------------------------------------------

enum { TENSOR_NAME_LIMIT = 160 };

// A tensor of the file and the memory that it comes from or goes to.
struct piece {
  char name[TENSOR_NAME_LIMIT];
  const struct parameter *parameter; // whose shape it has
  float *values;
};

struct pieces {
  struct piece *list;
  size_t count;
};

static void add_piece(struct pieces *pieces, const char *prefix, const char *slot, const struct parameter *parameter,
                      float *values)
{
  struct piece *piece = &pieces->list[pieces->count++];
  piece->parameter = parameter;
  piece->values = values;
  snprintf(piece->name, sizeof piece->name, "%s%s%s%s", prefix, slot, *slot ? "/" : "", parameter->name);
}

static enum status list_pieces(struct pieces *out, struct net *net, struct optimizer *optimizer, struct error *error)
{
  size_t parameters = net_parameter_count(net);
  size_t slots = optimizer ? (size_t)optimizer_slots(optimizer) : 0;
  out->count = 0;
  enum status status =
      mem_zeroed((void **)&out->list, parameters * (1 + slots), sizeof *out->list, "the list of tensors", error);
  if (status) return status;
  for (size_t p = 0; p < parameters; p++) {
    const struct parameter *parameter = net_parameter(net, p);
    add_piece(out, "", "", parameter, parameter->value);
  }
  for (size_t s = 0; s < slots; s++)
    for (size_t p = 0; p < parameters; p++) {
      float *values = optimizer_slot(optimizer, p, (int)s);
      if (values) add_piece(out, "optimizer/", optimizer_slot_name(optimizer, (int)s), net_parameter(net, p), values);
    }
  return OK;
}

// --- saving ----------------------------------------------------------------------------------------------------------

static enum status describe_pieces(struct tensor_info **out, const struct pieces *pieces, struct error *error)
{
  enum status status = mem_zeroed((void **)out, pieces->count, sizeof **out, "tensor descriptions", error);
  for (size_t i = 0; !status && i < pieces->count; i++) {
    const struct parameter *parameter = pieces->list[i].parameter;
    struct tensor_info *info = &(*out)[i];
    *info = (struct tensor_info){.name = pieces->list[i].name, .dtype = TENSOR_F32, .rank = parameter->rank};
    for (int d = 0; d < parameter->rank; d++) info->shape[d] = (uint64_t)parameter->shape[d];
  }
  return status;
}

enum status checkpoint_save(const char *path, struct net *net, struct optimizer *optimizer,
                            const struct checkpoint_subject *subject, const struct checkpoint_state *state,
                            struct error *error)
{
  struct pieces pieces = {0};
  struct tensor_info *infos = NULL;
  struct checkpoint_text text = {0};
  struct tensorfile_writer *writer = NULL;
  uint64_t bytes;
  char sha256[DIGEST_TEXT];
  enum status status = list_pieces(&pieces, net, optimizer, error);
  if (!status) status = describe_pieces(&infos, &pieces, error);
  if (!status) status = checkpoint_text_make(&text, subject, state, error);
  if (!status) status = tensorfile_create(&writer, path, infos, pieces.count, text.pairs, CHECKPOINT_TEXT_PAIRS, error);
  for (size_t i = 0; !status && i < pieces.count; i++)
    status =
        tensorfile_write(writer, i, 0, pieces.list[i].values, pieces.list[i].parameter->count * sizeof(float), error);
  if (!status) status = tensorfile_publish(writer, &bytes, sha256, error);
  tensorfile_discard(writer);
  checkpoint_text_release(&text);
  free(infos);
  free(pieces.list);
  return status;
}

// --- loading ---------------------------------------------------------------------------------------------------------

// The piece's values in the file: of its name, type and shape, finite, and as variances not below 0.
static enum status find_piece(const struct tensorfile *file, const struct piece *piece, const void **data,
                              struct error *error)
{
  const struct parameter *parameter = piece->parameter;
  uint64_t shape[4];
  for (int d = 0; d < parameter->rank; d++) shape[d] = (uint64_t)parameter->shape[d];
  enum status status = tensorfile_find(file, piece->name, TENSOR_F32, parameter->rank, shape, data, error);
  if (status) return status;
  const float *values = *data;
  const float least = parameter->variance ? 0 : -INFINITY;
  for (size_t i = 0; i < parameter->count; i++)
    if (!isfinite(values[i]) || values[i] < least)
      return fail(error, BAD_DATA, "%s[%zu] is %g, not a finite number%s", piece->name, i, (double)values[i],
                  parameter->variance ? " of 0 or more" : "");
  return OK;
}

// Tensors that are neither weights nor optimizer state do not belong to this net.
static enum status check_no_strangers(const struct tensorfile *file, const struct pieces *weights, struct error *error)
{
  for (size_t t = 0; t < tensorfile_count(file); t++) {
    const char *name = tensorfile_info(file, t)->name;
    bool known = !strncmp(name, "optimizer/", 10);
    for (size_t i = 0; !known && i < weights->count; i++) known = !strcmp(name, weights->list[i].name);
    if (!known) return fail(error, BAD_DATA, "the model has no parameter %.100s", name);
  }
  return OK;
}

static enum status load_pieces(const struct tensorfile *file, struct net *net, struct optimizer *optimizer,
                               struct error *error)
{
  struct pieces pieces = {0};
  const void **data = NULL;
  enum status status = list_pieces(&pieces, net, optimizer, error);
  if (!status) status = mem_zeroed((void **)&data, pieces.count, sizeof *data, "tensor places", error);
  if (!status) status = check_no_strangers(file, &pieces, error);
  for (size_t i = 0; !status && i < pieces.count; i++) status = find_piece(file, &pieces.list[i], &data[i], error);
  for (size_t i = 0; !status && i < pieces.count; i++) // all is well: nothing can fail from here on
    memcpy(pieces.list[i].values, data[i], pieces.list[i].parameter->count * sizeof(float));
  if (!status) net_parameters_changed(net);
  free(data);
  free(pieces.list);
  return status;
}

enum status checkpoint_load(const char *path, struct net *net, struct optimizer *optimizer,
                            const struct checkpoint_subject *subject, struct checkpoint_state *state,
                            struct error *error)
{
  struct tensorfile *file = NULL;
  struct checkpoint_state found = {0};
  enum status status = tensorfile_open(&file, path, error);
  if (status) return status; // its message has the path
  status = checkpoint_text_check(file, subject, error);
  if (!status && state) status = checkpoint_text_state(file, &found, error);
  if (!status) status = load_pieces(file, net, optimizer, error);
  tensorfile_close(file);
  if (status) {
    checkpoint_state_release(&found);
    return fail_within(error, "%s", path);
  }
  if (state) *state = found;
  return OK;
}

enum status checkpoint_weights_sha256(struct net *net, char sha256[DIGEST_TEXT], struct error *error)
{
  struct digest *digest = NULL;
  enum status status = digest_new(&digest, error);
  if (status) return status;
  for (size_t p = 0; p < net_parameter_count(net); p++) {
    const struct parameter *parameter = net_parameter(net, p);
    digest_add(digest, parameter->value, parameter->count * sizeof(float));
  }
  digest_finish(digest, sha256);
  digest_free(digest);
  return OK;
}
