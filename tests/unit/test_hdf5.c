// Weights in Keras' HDF5 layout: what is exported is imported bit for bit, in every form that Keras wrote over the
// years; and files that somebody made to hurt the reader, or that were cut or changed on the way, are refused with a
// message that says what and where.
#include <hdf5.h>
#include <math.h>
#include <sys/stat.h>

#include "core/child.h"
#include "core/digest.h"
#include "store/tensorfile.h"
#include "weights/import.h"
#include "weights/match.h"
#include "weights/source.h"
#include "weights_fixture.h"

#include "check.h"
#include "folder.h"

static const char *target(void)
{
  return in_folder("imported.safetensors");
}

static enum status import_file(const char *path, struct error *error)
{
  const struct import_options options = {.source = path, .target = target(), .width = WIDTH};
  unlink(options.target);
  return import_weights(&options, error);
}

static const char *export_fixture(const struct fixture *fixture, const char *name)
{
  const char *path = in_folder(name);
  struct error error = {0};
  enum status status = export_keras(path, fixture->tensors, LAYOUT_TENSORS, &error);
  if (status) fail_msg("%s", error.text);
  return path;
}

// What was imported is the fixture's, bit for bit, in the order of the list.
static void check_imported(const struct fixture *fixture, const char *naming)
{
  struct tensorfile *file = NULL;
  assert_int_equal(import_check(target(), WIDTH, NULL), OK);
  assert_int_equal(tensorfile_open(&file, target(), NULL), OK);
  assert_string_equal(tensorfile_metadata(file, "naming"), naming);
  assert_string_equal(tensorfile_metadata(file, "preprocessing"), "caffe");
  for (size_t i = 0; i < LAYOUT_TENSORS; i++) {
    assert_string_equal(tensorfile_info(file, i)->name, fixture->layout[i].name);
    assert_memory_equal(tensorfile_data(file, i), fixture->tensors[i].values,
                        layout_count(&fixture->layout[i]) * sizeof(float));
  }
  tensorfile_close(file);
}

static void expect_import(const struct fixture *fixture, const char *path, const char *naming)
{
  struct error error = {0};
  if (import_file(path, &error)) fail_msg("%s: %s", path, error.text);
  check_imported(fixture, naming);
}

// --- what Keras wrote over the years ---------------------------------------------------------------------------------

static void test_list(void **state)
{
  (void)state;
  struct layout_tensor *layout = NULL;
  assert_int_equal(layout_new(&layout, LAYOUT_WIDTH, NULL), OK);
  uint64_t count = 0;
  for (size_t i = 0; i < LAYOUT_TENSORS; i++) {
    count += layout_count(&layout[i]);
    for (size_t j = 0; j < i; j++) {
      assert_string_not_equal(layout[i].name, layout[j].name);
      if (*layout[i].torch) assert_string_not_equal(layout[i].torch, layout[j].torch);
      assert_false(layout[i].weight == layout[j].weight && !strcmp(layout[i].old_layer, layout[j].old_layer));
    }
  }
  assert_int_equal(count, 23587712); // keras.applications.ResNet50(include_top=False).count_params()
  assert_string_equal(layout[0].name, "conv1_conv/kernel");
  assert_string_equal(layout[LAYOUT_TENSORS - 1].name, "conv5_block3_3_bn/moving_variance");
  assert_string_equal(layout[LAYOUT_TENSORS - 1].old_layer, "bn5c_branch2c");
  assert_string_equal(layout[LAYOUT_TENSORS - 1].torch, "layer4.2.bn3.running_var");
  free(layout);
}

static void test_round_trip(void **state)
{
  struct fixture *fixture = *state;
  const char *path = export_fixture(fixture, "good.h5");
  char first[DIGEST_TEXT], second[DIGEST_TEXT];
  uint64_t size;
  expect_import(fixture, path, "Keras");
  assert_int_equal(digest_of_file(first, &size, path, NULL), OK);
  assert_int_equal(digest_of_file(second, &size, export_fixture(fixture, "again.h5"), NULL), OK);
  assert_string_equal(first, second); // no time stamps
}

