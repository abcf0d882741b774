#include "models/checkpoint_text.h"

#include <inttypes.h>
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/mem.h"

// --- writing ---------------------------------------------------------------------------------------------------------

// "%a" writes all bits of a double; JSON numbers would not, nor can they be NaN.
static json_t *real_as_text(double value)
{
  char text[40];
  snprintf(text, sizeof text, "%a", value);
  return json_string(text);
}

static json_t *progress_as_json(const struct fit_progress *progress)
{
  return json_pack("{s:i, s:I, s:I, s:I, s:i, s:o, s:o, s:o, s:o}", "epoch", progress->epoch, "step",
                   (json_int_t)progress->step, "batches", (json_int_t)progress->batches, "correct",
                   (json_int_t)progress->correct, "best_epoch", progress->best_epoch, "loss_sum",
                   real_as_text(progress->loss_sum), "seconds", real_as_text(progress->seconds), "best_val_accuracy",
                   real_as_text(progress->best_val_accuracy), "best_val_loss", real_as_text(progress->best_val_loss));
}

static json_t *epoch_as_json(const struct epoch_figures *figures)
{
  return json_pack("{s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "train_loss", real_as_text(figures->train_loss),
                   "train_accuracy", real_as_text(figures->train_accuracy), "val_loss", real_as_text(figures->val_loss),
                   "val_accuracy", real_as_text(figures->val_accuracy), "lr", real_as_text(figures->lr), "seconds",
                   real_as_text(figures->seconds), "images_per_second", real_as_text(figures->images_per_second));
}

static json_t *history_as_json(const struct checkpoint_state *state)
{
  json_t *list = json_array();
  for (int e = 0; list && e < state->progress.epoch; e++)
    json_array_append_new(list, epoch_as_json(&state->history[e]));
  return list;
}

static json_t *classes_as_json(const struct checkpoint_subject *subject)
{
  json_t *list = json_array();
  for (size_t c = 0; list && c < subject->class_count; c++)
    json_array_append_new(list, json_string(subject->classes[c]));
  return list;
}

// The text of a value, which is released; NULL when memory ran out on the way.
static char *json_text(json_t *value)
{
  char *text = value ? json_dumps(value, JSON_COMPACT) : NULL;
  json_decref(value);
  return text;
}

enum status checkpoint_text_make(struct checkpoint_text *out, const struct checkpoint_subject *subject,
                                 const struct checkpoint_state *state, struct error *error)
{
  json_t *classes = classes_as_json(subject);
  if (json_array_size(classes) != subject->class_count) {
    json_decref(classes);
    return fail(error, BAD_DATA, "a class name is not UTF-8 and cannot be stored in a checkpoint");
  }
  out->classes = json_text(classes);
  out->progress = json_text(progress_as_json(&state->progress));
  out->history = json_text(history_as_json(state));
  if (!out->classes || !out->progress || !out->history) return fail_memory(error, "checkpoint metadata", 0);
  snprintf(out->input_size, sizeof out->input_size, "%d", subject->input_size);
  const struct metadata_pair pairs[CHECKPOINT_TEXT_PAIRS] = {
      {"format", CHECKPOINT_FORMAT},
      {"library", subject->library},
      {"model", subject->model},
      {"variant", subject->variant},
      {"classes", out->classes},
      {"input_size", out->input_size},
      {"resize_fit", subject->resize_fit},
      {"resize_filter", subject->resize_filter},
      {"preprocessing", subject->preprocessing},
      {"run_key", subject->run_key ? subject->run_key : ""},
      {"precision", subject->precision},
      {"progress", out->progress},
      {"history", out->history},
  };
  memcpy(out->pairs, pairs, sizeof pairs);
  return OK;
}

void checkpoint_text_release(struct checkpoint_text *text)
{
  free(text->classes);
  free(text->progress);
  free(text->history);
  *text = (struct checkpoint_text){0};
}

// --- checking --------------------------------------------------------------------------------------------------------

static const char *pair(const struct tensorfile *file, const char *key)
{
  const char *value = tensorfile_metadata(file, key);
  return value ? value : "";
}

static enum status check_pair(const struct tensorfile *file, const char *key, const char *wanted, struct error *error)
{
  const char *value = pair(file, key);
  if (!strcmp(value, wanted)) return OK;
  return fail(error, BAD_DATA, "%s is \"%.100s\", not \"%.100s\"", key, value, wanted);
}

// Files from before there was a choice do not say it.
static enum status check_variant(const struct tensorfile *file, const char *wanted, struct error *error)
{
  const char *value = tensorfile_metadata(file, "variant");
  return value || strcmp(wanted, "v1") != 0 ? check_pair(file, "variant", wanted, error) : OK;
}

static enum status check_classes(const struct tensorfile *file, const struct checkpoint_subject *subject,
                                 struct error *error)
{
  json_t *list = json_loads(pair(file, "classes"), 0, NULL);
  enum status status = OK;
  if (!json_is_array(list) || json_array_size(list) != subject->class_count)
    status = fail(error, BAD_DATA, "it has %zu classes, not %zu", json_array_size(list), subject->class_count);
  for (size_t c = 0; !status && c < subject->class_count; c++) {
    const char *name = json_string_value(json_array_get(list, c));
    if (!name || strcmp(name, subject->classes[c]) != 0)
      status =
          fail(error, BAD_DATA, "class %zu is \"%.100s\", not \"%.100s\"", c, name ? name : "", subject->classes[c]);
  }
  json_decref(list);
  return status;
}

