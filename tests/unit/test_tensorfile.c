// Safetensors: round trips, and files that somebody made to hurt the reader.
#include <sys/stat.h>

#include "check.h"
#include "folder.h"
#include "store/tensorfile.h"

static void write_and_publish(const char *path, struct tensorfile_writer *writer, uint64_t *bytes,
                              char sha256[DIGEST_TEXT])
{
  assert_int_equal(tensorfile_publish(writer, bytes, sha256, NULL), OK);
  tensorfile_discard(writer);
  char again[DIGEST_TEXT];
  uint64_t size = 0;
  assert_int_equal(digest_of_file(again, &size, path, NULL), OK);
  assert_string_equal(again, sha256);
  assert_int_equal(size, *bytes);
}

static void test_round_trip(void **state)
{
  (void)state;
  // An odd number of bytes before wider elements: the writer must order them so that all are aligned.
  const struct tensor_info tensors[] = {
      {"bytes", TENSOR_U8, 1, {3}},
      {"half", TENSOR_BF16, 2, {1, 3}},
      {"weights \"\xc3\xa9\"", TENSOR_F32, 2, {2, 2}},
      {"empty", TENSOR_F32, 2, {0, 7}},
      {"step", TENSOR_I64, 0, {0}},
  };
  const struct metadata_pair metadata[] = {{"epoch", "7"}, {"model", "seed-cnn"}};
  const float weights[] = {1, -2, 3, 4};
  const uint16_t half[] = {1, 2, 3};
  const int64_t step = -5;
  const char *path = in_folder("round.safetensors");
  struct tensorfile_writer *writer = NULL;
  struct error error = {0};
  assert_int_equal(tensorfile_create(&writer, path, tensors, 5, metadata, 2, &error), OK);
  assert_int_equal(tensorfile_write(writer, 2, 8, weights + 2, 8, &error), OK); // rows in any order
  assert_int_equal(tensorfile_write(writer, 2, 0, weights, 8, &error), OK);
  assert_int_equal(tensorfile_write(writer, 0, 0, "abc", 3, &error), OK);
  assert_int_equal(tensorfile_write(writer, 1, 0, half, 6, &error), OK);
  assert_int_equal(tensorfile_write(writer, 4, 0, &step, 8, &error), OK);
  assert_int_equal(tensorfile_write(writer, 0, 1, "abc", 3, &error), BAD_USAGE); // past its end
  assert_int_equal(tensorfile_write(writer, 0, UINT64_MAX, "abc", 3, &error), BAD_USAGE);
  assert_int_equal(tensorfile_write(writer, 5, 0, "abc", 3, &error), BAD_USAGE);
  assert_int_equal(access(path, F_OK), -1);
  uint64_t bytes = 0;
  char sha256[DIGEST_TEXT];
  write_and_publish(path, writer, &bytes, sha256);
  struct stat info;
  assert_int_equal(stat(path, &info), 0);
  assert_int_equal(info.st_mode & 0222, 0);

  struct tensorfile *file = NULL;
  assert_int_equal(tensorfile_open(&file, path, &error), OK);
  assert_int_equal(tensorfile_count(file), 5);
  assert_string_equal(tensorfile_metadata(file, "model"), "seed-cnn");
  assert_null(tensorfile_metadata(file, "absent"));
  for (size_t i = 0; i < 5; i++)
    assert_int_equal((uintptr_t)tensorfile_data(file, i) % tensor_dtype_size(tensorfile_info(file, i)->dtype), 0);
  const void *data = NULL;
  const uint64_t any[] = {2, 0}, wrong[] = {2, 3};
  assert_int_equal(tensorfile_find(file, "weights \"\xc3\xa9\"", TENSOR_F32, 2, any, &data, &error), OK);
  assert_memory_equal(data, weights, sizeof weights);
  assert_int_equal(tensorfile_find(file, "step", TENSOR_I64, 0, NULL, &data, &error), OK);
  assert_memory_equal(data, &step, sizeof step);
  assert_int_equal(tensorfile_find(file, "half", TENSOR_BF16, 2, wrong, &data, &error), BAD_DATA);
  assert_string_equal(error.text, "tensor half is BF16 [1, 3], needed is BF16 [2, 3]");
  assert_int_equal(tensorfile_find(file, "half", TENSOR_F32, 2, any, &data, &error), BAD_DATA);
  assert_int_equal(tensorfile_find(file, "absent", TENSOR_F32, 2, any, &data, &error), BAD_DATA);
  tensorfile_close(file);
}

