#include "config/keys_table.h"

#include <stdio.h>
#include <string.h>

#define CHOICES(...)                                                                                                   \
  (const char *const[])                                                                                                \
  {                                                                                                                    \
    __VA_ARGS__, NULL                                                                                                  \
  }

// In the order of the pipeline's stages, which is also args.yaml's. Keys of one section stand together.
// name, type, low, high, ends, choices, default, help
const struct config_key config_keys[] = {
    {"name", KEY_NAME, 0, 0, 0, NULL, "",
     "name of the run and of its folder in runs/; if unset, the configuration file's name"},
    {"seed", KEY_INTEGER, 0, 4294967295.0, 0, NULL, "0",
     "seed of the split, the initial weights, shuffling, dropout and augmentation"},

    {"dataset.train", KEY_LIST, 0, 0, 0, NULL, "",
     "folders with one folder of images per class; a run trains on all of them together, classes matched by name"},
    {"dataset.test", KEY_LIST, 0, 0, 0, NULL, "",
     "outside tests: folders with one folder of images per class, never trained on and evaluated after training"},

    {"synth.out", KEY_TEXT, 0, 0, 0, NULL, "", "folder of the rendered images; if unset, `synth` next to the manifest"},
    {"synth.per_class", KEY_INTEGER, 1, 10000000, 0, NULL, "300", "images to render of each of the 29 classes"},
    {"synth.size", KEY_INTEGER, 32, 1024, 0, NULL, "200", "side of the rendered images in pixels"},
    {"synth.seed", KEY_INTEGER, 0, 4294967295.0, 0, NULL, "0", "seed of everything random in the rendered images"},
    {"synth.video", KEY_INTEGER, 1, 1000000, 0, NULL, "100",
     "frames of a class that share person, place and camera while the hand moves slowly"},
    {"synth.variety", KEY_REAL, 0, 1, 0, NULL, "1",
     "share of the full range over which pose, position, distance, roll, noise and clutter vary"},
    {"synth.independent", KEY_FLAG, 0, 0, 0, NULL, "false",
     "render each image by itself, as if it were a video of its own"},
    {"synth.beside", KEY_FLAG, 0, 0, 0, NULL, "false",
     "train on the rendered images in addition to those of dataset.train"},

    {"split.method", KEY_CHOICE, 0, 0, 0, CHOICES("random", "grouped", "blocks", "folder"), "grouped",
     "grouped: near-duplicates stay in one part; blocks: ranges of frames; folder: as in DIR/{train,val,test}/CLASS"},
    {"split.val", KEY_REAL, 0, 1, ENDS_OPEN_HIGH, NULL, "0.2", "share of the images for validation"},
    {"split.test", KEY_REAL, 0, 1, ENDS_OPEN_HIGH, NULL, "0", "share of the images held back for a final test"},
    {"split.bits", KEY_INTEGER, 0, 32, 0, NULL, "5",
     "images of one class whose 64-bit hashes differ in at most this many bits are neighbours"},
    {"split.frames", KEY_INTEGER, 0, 1000, 0, NULL, "5",
     "frames of one video whose numbers differ by at most this are neighbours too"},
    {"split.blocks", KEY_INTEGER, 1, 1000, 0, NULL, "5",
     "blocks: number of ranges of frames, each with a stretch for val and one for test"},
    {"split.gap", KEY_INTEGER, 0, 1000000, 0, NULL, "10",
     "blocks: frames on either side of a stretch that go to no part"},

    {"resize.size", KEY_INTEGER, 0, 0, 0, CHOICES("100", "224"), "100", "side of the square in pixels"},
    {"resize.fit", KEY_CHOICE, 0, 0, 0, CHOICES("stretch", "letterbox", "center_crop"), "stretch",
     "how an image that is not square is made square"},
    {"resize.filter", KEY_CHOICE, 0, 0, 0, CHOICES("area", "linear", "cubic", "lanczos", "nearest"), "area",
     "how pixels are interpolated; area is antialiased where an image becomes smaller"},

    {"augment.mode", KEY_CHOICE, 0, 0, 0, CHOICES("off", "online", "copies"), "off",
     "online: new variants in each epoch; copies: made once and kept as files"},
    {"augment.copies", KEY_INTEGER, 1, 100, 0, NULL, "1", "augmented copies of each training image, for mode copies"},
    {"augment.rotate", KEY_REAL, 0, 30, 0, NULL, "0", "degrees, either way"},
    {"augment.translate", KEY_REAL, 0, 0.5, 0, NULL, "0", "share of the side, either way"},
    {"augment.zoom", KEY_REAL, 0, 0.9, 0, NULL, "0", "scale drawn from 1 - zoom to 1 + zoom"},
    {"augment.shear", KEY_REAL, 0, 20, 0, NULL, "0", "degrees, either way"},
    {"augment.brightness", KEY_REAL, 0, 0.9, 0, NULL, "0", "factor drawn from 1 - b to 1 + b"},
    {"augment.contrast", KEY_REAL, 0, 0.9, 0, NULL, "0", "factor drawn from 1 - c to 1 + c"},
    {"augment.saturation", KEY_REAL, 0, 0.9, 0, NULL, "0", "factor drawn from 1 - s to 1 + s"},
    {"augment.noise", KEY_REAL, 0, 64, 0, NULL, "0", "standard deviation in grey levels, at most"},
    {"augment.flip", KEY_REAL, 0, 1, 0, NULL, "0",
     "probability of mirroring the image; a mirrored hand can be another sign, or none"},
    {"augment.zoom_out", KEY_REAL, 0, 0.9, 0, NULL, "0",
     "scale drawn from 1 - zoom_out instead of 1 - zoom, if that is lower"},
    {"augment.aspect", KEY_REAL, 0, 1, 0, NULL, "0",
     "width over height is multiplied by a factor from 1 / (1 + a) to 1 + a"},
    {"augment.perspective", KEY_REAL, 0, 0.2, 0, NULL, "0", "how much nearer one side is than the centre, either way"},
    {"augment.hue", KEY_REAL, 0, 180, 0, NULL, "0", "degrees, either way"},
    {"augment.grey", KEY_REAL, 0, 1, 0, NULL, "0", "probability of an image without colour"},
    {"augment.gain", KEY_REAL, 0, 0.5, 0, NULL, "0", "factor of each channel drawn from 1 - g to 1 + g: white balance"},
    {"augment.gamma", KEY_REAL, 0, 1, 0, NULL, "0", "exponent of the levels drawn from 1 / (1 + g) to 1 + g"},
    {"augment.border", KEY_CHOICE, 0, 0, 0, CHOICES("mirror", "edge", "colour", "mixed"), "mirror",
     "what fills the area outside the image: its mirror image, its edge pixels, a colour, or one of these at random"},
    {"augment.background", KEY_REAL, 0, 1, 0, NULL, "0",
     "probability of another background, where the hand can be separated from its own"},
    {"augment.background_pictures", KEY_REAL, 0, 1, 0, NULL, "0.5",
     "share of those backgrounds that are training images of the class nothing; the others are textures"},
    {"augment.shadow", KEY_REAL, 0, 0.9, 0, NULL, "0", "greatest strength of a shadow; half of the images have one"},
    {"augment.erase", KEY_REAL, 0, 1, 0, NULL, "0", "probability of a rectangle over the image"},
    {"augment.blur", KEY_REAL, 0, 3, 0, NULL, "0",
     "greatest blur, as a standard deviation in pixels; half of the images have some"},
    {"augment.motion", KEY_REAL, 0, 12, 0, NULL, "0", "greatest motion blur in pixels; half of the images have some"},
    {"augment.resolution", KEY_REAL, 0, 0.7, 0, NULL, "0",
     "greatest share of its resolution that an image loses; half of the images lose some"},
    {"augment.jpeg", KEY_REAL, 0, 1, 0, NULL, "0", "probability of JPEG compression, at a quality of 15 to 85"},

    {"model.name", KEY_CHOICE, 0, 0, 0, CHOICES("seed-cnn", "resnet50"), "seed-cnn", "the network"},
    {"model.dropout", KEY_REAL, 0, 1, ENDS_OPEN_HIGH, NULL, "0.3", "share of activations dropped in training"},
    {"model.trainable", KEY_CHOICE, 0, 0, 0, CHOICES("all", "last4", "head"), "all",
     "resnet50: train all layers; the trunk's last four and the head; or the head alone"},
    {"model.variant", KEY_CHOICE, 0, 0, 0, CHOICES("v1", "v1.5"), "v1",
     "resnet50: v1 is Keras'; v1.5 torchvision's: stride on the 3x3 convolution, RGB scaled to mean 0 and deviation 1"},
    {"model.zero_gamma", KEY_FLAG, 0, 0, 0, NULL, "false",
     "resnet50, random weights: each block's last batch norm starts at 0, so that the block starts as its shortcut"},
    {"model.weights", KEY_LIST, 0, 0, 0, NULL, "none",
     "what to start from: imagenet, none (random weights), files (Keras' HDF5, safetensors); the first that is there"},
    {"model.weights_url", KEY_TEXT, 0, 0, 0, NULL, "",
     "where imagenet is downloaded from; if unset, Keras' own address"},
    {"model.start", KEY_TEXT, 0, 0, 0, NULL, "",
     "fine-tuning: start from the weights of this run of the manifest, or of the checkpoint at this path"},

    {"features.storage", KEY_CHOICE, 0, 0, 0, CHOICES("auto", "bf16", "u8"), "auto",
     "how features are stored: bf16, which is auto; u8, in half the space, for a small loss (ACCURACY.md)"},
    {"features.precision", KEY_CHOICE, 0, 0, 0, CHOICES("auto", "int8"), "auto",
     "what the frozen part computes in: auto, as train.precision; int8, faster without bf16, for a small loss"},
    {"features.calibrate", KEY_INTEGER, 1, 4096, 0, NULL, "64",
     "int8: number of training images used to choose the byte ranges; as many others are used to check the result"},
    {"features.least_cosine", KEY_REAL, 0, 1, 0, NULL, "0.99",
     "int8: the stage fails if the features that are checked have a mean cosine below this to those in fp32"},
    {"features.file_mib", KEY_INTEGER, 1, 65536, 0, NULL, "64",
     "largest size of a file of features in MiB; a stage that is killed loses at most one file"},

    {"train.epochs", KEY_INTEGER, 1, 100000, 0, NULL, "10", "passes over the training images"},
    {"train.batch", KEY_INTEGER, 1, 4096, 0, NULL, "64", "images per optimizer step"},
    {"train.optimizer", KEY_CHOICE, 0, 0, 0, CHOICES("adam", "adamw", "sgd", "muon"), "adam",
     "defaults are Keras'; muon: steps of dense, pointwise and full kernels are made orthogonal, the rest is adamw's"},
    {"train.lr", KEY_REAL, 0, 10, ENDS_OPEN_LOW, NULL, "0.001", "learning rate"},
    {"train.muon_lr", KEY_REAL, 0, 10, ENDS_OPEN_LOW, NULL, "0.02",
     "muon: learning rate of its kernels, times sqrt(outputs / inputs) where outputs are more; it changes as train.lr"},
    {"train.lr_inputs", KEY_INTEGER, 0, 1000000, 0, NULL, "0",
     "adam, adamw: a kernel with more inputs than this uses lr * this / inputs; 0: all use lr"},
    {"train.momentum", KEY_REAL, 0, 1, ENDS_OPEN_HIGH, NULL, "0.9", "momentum of sgd and muon"},
    {"train.beta1", KEY_REAL, 0, 1, ENDS_OPEN_HIGH, NULL, "0.9", "adam, adamw, muon: decay of the mean gradient"},
    {"train.beta2", KEY_REAL, 0, 1, ENDS_OPEN_HIGH, NULL, "0.999",
     "adam, adamw, muon: decay of the mean squared gradient"},
    {"train.epsilon", KEY_REAL, 0, 1, ENDS_OPEN_LOW, NULL, "1e-7", "adam, adamw, muon: added to the divisor"},
    {"train.weight_decay", KEY_REAL, 0, 1, 0, NULL, "0", "weight decay of kernels, not of biases"},
    {"train.schedule", KEY_CHOICE, 0, 0, 0, CHOICES("constant", "cosine", "step"), "constant",
     "how the learning rate changes"},
    {"train.final_lr", KEY_REAL, 0, 10, 0, NULL, "0", "cosine: learning rate at the end"},
    {"train.warmup_epochs", KEY_REAL, 0, 1000, 0, NULL, "0",
     "epochs at the start in which the learning rate rises from 0; 0.25: a quarter of the first"},
    {"train.step_epochs", KEY_INTEGER, 1, 100000, 0, NULL, "10",
     "step: every this many epochs the learning rate is multiplied by step_factor"},
    {"train.step_factor", KEY_REAL, 0, 1, ENDS_OPEN_LOW, NULL, "0.1", "step: what the learning rate is multiplied by"},
    {"train.patience", KEY_INTEGER, 0, 100000, 0, NULL, "0",
     "stop after this many epochs without a better validation accuracy; 0: never"},
    {"train.label_smoothing", KEY_REAL, 0, 1, ENDS_OPEN_HIGH, NULL, "0",
     "share of each label that is spread over all classes"},
    {"train.mixup", KEY_REAL, 0, 2, 0, NULL, "0",
     "alpha: each image is mixed with another, by shares from Beta(alpha, alpha); 0: none is"},
    {"train.ema", KEY_REAL, 0, 0.99999, 0, NULL, "0",
     "decay of a moving average of the weights, which is then what is validated and kept as best; 0: no average"},
    {"train.centralize", KEY_FLAG, 0, 0, 0, NULL, "false",
     "subtract from each kernel's gradient its mean over the inputs; lets training start at learning rates at which it "
     "otherwise would not"},
    {"train.precision", KEY_CHOICE, 0, 0, 0, CHOICES("auto", "fp32", "bf16"), "auto",
     "auto: bf16 where the CPU is faster with it, else fp32"},
    {"train.kernels", KEY_CHOICE, 0, 0, 0, CHOICES("native", "onednn", "reference"), "native",
     "native: our own vector kernels; onednn: the library oneDNN; reference: plain and slow, for checks"},
    {"train.checkpoint_seconds", KEY_REAL, 0, 86400, 0, NULL, "60",
     "seconds between checkpoints within an epoch; 0: only at its end"},

    {"evaluate.parts", KEY_LIST, 0, 0, 0, CHOICES("train", "val", "test"), "val,test",
     "the parts of the split to evaluate on"},
    {"report.samples", KEY_INTEGER, 0, 200, 0, NULL, "24", "images on a page of samples"},
};