enum status checkpoint_text_check(const struct tensorfile *file, const struct checkpoint_subject *subject,
                                  struct error *error)
{
  char size[16];
  snprintf(size, sizeof size, "%d", subject->input_size);
  enum status status = check_pair(file, "format", CHECKPOINT_FORMAT, error);
  if (!status) status = check_pair(file, "model", subject->model, error);
  if (!status) status = check_variant(file, subject->variant, error);
  if (!status) status = check_pair(file, "input_size", size, error);
  if (!status) status = check_pair(file, "resize_fit", subject->resize_fit, error);
  if (!status) status = check_pair(file, "resize_filter", subject->resize_filter, error);
  if (!status && subject->run_key) status = check_pair(file, "run_key", subject->run_key, error);
  return status ? status : check_classes(file, subject, error);
}

// --- reading the state -----------------------------------------------------------------------------------------------

// Collects whether all fields were there and of their kind.
struct reader {
  const json_t *object;
  const char *wrong; // the first field that was not
};

static int64_t read_count(struct reader *reader, const char *name, int64_t limit)
{
  const json_t *value = json_object_get(reader->object, name);
  json_int_t number = json_integer_value(value);
  if (json_is_integer(value) && number >= 0 && number <= limit) return number;
  if (!reader->wrong) reader->wrong = name;
  return 0;
}

static double read_real(struct reader *reader, const char *name)
{
  const char *text = json_string_value(json_object_get(reader->object, name));
  char *end = NULL;
  double number = text ? strtod(text, &end) : 0;
  if (text && *text && end && !*end) return number;
  if (!reader->wrong) reader->wrong = name;
  return 0;
}

static enum status read_progress(const json_t *object, struct fit_progress *out, struct error *error)
{
  struct reader reader = {object, NULL};
  *out = (struct fit_progress){
      .epoch = (int)read_count(&reader, "epoch", CHECKPOINT_EPOCH_LIMIT),
      .step = (uint64_t)read_count(&reader, "step", INT64_MAX),
      .batches = (size_t)read_count(&reader, "batches", UINT32_MAX),
      .correct = (uint64_t)read_count(&reader, "correct", UINT32_MAX),
      .best_epoch = (int)read_count(&reader, "best_epoch", CHECKPOINT_EPOCH_LIMIT),
      .loss_sum = read_real(&reader, "loss_sum"),
      .seconds = read_real(&reader, "seconds"),
      .best_val_accuracy = read_real(&reader, "best_val_accuracy"),
      .best_val_loss = read_real(&reader, "best_val_loss"),
  };
  if (reader.wrong) return fail(error, BAD_DATA, "progress has no good %s", reader.wrong);
  if (out->best_epoch > out->epoch)
    return fail(error, BAD_DATA, "the best epoch is %d of %d", out->best_epoch, out->epoch);
  if (!isfinite(out->loss_sum)) return fail(error, BAD_DATA, "progress has no finite loss_sum");
  return OK;
}

static enum status read_epoch(const json_t *object, int epoch, struct epoch_figures *out, struct error *error)
{
  struct reader reader = {object, NULL};
  *out = (struct epoch_figures){
      .epoch = epoch,
      .train_loss = read_real(&reader, "train_loss"),
      .train_accuracy = read_real(&reader, "train_accuracy"),
      .val_loss = read_real(&reader, "val_loss"),
      .val_accuracy = read_real(&reader, "val_accuracy"),
      .lr = read_real(&reader, "lr"),
      .seconds = read_real(&reader, "seconds"),
      .images_per_second = read_real(&reader, "images_per_second"),
  };
  return reader.wrong ? fail(error, BAD_DATA, "epoch %d of the history has no good %s", epoch, reader.wrong) : OK;
}

static enum status read_state(const json_t *progress, const json_t *history, struct checkpoint_state *out,
                              struct error *error)
{
  enum status status = read_progress(progress, &out->progress, error);
  if (status) return status;
  int epochs = out->progress.epoch;
  if (!json_is_array(history) || json_array_size(history) != (size_t)epochs)
    return fail(error, BAD_DATA, "the history has %zu epochs, not %d", json_array_size(history), epochs);
  status = mem_zeroed((void **)&out->history, (size_t)epochs + 1, sizeof *out->history, "the history", error);
  for (int e = 0; !status && e < epochs; e++)
    status = read_epoch(json_array_get(history, (size_t)e), e + 1, &out->history[e], error);
  return status;
}

void checkpoint_state_release(struct checkpoint_state *state)
{
  free(state->history);
  state->history = NULL;
}

enum status checkpoint_text_state(const struct tensorfile *file, struct checkpoint_state *out, struct error *error)
{
  *out = (struct checkpoint_state){0};
  json_t *progress = json_loads(pair(file, "progress"), 0, NULL);
  json_t *history = json_loads(pair(file, "history"), 0, NULL);
  enum status status = read_state(progress, history, out, error);
  json_decref(progress);
  json_decref(history);
  if (status) checkpoint_state_release(out);
  return status;
}
