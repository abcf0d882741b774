// Writes a run's best weights for other programs: Keras' HDF5 layout (load_weights reads it), or safetensors with
// Keras' names. What is written is the model's weights alone, or only its trunk, the part that another task would start
// from.
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/files.h"
#include "core/mem.h"
#include "keys/keys.h"
#include "keys/settings.h"
#include "stage/stage.h"
#include "store/runs.h"
#include "store/tensorfile.h"
#include "store/weights.h"
#include "weights/export.h"
#include "weights/import.h"
#include "weights/layout.h"

struct exporting {
  struct stage *stage;
  const char *to;
  bool keras, trunk;
  bool late_stride; // model.variant v1.5
  bool features;    // it was trained on features: what is frozen is not in its weights
  struct run_found run;
  struct tensorfile *file,
      *initial; // the run's weights; what it started from, where a part of that was frozen and is not in them
  struct layout_tensor *layout; // of the trunk
  struct export_tensor *tensors;
  size_t count;
};

static bool ends_in(const char *text, const char *end)
{
  size_t length = strlen(text), tail = strlen(end);
  return length > tail && !strcmp(text + length - tail, end);
}

static enum status read_options(struct exporting *exporting, struct error *error)
{
  struct stage *stage = exporting->stage;
  exporting->to = stage_option(stage, "to");
  exporting->trunk = stage_option(stage, "trunk") != NULL;
  if (!exporting->to)
    return fail(error, BAD_USAGE, "--to is missing: the file to write, ending in .h5 or .safetensors");
  exporting->keras = ends_in(exporting->to, ".h5") || ends_in(exporting->to, ".hdf5");
  if (exporting->keras || ends_in(exporting->to, ".safetensors")) return OK;
  return fail(error, BAD_USAGE, "--to %s: its ending tells the format; allowed: .h5, .hdf5, .safetensors",
              exporting->to);
}

// What the run was trained as.
static enum status read_args(struct exporting *exporting, const char *folder, struct error *error)
{
  struct config *config = NULL;
  char args[PATH_LIMIT];
  enum status status = path_join(args, folder, "args.yaml", error);
  if (!status) status = config_load(&config, args, NULL, 0, error);
  if (!status) exporting->late_stride = !strcmp(config_text(config, "model.variant"), "v1.5");
  if (!status) exporting->features = features_used(config);
  config_free(config);
  if (status || !exporting->late_stride || !exporting->keras) return status;
  return fail(error, BAD_USAGE,
              "--to %s: run %s is of model.variant v1.5, and Keras' ResNet50 would make other features of its weights; "
              "allowed: .safetensors",
              exporting->to, exporting->run.name);
}

static bool is_weight(const struct tensor_info *info)
{
  return info->dtype == TENSOR_F32 && strncmp(info->name, "optimizer/", 10) != 0;
}

// The file's weights are those that the manifest knows. Their digest is of all values in the model's order, which is
// the file's.
static enum status check_best(const struct exporting *exporting, const char *path, struct error *error)
{
  const struct tensorfile *file = exporting->file;
  const char *wanted = exporting->run.best_sha256;
  struct digest *digest = NULL;
  char sha256[DIGEST_TEXT];
  enum status status = digest_new(&digest, error);
  if (status) return status;
  for (size_t i = 0; i < tensorfile_count(file); i++) {
    const struct tensor_info *info = tensorfile_info(file, i);
    size_t bytes = sizeof(float);
    for (int d = 0; d < info->rank; d++) bytes *= info->shape[d];
    if (is_weight(info)) digest_add(digest, tensorfile_data(file, i), bytes);
  }
  digest_finish(digest, sha256);
  digest_free(digest);
  if (!strcmp(sha256, wanted)) return OK;
  return fail(error, BAD_DATA, "%s holds weights %.12s..., the manifest says %.12s...", path, sha256, wanted);
}

static enum status open_best(struct exporting *exporting, struct error *error)
{
  const struct run_found *run = &exporting->run;
  char folder[PATH_LIMIT], path[PATH_LIMIT];
  if (strcmp(run->state, "done") != 0)
    return fail(error, BAD_DATA, "run %s is %s, not done: run build/stages/train again", run->name, run->state);
  enum status status = run_folder(folder, stage_folder(exporting->stage), run->name, error);
  if (!status) status = read_args(exporting, folder, error);
  if (!status) status = path_join(path, folder, "weights/best.safetensors", error);
  if (!status) status = tensorfile_open(&exporting->file, path, error);
  return status ? status : check_best(exporting, path, error);
}

static enum status open_initial(struct exporting *exporting, struct error *error)
{
  struct stage *stage = exporting->stage;
  struct weights_row initial;
  char path[PATH_LIMIT];
  enum status status = weights_of_run(stage_db(stage), exporting->run.id, &initial, error);
  if (!status && !initial.id && exporting->features)
    return fail(error, BAD_DATA,
                "run %s has the weights of its head alone: its frozen part was drawn (model.weights none), and is in "
                "no file",
                exporting->run.name);
  if (status || !initial.id) return status;
  status = weights_file_check(stage_folder(stage), &initial, error);
  if (!status) status = path_join(path, stage_folder(stage), initial.path, error);
  return status ? status : tensorfile_open(&exporting->initial, path, error);
}