const size_t config_key_count = sizeof config_keys / sizeof *config_keys;

int config_key_find(const char *name)
{
  for (size_t i = 0; i < config_key_count; i++)
    if (!strcmp(config_keys[i].name, name)) return (int)i;
  return -1;
}

static void list_choices(const char *const *choices, char *out, size_t size)
{
  size_t used = 0;
  out[0] = '\0';
  for (size_t i = 0; choices[i] && used < size; i++) {
    const char *between = i == 0 ? "" : choices[i + 1] ? ", " : " or ";
    int length = snprintf(out + used, size - used, "%s%s", between, choices[i]);
    used += length > 0 ? (size_t)length : 0;
  }
}

void config_key_allowed(const struct config_key *key, char *out, size_t size)
{
  if (key->choices) {
    list_choices(key->choices, out, size);
    return;
  }
  switch (key->type) {
  case KEY_INTEGER:
    snprintf(out, size, "%.0f to %.0f", key->low, key->high);
    return;
  case KEY_REAL:
    if (key->ends == ENDS_OPEN_LOW)
      snprintf(out, size, "above %g, at most %g", key->low, key->high);
    else if (key->ends == ENDS_OPEN_HIGH)
      snprintf(out, size, "%g or more, below %g", key->low, key->high);
    else
      snprintf(out, size, "%g to %g", key->low, key->high);
    return;
  case KEY_FLAG:
    snprintf(out, size, "true or false");
    return;
  case KEY_NAME:
    snprintf(out, size, "letters, digits, '.', '_' and '-', at most 64, not starting with '.' or '-'");
    return;
  case KEY_LIST:
    snprintf(out, size, "a list of texts");
    return;
  default:
    snprintf(out, size, "a text");
    return;
  }
}