static void test_old_names(void **state)
{
  struct fixture *fixture = *state;
  struct fixture old = *fixture;
  for (size_t i = 0; i < LAYOUT_TENSORS; i++) {
    snprintf(old.names[i], sizeof old.names[i], "%s/%s", old.layout[i].old_layer,
             layout_weight_name(old.layout[i].weight));
    old.tensors[i].name = old.names[i];
  }
  const char *path = in_folder("old.h5");
  assert_int_equal(export_keras(path, old.tensors, LAYOUT_TENSORS, NULL), OK);
  expect_import(fixture, path, "Keras before 2.2.5");
}

static hid_t open_again(const char *path)
{
  hid_t file = H5Fopen(path, H5F_ACC_RDWR, H5P_DEFAULT);
  assert_true(file >= 0);
  return file;
}

// Writes an attribute anew: texts of variable length, or of `size` bytes each.
static void set_names(hid_t object, const char *attribute, const char *const *names, size_t count, size_t size)
{
  hsize_t extent = count;
  hid_t type = H5Tcopy(H5T_C_S1), space = H5Screate_simple(1, &extent, NULL);
  H5Tset_size(type, size ? size : H5T_VARIABLE);
  H5Tset_strpad(type, size ? H5T_STR_NULLPAD : H5T_STR_NULLTERM);
  if (!size) H5Tset_cset(type, H5T_CSET_UTF8); // as h5py does
  if (H5Aexists(object, attribute) > 0) H5Adelete(object, attribute);
  hid_t made = H5Acreate2(object, attribute, type, space, H5P_DEFAULT, H5P_DEFAULT);
  assert_true(made >= 0);
  char *block = calloc(count, size ? size : 1);
  for (size_t i = 0; size && i < count; i++) memcpy(block + i * size, names[i], strnlen(names[i], size));
  assert_true(H5Awrite(made, type, size ? (const void *)block : names) >= 0);
  free(block);
  H5Aclose(made);
  H5Sclose(space);
  H5Tclose(type);
}

static void set_layer_weights(hid_t file, const char *layer, const char *const *names, size_t count)
{
  hid_t group = H5Gopen2(file, layer, H5P_DEFAULT);
  assert_true(group >= 0);
  set_names(group, "weight_names", names, count, 0);
  H5Gclose(group);
}

static void test_variable_texts(void **state)
{
  struct fixture *fixture = *state;
  const char *path = export_fixture(fixture, "variable.h5");
  hid_t file = open_again(path);
  set_layer_weights(file, "conv1_conv", (const char *const[]){"conv1_conv/kernel:0", "conv1_conv/bias:0"}, 2);
  H5Fclose(file);
  expect_import(fixture, path, "Keras");
}

