// synth: draws a dataset of hands, 29 signs in Kaggle's layout, by seed. A rerun compares every file with the digest in
// the manifest and draws what is missing; with another seed or size it wants another folder.
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "data/drawn.h"
#include "image/codec.h"
#include "stage/stage.h"

static enum status settings(struct stage *stage, struct drawn *drawn, struct error *error)
{
  const struct config *config = stage_config(stage);
  *drawn = (struct drawn){.side = (int)config_integer(config, "synth.size"),
                          .per_class = (uint64_t)config_integer(config, "synth.per_class")};
  drawn->series.variety = (float)config_real(config, "synth.variety");
  drawn->series.seed = (uint64_t)config_integer(config, "synth.seed");
  drawn->series.video = config_flag(config, "synth.independent") ? 1 : (uint32_t)config_integer(config, "synth.video");
  const char *out = config_text(config, "synth.out");
  return out[0] ? path_join(drawn->root, "", out, error) : path_join(drawn->root, stage_folder(stage), "synth", error);
}

// --- one image again
// ---------------------------------------------------------------------------------------------------

static enum status which_image(struct stage *stage, int *class, uint64_t *index, struct error *error)
{
  const char *name = stage_option(stage, "class"), *number = stage_option(stage, "index");
  char *end = NULL;
  if (!name || !number) return fail(error, BAD_USAGE, "--replay needs --class and --index: which image");
  *class = hand_class_of_name(name);
  if (*class < 0)
    return fail(error, BAD_USAGE, "--class %s: no such class; allowed: A to Z, del, nothing, space", name);
  errno = 0;
  long long value = strtoll(number, &end, 10);
  if (errno || end == number || *end || value < 1)
    return fail(error, BAD_USAGE, "--index %s: not the number of an image; allowed: 1 and more, as in A1.jpg", number);
  *index = (uint64_t)value - 1;
  return OK;
}

// Says whether the dataset's file has the same bytes, where there is one.
static void compare(struct stage *stage, const struct drawn *drawn, int class, uint64_t index, const uint8_t *bytes,
                    size_t size)
{
  char path[PATH_LIMIT];
  uint8_t *there = NULL;
  size_t length = 0;
  if (drawn_path(drawn, class, index + 1, path, NULL) || file_read(&there, &length, path, DECODE_FILE_LIMIT, NULL))
    return;
  bool same = length == size && memcmp(there, bytes, size) == 0;
  stage_say(stage, same ? "synth: the same bytes as %s" : "synth: NOT the bytes of %s", path);
  free(there);
}

static enum status publish(const char *path, const uint8_t *bytes, size_t size, struct error *error)
{
  struct publication file;
  enum status status = publication_open(&file, path, error);
  if (!status) status = file_write_all(file.fd, bytes, size, path, error);
  if (!status) status = publication_commit(&file, error);
  publication_discard(&file);
  return status;
}

static enum status replay(struct stage *stage, const struct drawn *drawn, const char *path, struct error *error)
{
  struct renderer *renderer = NULL;
  struct image image = {0};
  struct frame frame;
  uint8_t *bytes = NULL;
  size_t size = 0;
  int class = 0;
  uint64_t index = 0;
  char text[FRAME_TEXT];
  enum status status = which_image(stage, &class, &index, error);
  if (!status) status = renderer_new(&renderer, drawn->side, error);
  if (!status) {
    frame_make(&frame, &drawn->series, class, index);
    status = frame_draw(renderer, &frame, &image, error);
  }
  if (!status) status = frame_encode(&frame, &image, &bytes, &size, error);
  if (!status) status = publish(path, bytes, size, error);
  if (!status) {
    frame_describe(&frame, text, sizeof text);
    printf("%s\n", text);
    compare(stage, drawn, class, index, bytes, size);
  }
  free(bytes);
  image_release(&image);
  renderer_free(renderer);
  return status;
}

// --- the dataset
// -------------------------------------------------------------------------------------------------------

// Another dataset is to be trained on, or this configuration never spoke of rendered images.
static const char *why_not(struct stage *stage, const struct drawn *drawn)
{
  const struct config *config = stage_config(stage);
  if (!config_has_file(config)) return NULL; // asked by this command alone
  if (!config_draws(config)) return "the configuration has no synth section";
  for (size_t i = 0; i < config_list_length(config, "dataset.train"); i++)
    if (!strcmp(config_list_item(config, "dataset.train", i), drawn->root)) return NULL;
  return "dataset.train names other images";
}

static enum status make_root(struct drawn *drawn, struct error *error)
{
  char given[PATH_LIMIT];
  enum status status = path_join(given, "", drawn->root, error);
  if (!status) status = folder_make(given, error);
  if (status) return status;
  return realpath(given, drawn->root) ? OK : fail_errno(error, "cannot open the folder %s", given);
}

static enum status draw(struct stage *stage, struct drawn *drawn, struct error *error)
{
  char all[STAGE_NUMBER_LIMIT], text[STAGE_NUMBER_LIMIT + PATH_LIMIT + 16];
  uint64_t made = 0;
  enum status status = make_root(drawn, error);
  stage_subject(stage, drawn->root);
  if (!status) status = drawn_update(stage, drawn, &made, error);
  if (status || made) return status;
  stage_number(drawn->per_class * HAND_CLASSES, all);
  snprintf(text, sizeof text, "%s images in %s", all, drawn->root);
  stage_up_to_date(stage, text);
  return OK;
}

static enum status work(struct stage *stage, struct error *error)
{
  struct drawn drawn;
  const char *path = stage_option(stage, "replay"), *reason = NULL;
  enum status status = settings(stage, &drawn, error);
  if (status) return status;
  if (path) return replay(stage, &drawn, path, error);
  if (stage_option(stage, "class") || stage_option(stage, "index"))
    return fail(error, BAD_USAGE, "--class and --index are of --replay FILE, which draws one image again");
  if ((reason = why_not(stage, &drawn))) {
    stage_say(stage, "synth: nothing to draw: %s", reason);
    return OK;
  }
  return draw(stage, &drawn, error);
}

static const struct stage_option options[] = {
    {"out", "DIR", "the folder (synth.out; by default `synth` beside the manifest)"},
    {"per-class", "N", "images of each of the 29 classes (synth.per_class)"},
    {"size", "N", "side of an image in pixels (synth.size)"},
    {"seed", "N", "of everything that is drawn (synth.seed)"},
    {"independent", NULL, "no videos: the next image of a class is of another person and place (synth.independent)"},
    {"replay", "FILE", "draw one image again into FILE, its parameters to stdout; with --class and --index"},
    {"class", "NAME", "its class: A to Z, del, nothing, space"},
    {"index", "N", "its number, as in A17.jpg"},
    {0},
};

static const char *const option_keys[] = {
    "synth.out", "synth.per_class", "synth.size", "synth.seed", "synth.independent", NULL,
};

static const struct stage_definition synth = {
    .name = "synth",
    .summary = "draws a dataset of hands that sign the alphabet: 29 folders of JPEGs, the same for the same seed",
    .example = "build/stages/synth --manifest work/manifest.db --out renders --per-class 300 --size 200 --seed 0",
    .options = options,
    .option_keys = option_keys,
    .work = work,
};

int main(int argc, char **argv)
{
  return stage_main(&synth, argc, argv);
}