static bool in_trunk(const struct exporting *exporting, const char *name)
{
  for (size_t i = 0; i < LAYOUT_TENSORS; i++)
    if (!strcmp(exporting->layout[i].name, name)) return true;
  return false;
}

static bool is_listed(const struct exporting *exporting, const char *name)
{
  for (size_t i = 0; i < exporting->count; i++)
    if (!strcmp(exporting->tensors[i].name, name)) return true;
  return false;
}

static void add_tensor(struct exporting *exporting, const struct tensorfile *file, size_t index)
{
  const struct tensor_info *info = tensorfile_info(file, index);
  if (!is_weight(info)) return;
  if (exporting->trunk && !in_trunk(exporting, info->name)) return;
  struct export_tensor *tensor = &exporting->tensors[exporting->count++];
  *tensor = (struct export_tensor){.name = info->name, .rank = info->rank, .values = tensorfile_data(file, index)};
  memcpy(tensor->shape, info->shape, sizeof tensor->shape);
}

static size_t find_tensor(const struct tensorfile *file, const char *name)
{
  size_t index = 0;
  while (index < tensorfile_count(file) && strcmp(tensorfile_info(file, index)->name, name) != 0) index++;
  return index;
}

// The whole model in its order: what the run started from, with what it trained in its place; then what it alone has.
static void list_all(struct exporting *exporting)
{
  size_t own = tensorfile_count(exporting->file),
         initial = exporting->initial ? tensorfile_count(exporting->initial) : 0;
  for (size_t i = 0; i < initial; i++) {
    size_t trained = find_tensor(exporting->file, tensorfile_info(exporting->initial, i)->name);
    if (trained < own)
      add_tensor(exporting, exporting->file, trained);
    else
      add_tensor(exporting, exporting->initial, i);
  }
  for (size_t i = 0; i < own; i++)
    if (!is_listed(exporting, tensorfile_info(exporting->file, i)->name)) add_tensor(exporting, exporting->file, i);
}

static enum status list_tensors(struct exporting *exporting, struct error *error)
{
  size_t all = tensorfile_count(exporting->file) + (exporting->initial ? tensorfile_count(exporting->initial) : 0);
  enum status status = layout_new(&exporting->layout, LAYOUT_WIDTH, error);
  if (!status) status = mem_zeroed((void **)&exporting->tensors, all, sizeof *exporting->tensors, "tensors", error);
  if (status) return status;
  list_all(exporting);
  if (exporting->trunk && exporting->count != LAYOUT_TENSORS)
    return fail(error, BAD_USAGE, "--trunk: run %s of model %s has %zu of ResNet50's %d tensors", exporting->run.name,
                exporting->run.model, exporting->count, LAYOUT_TENSORS);
  return OK;
}

static enum status write_file(struct exporting *exporting, struct error *error)
{
  if (exporting->keras) return export_keras(exporting->to, exporting->tensors, exporting->count, error);
  return export_safetensors(exporting->to, exporting->tensors, exporting->count,
                            exporting->late_stride ? IMPORT_TORCH : IMPORT_CAFFE, error);
}

static enum status say_result(const struct exporting *exporting, struct error *error)
{
  char sha256[DIGEST_TEXT], number[STAGE_NUMBER_LIMIT];
  uint64_t bytes = 0;
  enum status status = digest_of_file(sha256, &bytes, exporting->to, error);
  if (status || stage_json(exporting->stage)) return status;
  stage_number(bytes, number);
  printf("%-10s %s\n", "run", exporting->run.name);
  printf("%-10s %s\n", "file", exporting->to);
  printf("%-10s %s\n", "format", exporting->keras ? "Keras HDF5" : "safetensors");
  printf("%-10s %zu\n", "tensors", exporting->count);
  printf("%-10s %s\n", "bytes", number);
  printf("%-10s %s\n", "sha256", sha256);
  return OK;
}

static enum status work(struct stage *stage, struct error *error)
{
  struct exporting exporting = {.stage = stage};
  enum status status = read_options(&exporting, error);
  if (!status)
    status = run_wanted(&exporting.run, stage_db(stage), stage_config(stage), stage_option(stage, "run"), error);
  if (!status) stage_subject(stage, exporting.run.name);
  if (!status) status = open_best(&exporting, error);
  if (!status) status = open_initial(&exporting, error);
  if (!status) status = list_tensors(&exporting, error);
  if (!status) stage_runs_for(stage, "--to asks for a file");
  if (!status) status = write_file(&exporting, error);
  if (!status) status = say_result(&exporting, error);
  tensorfile_close(exporting.file);
  tensorfile_close(exporting.initial);
  free(exporting.layout);
  free(exporting.tensors);
  return status;
}

int main(int argc, char **argv)
{
  static const struct stage_option options[] = {
      {"to", "FILE", "the file to write; .h5 or .hdf5: Keras' layout, .safetensors: with Keras' names"},
      {"run", "NAME", "the run (the configuration's)"},
      {"trunk", NULL, "ResNet50 without its head: what model.weights can start from"},
      {0},
  };
  static const struct stage_definition definition = {
      .name = "export",
      .summary = "Writes a run's best weights for other programs, in Keras' HDF5 layout or as safetensors.",
      .example = "build/stages/export --manifest work/manifest.db --run resnet-scratch --trunk --to trunk.h5",
      .options = options,
      .needs_manifest = true,
      .work = work,
  };
  return stage_main(&definition, argc, argv);
}