static void test_equal_arguments_give_equal_bytes(void **state)
{
  (void)state;
  const struct tensor_info tensor = {"images", TENSOR_U8, 4, {2, 1, 1, 3}};
  char sha256[2][DIGEST_TEXT];
  for (int i = 0; i < 2; i++) {
    const char *path = in_folder(i ? "second" : "first");
    struct tensorfile_writer *writer = NULL;
    uint64_t bytes = 0;
    assert_int_equal(tensorfile_create(&writer, path, &tensor, 1, NULL, 0, NULL), OK);
    assert_int_equal(tensorfile_write(writer, 0, i ? 3 : 0, i ? "def" : "abc", 3, NULL), OK);
    assert_int_equal(tensorfile_write(writer, 0, i ? 0 : 3, i ? "abc" : "def", 3, NULL), OK);
    write_and_publish(path, writer, &bytes, sha256[i]);
  }
  assert_string_equal(sha256[0], sha256[1]);
}

static void test_writer_refuses_nonsense(void **state)
{
  (void)state;
  static const struct {
    struct tensor_info tensors[2];
    const char *value;
  } cases[] = {
      {{{"a", TENSOR_U8, 1, {1}}, {"a", TENSOR_U8, 1, {1}}}, "v"},
      {{{"__metadata__", TENSOR_U8, 1, {1}}, {"b", TENSOR_U8, 1, {1}}}, "v"},
      {{{"__metadata__", TENSOR_U8, 1, {1}}, {"b", TENSOR_U8, 1, {1}}}, NULL},
      {{{"\xff", TENSOR_U8, 1, {1}}, {"b", TENSOR_U8, 1, {1}}}, "v"},
      {{{"a", TENSOR_U8, 9, {1}}, {"b", TENSOR_U8, 1, {1}}}, "v"},
      {{{"a", TENSOR_F32, 2, {1ull << 32, 1ull << 31}}, {"b", TENSOR_U8, 1, {1}}}, "v"},
      {{{"a", TENSOR_U8, 1, {1}}, {"b", TENSOR_U8, 1, {1}}}, "\xff"},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    const struct metadata_pair pair = {"k", cases[i].value};
    struct tensorfile_writer *writer = NULL;
    struct error error = {0};
    assert_int_equal(
        tensorfile_create(&writer, in_folder("bad"), cases[i].tensors, 2, &pair, cases[i].value ? 1 : 0, &error),
        BAD_USAGE);
    assert_null(writer);
    assert_int_equal(access(in_folder("bad"), F_OK), -1);
  }
  // More than any disk here has: refused before the first row, and nothing is left.
  const struct tensor_info huge = {"a", TENSOR_U8, 1, {1ull << 60}};
  struct tensorfile_writer *writer = NULL;
  struct error error = {0};
  assert_int_equal(mkdir(in_folder("huge"), 0700), 0);
  assert_int_equal(tensorfile_create(&writer, in_folder("huge/x"), &huge, 1, NULL, 0, &error), FAILED);
  assert_int_equal(rmdir(in_folder("huge")), 0);
}

// --- malformed files -------------------------------------------------------------------------------------------------

#define T(shape, offsets) "{\"dtype\":\"F32\",\"shape\":[" shape "],\"data_offsets\":[" offsets "]}"