// Levenshtein's distance, with a limit on length that every known key keeps.
enum { NAME_LIMIT = 48 };

static size_t distance(const char *a, const char *b)
{
  size_t m = strlen(a), n = strlen(b), row[NAME_LIMIT + 1];
  if (m > NAME_LIMIT || n > NAME_LIMIT) return NAME_LIMIT;
  for (size_t j = 0; j <= n; j++) row[j] = j;
  for (size_t i = 1; i <= m; i++) {
    size_t diagonal = row[0];
    row[0] = i;
    for (size_t j = 1; j <= n; j++) {
      size_t above = row[j], best = diagonal + (a[i - 1] != b[j - 1]);
      if (above + 1 < best) best = above + 1;
      if (row[j - 1] + 1 < best) best = row[j - 1] + 1;
      diagonal = above;
      row[j] = best;
    }
  }
  return row[n];
}

static const char *last_part(const char *name)
{
  const char *dot = strrchr(name, '.');
  return dot ? dot + 1 : name;
}

const char *config_key_suggestion(const char *name)
{
  const char *best = NULL;
  size_t least = strlen(name) / 3 + 1; // farther away is another word
  for (size_t i = 0; i < config_key_count; i++) {
    const char *known = config_keys[i].name;
    size_t whole = distance(name, known);
    // "epochs" or "model.epochs" for train.epochs: the right word in the wrong place; a whole match goes first.
    size_t last = distance(last_part(name), last_part(known)) + (strcmp(last_part(name), name) != 0 ? 1 : 0);
    size_t nearest = whole < last ? whole : last;
    if (nearest < least) least = nearest, best = known;
  }
  return best;
}