// Keras 1: no path in a weight's name, other words, and numbers from models built before.
static void test_keras_1(void **state)
{
  struct fixture *fixture = *state;
  const char *path = export_fixture(fixture, "keras1.h5");
  hid_t file = open_again(path);
  H5Lmove(file, "conv1_bn", file, "bn_conv1", H5P_DEFAULT, H5P_DEFAULT);
  const char *const old[] = {"bn_conv1_gamma_1:0", "bn_conv1_beta_1:0", "bn_conv1_running_mean_1:0",
                             "bn_conv1_running_std_1:0"};
  const char *const now[] = {"gamma:0", "beta:0", "moving_mean:0", "moving_variance:0"};
  hid_t group = H5Gopen2(file, "bn_conv1", H5P_DEFAULT);
  hid_t inner = H5Gopen2(group, "conv1_bn", H5P_DEFAULT);
  for (int i = 0; i < 4; i++) assert_true(H5Lmove(inner, now[i], group, old[i], H5P_DEFAULT, H5P_DEFAULT) >= 0);
  set_names(group, "weight_names", old, 4, 40);
  H5Gclose(inner);
  H5Gclose(group);
  // layer_names in two parts, as Keras cuts a long one; the top and a layer without weights stand among them
  const char *layers[LAYOUT_TENSORS];
  size_t count = 0;
  for (size_t i = 0; i < LAYOUT_TENSORS; i++)
    if (!i || strcmp(fixture->layout[i].layer, fixture->layout[i - 1].layer) != 0)
      layers[count++] = !strcmp(fixture->layout[i].layer, "conv1_bn") ? "bn_conv1" : fixture->layout[i].layer;
  hid_t empty = H5Gcreate2(file, "input_1", H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
  hid_t none = H5Screate_simple(1, (hsize_t[]){0}, NULL); // numpy's empty list: numbers
  H5Aclose(H5Acreate2(empty, "weight_names", H5T_IEEE_F64LE, none, H5P_DEFAULT, H5P_DEFAULT));
  H5Sclose(none);
  H5Gclose(empty);
  H5Adelete(file, "layer_names");
  layers[count] = "input_1";
  set_names(file, "layer_names0", layers, 50, 32);
  set_names(file, "layer_names1", layers + 50, count + 1 - 50, 32);
  H5Fclose(file);
  expect_import(fixture, path, "Keras before 2.2.5");
}

static void test_whole_model(void **state)
{
  struct fixture *fixture = *state;
  struct export_tensor tensors[LAYOUT_TENSORS + 2];
  const float top[6] = {0};
  memcpy(tensors, fixture->tensors, sizeof fixture->tensors);
  tensors[LAYOUT_TENSORS] = (struct export_tensor){"fc1000/kernel", 2, {2, 3}, top};
  tensors[LAYOUT_TENSORS + 1] = (struct export_tensor){"fc1000/bias", 1, {3}, top};
  const char *inner = in_folder("inner.h5"), *path = in_folder("model.h5");
  assert_int_equal(export_keras(inner, tensors, LAYOUT_TENSORS + 2, NULL), OK);
  hid_t from = open_again(inner), file = H5Fcreate(path, H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT);
  assert_true(H5Ocopy(from, "/", file, "model_weights", H5P_DEFAULT, H5P_DEFAULT) >= 0);
  H5Fclose(from);
  H5Fclose(file);
  expect_import(fixture, path, "Keras");
  struct tensorfile *imported = NULL;
  assert_int_equal(tensorfile_open(&imported, target(), NULL), OK);
  assert_string_equal(tensorfile_metadata(imported, "ignored"), "fc1000"); // told once
  tensorfile_close(imported);
}

// --- safetensors -----------------------------------------------------------------------------------------------------

static void test_safetensors(void **state)
{
  struct fixture *fixture = *state;
  const char *path = in_folder("good.safetensors");
  assert_int_equal(export_safetensors(path, fixture->tensors, LAYOUT_TENSORS, IMPORT_CAFFE, NULL), OK);
  expect_import(fixture, path, "Keras");
  struct error error = {0};
  fixture->tensors[5].name = "conv1_bn/momentum";
  path = in_folder("missing.safetensors");
  assert_int_equal(export_safetensors(path, fixture->tensors, LAYOUT_TENSORS, IMPORT_CAFFE, NULL), OK);
  fixture->tensors[5].name = fixture->names[5];
  assert_int_equal(import_file(path, &error), BAD_DATA);
  assert_non_null(strstr(error.text, "layer conv1_bn (bn_conv1 in old files), weight moving_variance is missing"));
}

// The fixture as torchvision would have it: other names, other axes, convolutions without bias.
static const char *write_torch(const struct fixture *fixture)
{
  struct export_tensor tensors[LAYOUT_TENSORS + 1];
  size_t count = 0;
  for (size_t i = 0; i < LAYOUT_TENSORS; i++) {
    const struct layout_tensor *tensor = &fixture->layout[i];
    if (!*tensor->torch) continue;
    struct export_tensor *out = &tensors[count++];
    *out = fixture->tensors[i];
    out->name = tensor->torch;
    if (tensor->rank != 4) continue;
    uint64_t area = tensor->shape[0] * tensor->shape[1], ins = tensor->shape[2], outs = tensor->shape[3];
    float *values = malloc(layout_count(tensor) * sizeof *values);
    for (uint64_t o = 0; o < outs; o++)
      for (uint64_t n = 0; n < ins; n++)
        for (uint64_t p = 0; p < area; p++)
          values[(o * ins + n) * area + p] = fixture->tensors[i].values[(p * ins + n) * outs + o];
    const uint64_t shape[] = {outs, ins, tensor->shape[0], tensor->shape[1]};
    memcpy(out->shape, shape, sizeof shape);
    out->values = values;
  }
  const char *path = in_folder("torch.safetensors");
  const float steps = 3;
  tensors[count++] = (struct export_tensor){"bn1.num_batches_tracked", 0, {0}, &steps};
  assert_int_equal(export_safetensors(path, tensors, count, IMPORT_TORCH, NULL), OK);
  for (size_t i = 0; i < count; i++)
    if (tensors[i].rank == 4) free((float *)tensors[i].values);
  return path;
}

static void test_torchvision(void **state)
{
  struct fixture *fixture = *state;
  const char *path = write_torch(fixture);
  struct error error = {0};
  assert_int_equal(import_file(path, &error), BAD_DATA);
  assert_non_null(strstr(error.text, "stride on a block's 3x3"));
  assert_non_null(strstr(error.text, "set model.variant v1.5"));
  const struct import_options options = {.source = path, .target = target(), .width = WIDTH, .stride_on_3x3 = true};
  unlink(options.target);
  if (import_weights(&options, &error)) fail_msg("%s", error.text);
  struct tensorfile *file = NULL;
  assert_int_equal(tensorfile_open(&file, target(), NULL), OK);
  assert_string_equal(tensorfile_metadata(file, "preprocessing"), "torch");
  assert_string_equal(tensorfile_metadata(file, "naming"), "torchvision");
  for (size_t i = 0; i < LAYOUT_TENSORS; i++) { // the same values, or a bias of zeros
    const float *values = tensorfile_data(file, i);
    for (uint64_t v = 0; v < layout_count(&fixture->layout[i]); v++)
      assert_true(values[v] == (*fixture->layout[i].torch ? fixture->tensors[i].values[v] : 0));
  }
  tensorfile_close(file);
  // Keras' weights do not go into torchvision's structure either.
  const struct import_options other = {
      .source = export_fixture(fixture, "v1.h5"), .target = target(), .width = WIDTH, .stride_on_3x3 = true};
  assert_int_equal(import_weights(&other, &error), BAD_DATA);
  assert_non_null(strstr(error.text, "first 1x1"));
  assert_non_null(strstr(error.text, "set model.variant v1"));
  // What we write of such a model has Keras' names, and says by its preprocessing what it is.
  const char *ours = in_folder("v1.5.safetensors");
  assert_int_equal(export_safetensors(ours, fixture->tensors, LAYOUT_TENSORS, IMPORT_TORCH, NULL), OK);
  assert_int_equal(import_file(ours, &error), BAD_DATA);
  assert_non_null(strstr(error.text, "torchvision's preprocessing"));
  const struct import_options back = {.source = ours, .target = target(), .width = WIDTH, .stride_on_3x3 = true};
  unlink(target());
  if (import_weights(&back, &error)) fail_msg("%s", error.text);
}

// --- hostile and damaged files ---------------------------------------------------------------------------------------

static const hsize_t bias_shape[] = {WIDTH};
#define BIAS "conv1_conv/conv1_conv/bias:0"

// Puts a data set of this type, extent and creation list in the place of conv1's bias.
static void replace_bias(hid_t file, hid_t type, int rank, const hsize_t *shape, hid_t plist, const void *values)
{
  assert_true(H5Ldelete(file, BIAS, H5P_DEFAULT) >= 0);
  hid_t space = H5Screate_simple(rank, shape, NULL);
  hid_t set = H5Dcreate2(file, BIAS, type, space, H5P_DEFAULT, plist, H5P_DEFAULT);
  assert_true(set >= 0);
  if (values) assert_true(H5Dwrite(set, H5T_NATIVE_FLOAT, H5S_ALL, H5S_ALL, H5P_DEFAULT, values) >= 0);
  H5Dclose(set);
  H5Sclose(space);
}

static void write_bias(hid_t file, float value)
{
  const float values[WIDTH] = {1, value};
  hid_t set = H5Dopen2(file, BIAS, H5P_DEFAULT);
  assert_true(H5Dwrite(set, H5T_NATIVE_FLOAT, H5S_ALL, H5S_ALL, H5P_DEFAULT, values) >= 0);
  H5Dclose(set);
}

static void external_storage(hid_t file)
{
  hid_t plist = H5Pcreate(H5P_DATASET_CREATE);
  H5Pset_external(plist, "/etc/passwd", 0, WIDTH * sizeof(float));
  replace_bias(file, H5T_IEEE_F32LE, 1, bias_shape, plist, NULL);
  H5Pclose(plist);
}

static void virtual_set(hid_t file)
{
  hid_t plist = H5Pcreate(H5P_DATASET_CREATE), space = H5Screate_simple(1, bias_shape, NULL);
  H5Pset_virtual(plist, space, "/etc/passwd", "x", space);
  replace_bias(file, H5T_IEEE_F32LE, 1, bias_shape, plist, NULL);
  H5Sclose(space);
  H5Pclose(plist);
}

static void chunked_set(hid_t file)
{
  const float values[WIDTH] = {0};
  hid_t plist = H5Pcreate(H5P_DATASET_CREATE);
  H5Pset_chunk(plist, 1, bias_shape);
  H5Pset_deflate(plist, 9);
  replace_bias(file, H5T_IEEE_F32LE, 1, bias_shape, plist, values);
  H5Pclose(plist);
}

static void huge_set(hid_t file)
{
  const hsize_t huge[] = {1000000, 1000000};
  replace_bias(file, H5T_IEEE_F32LE, 2, huge, H5P_DEFAULT, NULL);
}

static void overflowing_set(hid_t file)
{
  const hsize_t huge[] = {1ull << 31, 1ull << 31, 4};
  hid_t plist = H5Pcreate(H5P_DATASET_CREATE);
  const hsize_t chunk[] = {1, 1, 1};
  H5Pset_chunk(plist, 3, chunk); // the library refuses such a contiguous one
  replace_bias(file, H5T_IEEE_F32LE, 3, huge, plist, NULL);
  H5Pclose(plist);
}

static void unwritten_set(hid_t file)
{
  replace_bias(file, H5T_IEEE_F32LE, 1, bias_shape, H5P_DEFAULT, NULL);
}

static void wrong_shape(hid_t file)
{
  const float values[3] = {0};
  replace_bias(file, H5T_IEEE_F32LE, 1, (hsize_t[]){3}, H5P_DEFAULT, values);
}

static void wrong_type(hid_t file)
{
  const float values[WIDTH] = {0};
  replace_bias(file, H5T_IEEE_F64LE, 1, bias_shape, H5P_DEFAULT, values);
}

static void soft_link(hid_t file)
{
  H5Ldelete(file, BIAS, H5P_DEFAULT);
  H5Lcreate_soft("/conv1_bn/conv1_bn/beta:0", file, BIAS, H5P_DEFAULT, H5P_DEFAULT);
}

static void external_link(hid_t file)
{
  H5Ldelete(file, "conv1_conv", H5P_DEFAULT);
  H5Lcreate_external("good.h5", "/conv1_conv", file, "conv1_conv", H5P_DEFAULT, H5P_DEFAULT);
}

static void missing_group(hid_t file)
{
  H5Ldelete(file, "conv5_block3_3_conv", H5P_DEFAULT);
}

static void missing_layer(hid_t file)
{
  H5Adelete(file, "layer_names");
  set_names(file, "layer_names", (const char *const[]){"conv1_conv", "conv1_bn"}, 2, 10);
}

static void group_for_set(hid_t file)
{
  H5Ldelete(file, BIAS, H5P_DEFAULT);
  H5Gclose(H5Gcreate2(file, BIAS, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT));
}

static void step_up(hid_t file)
{
  set_layer_weights(file, "conv1_conv", (const char *const[]){"../conv1_conv/kernel:0"}, 1);
}

static void absolute_name(hid_t file)
{
  set_layer_weights(file, "conv1_conv", (const char *const[]){"/conv1_conv/conv1_conv/kernel:0"}, 1);
}

static void control_characters(hid_t file)
{
  set_layer_weights(file, "conv1_conv", (const char *const[]){"\x1b[2Jkernel:0"}, 1);
}

static void long_name(hid_t file)
{
  char name[400];
  memset(name, 'x', sizeof name - 1);
  name[sizeof name - 1] = '\0';
  set_layer_weights(file, "conv1_conv", (const char *const[]){name}, 1);
}

static void weight_twice(hid_t file)
{
  set_layer_weights(file, "conv1_conv",
                    (const char *const[]){"conv1_conv/kernel:0", "conv1_conv/bias:0", "conv1_conv/bias:0"}, 3);
}

static void too_many_names(hid_t file)
{
  static const char *names[5000];
  for (size_t i = 0; i < 5000; i++) names[i] = "a";
  H5Adelete(file, "layer_names");
  hid_t plist = H5Fget_access_plist(file);
  H5Pclose(plist);
  set_names(file, "layer_names", names, 5000, 1);
}

static void numbers_as_names(hid_t file)
{
  hid_t group = H5Gopen2(file, "conv1_conv", H5P_DEFAULT), space = H5Screate_simple(1, bias_shape, NULL);
  H5Adelete(group, "weight_names");
  H5Aclose(H5Acreate2(group, "weight_names", H5T_IEEE_F64LE, space, H5P_DEFAULT, H5P_DEFAULT));
  H5Sclose(space);
  H5Gclose(group);
}

static void no_weight_names(hid_t file)
{
  H5Adelete_by_name(file, "conv1_conv", "weight_names", H5P_DEFAULT);
}

static void no_layer_names(hid_t file)
{
  H5Adelete(file, "layer_names");
}

static void keras_3(hid_t file)
{
  H5Adelete(file, "layer_names");
  H5Gclose(H5Gcreate2(file, "layers", H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT));
}

static void not_a_number(hid_t file)
{
  write_bias(file, NAN);
}

static void infinite(hid_t file)
{
  write_bias(file, -INFINITY);
}

static void negative_variance(hid_t file)
{
  const float values[WIDTH] = {1, -0.5f};
  hid_t set = H5Dopen2(file, "conv1_bn/conv1_bn/moving_variance:0", H5P_DEFAULT);
  H5Dwrite(set, H5T_NATIVE_FLOAT, H5S_ALL, H5S_ALL, H5P_DEFAULT, values);
  H5Dclose(set);
}

static void test_hostile(void **state)
{
  static const struct {
    const char *name;
    void (*make)(hid_t file);
    const char *message;
  } cases[] = {
      {"external_storage.h5", external_storage,
       "conv1_conv/bias:0: its values are in another file; allowed: in this one"},
      {"virtual.h5", virtual_set, "is a virtual data set; allowed: contiguous ones"},
      {"chunked.h5", chunked_set, "in chunks or compressed; allowed: contiguous data sets"},
      {"huge.h5", huge_set, "declares 4000000000000 bytes, the whole file has"},
      {"overflow.h5", overflowing_set, "its shape overflows"},
      {"unwritten.h5", unwritten_set, "its shape needs 8 bytes, the file stores 0"},
      {"shape.h5", wrong_shape, "layer conv1_conv, weight bias (conv1_conv/bias:0): its shape is [3]; allowed: [2]"},
      {"type.h5", wrong_type, "layer conv1_conv, weight bias (conv1_conv/bias:0): its numbers are not 32-bit floats"},
      {"soft.h5", soft_link, "\"bias:0\" is a soft link; allowed: hard links"},
      {"external.h5", external_link, "conv1_conv: \"conv1_conv\" is an external link; allowed: hard links"},
      {"group.h5", missing_group, "conv5_block3_3_conv is listed but missing"},
      {"layer.h5", missing_layer,
       "layer conv2_block1_1_conv (res2a_branch2a in old files), weight kernel is missing: 6 of ResNet50's 318"},
      {"not_a_set.h5", group_for_set, "\"bias:0\" is not a data set"},
      {"up.h5", step_up, "\"..\" is not a name"},
      {"absolute.h5", absolute_name, "\"\" is not a name"},
      {"control.h5", control_characters, "attribute weight_names holds a name that is no text of 1 to 255 bytes"},
      {"long.h5", long_name, "attribute weight_names holds a name that is no text of 1 to 255 bytes"},
      {"twice.h5", weight_twice, "layer conv1_conv, weight bias is there twice"},
      {"many.h5", too_many_names, "attribute layer_names has 5000 names, at most 4096 are allowed"},
      {"numbers.h5", numbers_as_names, "attribute weight_names does not hold texts"},
      {"no_weights.h5", no_weight_names, "layer conv1_conv has no attribute weight_names"},
      {"no_layers.h5", no_layer_names, "without the attribute layer_names of Keras' weights"},
      {"keras3.h5", keras_3, "Keras 3's .weights.h5"},
      {"nan.h5", not_a_number, "layer conv1_conv, weight bias: value 1 is nan; allowed: finite numbers"},
      {"infinite.h5", infinite, "layer conv1_conv, weight bias: value 1 is -inf; allowed: finite numbers"},
      {"variance.h5", negative_variance, "layer conv1_bn, weight moving_variance: value 1 is -0.5; allowed: finite"},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    struct error error = {0};
    const char *path = export_fixture(*state, cases[i].name);
    hid_t file = open_again(path);
    cases[i].make(file);
    H5Fclose(file);
    assert_int_equal(import_file(path, &error), BAD_DATA);
    if (!strstr(error.text, cases[i].message)) fail_msg("%s: %s", cases[i].name, error.text);
    if (!strstr(error.text, path)) fail_msg("%s is not named: %s", cases[i].name, error.text);
    assert_int_equal(access(target(), F_OK), -1); // nothing half-written
  }
}

static void copy_file(const char *path, const uint8_t *bytes, size_t size)
{
  FILE *file = fopen(path, "wb");
  if (!file || fwrite(bytes, 1, size, file) != size || fclose(file) != 0) abort();
}

static uint8_t *read_file(const char *path, size_t *size)
{
  uint8_t *bytes = NULL;
  assert_int_equal(file_read(&bytes, size, path, 1 << 24, NULL), OK);
  return bytes;
}

static void test_truncated(void **state)
{
  size_t size;
  uint8_t *bytes = read_file(export_fixture(*state, "whole.h5"), &size);
  char path[512];
  snprintf(path, sizeof path, "%s", in_folder("cut.h5"));
  for (size_t cut = 0; cut < 100; cut++) {
    struct error error = {0};
    copy_file(path, bytes, size * cut / 100);
    assert_int_equal(import_file(path, &error), BAD_DATA);
    if (!strstr(error.text, path)) fail_msg("%s", error.text);
  }
  copy_file(path, bytes, size - 1);
  struct error error = {0};
  assert_int_equal(import_file(path, &error), BAD_DATA);
  assert_non_null(strstr(error.text, "truncated file"));
  copy_file(path, (const uint8_t *)"PK\3\4 an archive of something", 28);
  assert_int_equal(import_file(path, &error), BAD_DATA);
  assert_non_null(strstr(error.text, "neither as HDF5 nor as safetensors"));
  assert_int_equal(import_file(folder, &error), BAD_DATA);
  assert_non_null(strstr(error.text, "not a plain file"));
  assert_int_equal(import_file(in_folder("absent.h5"), &error), FAILED);
  free(bytes);
}

// Changed bytes anywhere in a file's structure: libhdf5 may do what it likes, in a process of its own. Either it is
// refused with words, or what comes out is a whole import.
static void test_changed_bytes(void **state)
{
  size_t size;
  char program[PATH_LIMIT];
  uint8_t *bytes = read_file(export_fixture(*state, "sound.h5"), &size);
  struct rng rng = rng_at(1, RNG_TEST, 0, 0);
  assert_int_equal(child_path(program, "helpers", "import_weights", NULL), OK);
  const struct import_options options = {.source = in_folder("changed.h5"), .target = target(), .width = WIDTH};
  struct error error = {0};
  copy_file(options.source, bytes, size);
  if (import_apart(&options, program, NULL, NULL, &error)) fail_msg("%s", error.text);
  for (int i = 0; i < 60; i++) {
    size_t places[4];
    uint8_t before[4];
    for (int p = 0; p < 4; p++) {
      // The superblock, the root's group and the first layers are where most structure is.
      places[p] = rng_below(&rng, i % 2 ? (uint32_t)size : 4096);
      before[p] = bytes[places[p]];
      bytes[places[p]] = (uint8_t)rng_bits(&rng);
    }
    copy_file(options.source, bytes, size);
    unlink(options.target);
    error = (struct error){0};
    enum status status = import_apart(&options, program, NULL, NULL, &error);
    if (status && !strlen(error.text)) fail_msg("refused without a word");
    for (int p = 3; p >= 0; p--) bytes[places[p]] = before[p];
  }
  free(bytes);
}

static bool at_once(void *self)
{
  (void)self;
  return true;
}

static void test_apart(void **state)
{
  struct error error = {0};
  const char *source = export_fixture(*state, "apart.h5");
  const struct import_options options = {.source = source, .target = target(), .width = WIDTH};
  unlink(options.target);
  assert_int_equal(import_apart(&options, "/bin/false", NULL, NULL, &error), FAILED);
  assert_int_equal(import_apart(&options, in_folder("no program"), NULL, NULL, &error), FAILED);
  assert_non_null(strstr(error.text, "cannot start"));
  char program[PATH_LIMIT];
  assert_int_equal(child_path(program, "helpers", "import_weights", NULL), OK);
  assert_int_equal(import_apart(&options, program, at_once, NULL, &error), INTERRUPTED);
  const struct import_options absent = {.source = in_folder("absent.h5"), .target = target(), .width = WIDTH};
  assert_int_equal(import_apart(&absent, program, NULL, NULL, &error), FAILED);
  assert_non_null(strstr(error.text, "No such file"));
  const struct import_options wide = {.source = source, .target = target(), .width = 4};
  assert_int_equal(import_apart(&wide, program, NULL, NULL, &error), BAD_DATA);
  assert_non_null(strstr(error.text, "allowed: [7, 7, 3, 4]"));
}

static int setup(void **state)
{
  *state = fixture_new();
  return folder_setup(NULL);
}

static int teardown(void **state)
{
  fixture_free(*state);
  return folder_teardown(NULL);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_list),        cmocka_unit_test(test_round_trip),     cmocka_unit_test(test_old_names),
      cmocka_unit_test(test_keras_1),     cmocka_unit_test(test_variable_texts), cmocka_unit_test(test_whole_model),
      cmocka_unit_test(test_safetensors), cmocka_unit_test(test_torchvision),    cmocka_unit_test(test_hostile),
      cmocka_unit_test(test_truncated),   cmocka_unit_test(test_changed_bytes),  cmocka_unit_test(test_apart),
  };
  return cmocka_run_group_tests(tests, setup, teardown);
}