static const struct malformed {
  const char *what, *header;
  size_t data;    // bytes behind the header
  int64_t length; // what the first eight bytes say; 0: the truth
} malformed[] = {
    {"empty header", "", 0, 0},
    {"not JSON", "{\"a\":", 0, 0},
    {"not an object", "[1,2]", 0, 0},
    {"a string", "\"aaaa\"", 0, 0},
    {"text behind the object", "{}{}", 0, 0},
    {"blank before the object", " {}", 0, 0},
    {"zero byte in a name", "{\"a\\u0000b\":" T("1", "0,4") "}", 4, 0},
    {"bad UTF-8", "{\"a\xff\":" T("1", "0,4") "}", 4, 0},
    {"overlong UTF-8", "{\"a\xc0\x80\":" T("1", "0,4") "}", 4, 0},
    {"lone surrogate", "{\"\\ud800\":" T("1", "0,4") "}", 4, 0},
    {"duplicate names", "{\"a\":" T("1", "0,4") ",\"a\":" T("1", "4,8") "}", 8, 0},
    {"tensor that is a number", "{\"a\":1}", 0, 0},
    {"no dtype", "{\"a\":{\"shape\":[1],\"data_offsets\":[0,4]}}", 4, 0},
    {"unknown dtype", "{\"a\":{\"dtype\":\"F33\",\"shape\":[1],\"data_offsets\":[0,4]}}", 4, 0},
    {"dtype that is a number", "{\"a\":{\"dtype\":32,\"shape\":[1],\"data_offsets\":[0,4]}}", 4, 0},
    {"no shape", "{\"a\":{\"dtype\":\"F32\",\"data_offsets\":[0,4]}}", 4, 0},
    {"no offsets", "{\"a\":{\"dtype\":\"F32\",\"shape\":[1]}}", 4, 0},
    {"an unknown field", "{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4],\"x\":1}}", 4, 0},
    {"shape that is a number", "{\"a\":{\"dtype\":\"F32\",\"shape\":1,\"data_offsets\":[0,4]}}", 4, 0},
    {"negative extent", "{\"a\":" T("-1", "0,4") "}", 4, 0},
    {"real extent", "{\"a\":" T("1.0", "0,4") "}", 4, 0},
    {"extent past 64 bits", "{\"a\":" T("99999999999999999999", "0,4") "}", 4, 0},
    {"product wraps to 4", "{\"a\":" T("4611686018427387905,1", "0,4") "}", 4, 0},
    {"product wraps to 0", "{\"a\":" T("4294967296,4294967296", "0,0") "}", 0, 0},
    {"nine dimensions", "{\"a\":" T("1,1,1,1,1,1,1,1,1", "0,4") "}", 4, 0},
    {"shape larger than its bytes", "{\"a\":" T("2", "0,4") "}", 4, 0},
    {"shape smaller than its bytes", "{\"a\":" T("1", "0,8") "}", 8, 0},
    {"one offset", "{\"a\":" T("1", "0") "}", 4, 0},
    {"three offsets", "{\"a\":" T("1", "0,4,8") "}", 8, 0},
    {"negative offset", "{\"a\":" T("1", "-4,0") "}", 4, 0},
    {"offsets reversed", "{\"a\":" T("1", "4,0") "}", 4, 0},
    {"offsets past the file", "{\"a\":" T("1", "0,4") "}", 3, 0},
    {"huge offsets", "{\"a\":" T("1", "9223372036854775803,9223372036854775807") "}", 4, 0},
    {"hole at the start", "{\"a\":" T("1", "4,8") "}", 8, 0},
    {"hole in the middle", "{\"a\":" T("1", "0,4") ",\"b\":" T("1", "8,12") "}", 12, 0},
    {"overlap", "{\"a\":" T("2", "0,8") ",\"b\":" T("1", "4,8") "}", 8, 0},
    {"the same bytes twice", "{\"a\":" T("1", "0,4") ",\"b\":" T("1", "0,4") "}", 4, 0},
    {"an empty tensor inside another", "{\"a\":" T("2", "0,8") ",\"b\":" T("0", "4,4") "}", 8, 0},
    {"bytes behind the last tensor", "{\"a\":" T("1", "0,4") "}", 5, 0},
    {"bytes and no tensor", "{}", 1, 0},
    {"unaligned elements", "{\"a\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0,1]},\"b\":" T("1", "1,5") "}", 5,
     0},
    {"metadata that is a string", "{\"__metadata__\":\"x\"}", 0, 0},
    {"metadata with a number", "{\"__metadata__\":{\"x\":1}}", 0, 0},
    {"header longer than the file", "{}", 0, 4096},
    {"header of all memory", "{}", 0, -8},
    {"header cut short", "{\"a\":" T("1", "0,4") "}", 4, 16},
    {"length that leaves the data unaligned", "{}      ", 0, 7},
};

static const char *write_malformed(const struct malformed *bad)
{
  static unsigned char bytes[4096];
  size_t text = strlen(bad->header), padded = (text + 7) / 8 * 8;
  uint64_t length = bad->length ? (uint64_t)bad->length : padded;
  memset(bytes, 0, sizeof bytes);
  for (int i = 0; i < 8; i++) bytes[i] = (unsigned char)(length >> (8 * i));
  memset(bytes + 8, ' ', padded);
  memcpy(bytes + 8, bad->header, text);
  return write_file("bad.safetensors", bytes, 8 + padded + bad->data);
}

static void test_malformed_files_are_refused(void **state)
{
  (void)state;
  for (size_t i = 0; i < sizeof malformed / sizeof *malformed; i++) {
    struct tensorfile *file = NULL;
    struct error error = {0};
    enum status status = tensorfile_open(&file, write_malformed(&malformed[i]), &error);
    if (status != BAD_DATA || file || !strstr(error.text, "bad.safetensors"))
      fail_msg("%s: status %d, \"%s\"", malformed[i].what, (int)status, error.text);
  }
}

// The frame around them is sound: the same helper makes a file that is read.
static void test_well_formed_neighbours_are_read(void **state)
{
  (void)state;
  static const struct malformed good[] = {
      {"one tensor", "{\"a\":" T("1", "0,4") "}", 4, 0},
      {"no tensor", "{}", 0, 0},
      {"empty tensors at both ends", "{\"a\":" T("2", "0,8") ",\"b\":" T("0", "0,0") ",\"c\":" T("0,5", "8,8") "}", 8,
       0},
      {"out of order", "{\"b\":" T("1", "4,8") ",\"a\":" T("1", "0,4") ",\"__metadata__\":{\"x\":\"y\"}}", 8, 0},
  };
  for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
    struct tensorfile *file = NULL;
    struct error error = {0};
    if (tensorfile_open(&file, write_malformed(&good[i]), &error)) fail_msg("%s: %s", good[i].what, error.text);
    tensorfile_close(file);
  }
}

static void test_short_and_special_files(void **state)
{
  (void)state;
  struct tensorfile *file = NULL;
  struct error error = {0};
  assert_int_equal(tensorfile_open(&file, write_file("short", "1234567", 7), &error), BAD_DATA);
  assert_int_equal(tensorfile_open(&file, write_file("none", "", 0), &error), BAD_DATA);
  assert_int_equal(tensorfile_open(&file, folder, &error), BAD_DATA);
  assert_int_equal(tensorfile_open(&file, in_folder("absent"), &error), FAILED);
  assert_int_equal(mkfifo(in_folder("fifo"), 0600), 0);
  assert_int_equal(tensorfile_open(&file, in_folder("fifo"), &error), BAD_DATA);
}

// Every cut and a flip of every bit of a header: read or refused, never a crash (the sanitizers watch).
static void test_mutants(void **state)
{
  (void)state;
  const char *path = write_malformed(&(struct malformed){
      "", "{\"a\":" T("2", "0,8") ",\"b\":" T("1,1", "8,12") ",\"__metadata__\":{\"x\":\"y\"}}", 12, 0});
  unsigned char bytes[512];
  FILE *stream = fopen(path, "rb");
  size_t size = fread(bytes, 1, sizeof bytes, stream);
  fclose(stream);
  for (size_t cut = 0; cut < size; cut++) {
    struct tensorfile *file = NULL;
    assert_int_equal(tensorfile_open(&file, write_file("mutant", bytes, cut), NULL), BAD_DATA);
  }
  for (size_t bit = 0; bit < 8 * (size - 12); bit++) {
    bytes[bit / 8] ^= (unsigned char)(1u << bit % 8);
    struct tensorfile *file = NULL;
    if (!tensorfile_open(&file, write_file("mutant", bytes, size), NULL)) assert_true(tensorfile_count(file) <= 3);
    tensorfile_close(file);
    bytes[bit / 8] ^= (unsigned char)(1u << bit % 8);
  }
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_round_trip),
      cmocka_unit_test(test_equal_arguments_give_equal_bytes),
      cmocka_unit_test(test_writer_refuses_nonsense),
      cmocka_unit_test(test_malformed_files_are_refused),
      cmocka_unit_test(test_well_formed_neighbours_are_read),
      cmocka_unit_test(test_short_and_special_files),
      cmocka_unit_test(test_mutants),
  };
  return cmocka_run_group_tests(tests, folder_setup, folder_teardown);
}
