// Decoding: whole, plain images come out as they are; everything else is refused with a reason that begins
// with its word.
#include "image/codec.h"
#include "image/exif.h"

#include <setjmp.h>
#include <spng.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

// After our headers: it makes a macro of "fail".
#include <cmocka.h>

struct fixture {
  struct decoder *decoder;
  struct image image; // the decoder's output
  struct error error;
};

static int set_up(void **state)
{
  struct fixture *f = calloc(1, sizeof *f);
  if (!f || decoder_new(&f->decoder, &f->error)) return -1;
  *state = f;
  return 0;
}

static int tear_down(void **state)
{
  struct fixture *f = *state;
  decoder_free(f->decoder);
  image_release(&f->image);
  free(f);
  return 0;
}

// A smooth picture with an edge, so that no two of its corners look alike.
static struct image picture(int width, int height)
{
  struct image image;
  assert_int_equal(image_init(&image, width, height, NULL), OK);
  for (int y = 0; y < height; y++) {
    for (int x = 0; x < width; x++) {
      uint8_t *pixel = image.pixels + ((size_t)y * (size_t)width + (size_t)x) * 3;
      pixel[0] = (uint8_t)(255 * x / width);
      pixel[1] = (uint8_t)(255 * y / height);
      pixel[2] = x > width / 2 ? 200 : 40;
    }
  }
  return image;
}

static void make_jpeg(int width, int height, uint8_t **bytes, size_t *size)
{
  struct image image = picture(width, height);
  assert_int_equal(encode_jpeg(&image, 92, bytes, size, NULL), OK);
  image_release(&image);
}

static enum status decode_bytes(struct fixture *f, const void *bytes, size_t size)
{
  enum image_format format;
  f->error = (struct error){0};
  return decode(f->decoder, bytes, size, &f->image, &format, &f->error);
}

static void assert_refused(struct fixture *f, const void *bytes, size_t size, const char *word)
{
  assert_int_equal(decode_bytes(f, bytes, size), BAD_DATA);
  if (strncmp(f->error.text, word, strlen(word))) fail_msg("\"%s\" does not begin with \"%s\"", f->error.text, word);
}

static int largest_difference(const struct image *a, const struct image *b)
{
  assert_int_equal(a->width, b->width);
  assert_int_equal(a->height, b->height);
  int largest = 0;
  for (size_t i = 0; i < (size_t)a->width * (size_t)a->height * 3; i++) {
    int difference = abs(a->pixels[i] - b->pixels[i]);
    if (difference > largest) largest = difference;
  }
  return largest;
}

static void jpeg_comes_back_nearly_png_exactly(void **state)
{
  struct fixture *f = *state;
  struct image image = picture(61, 47);
  uint8_t *bytes = NULL;
  size_t size = 0;
  assert_int_equal(encode_jpeg(&image, 95, &bytes, &size, &f->error), OK);
  assert_int_equal(decode_bytes(f, bytes, size), OK);
  assert_in_range(largest_difference(&image, &f->image), 1, 80); // the edge loses colour to 4:2:0
  free(bytes);
  assert_int_equal(encode_png(&image, &bytes, &size, &f->error), OK);
  assert_int_equal(decode_bytes(f, bytes, size), OK);
  assert_int_equal(largest_difference(&image, &f->image), 0);
  free(bytes);
  image_release(&image);
}

static void one_pixel_is_an_image(void **state)
{
  struct fixture *f = *state;
  uint8_t *bytes = NULL;
  size_t size = 0;
  make_jpeg(1, 1, &bytes, &size);
  assert_int_equal(decode_bytes(f, bytes, size), OK);
  assert_int_equal(f->image.width * f->image.height, 1);
  free(bytes);
}

static void every_cut_is_refused(void **state)
{
  struct fixture *f = *state;
  struct image image = picture(64, 64);
  for (int png = 0; png < 2; png++) {
    uint8_t *bytes = NULL;
    size_t size = 0;
    assert_int_equal(
        png ? encode_png(&image, &bytes, &size, &f->error) : encode_jpeg(&image, 90, &bytes, &size, &f->error), OK);
    for (size_t cut = 0; cut < 100; cut++) {
      size_t length = 8 + (size - 9) * cut / 99; // the last lacks one byte
      uint8_t *part = malloc(length);            // its own memory, so that a sanitizer sees a read past it
      assert_non_null(part);
      memcpy(part, bytes, length);
      assert_refused(f, part, length, png && !cut ? "truncated" : "");
      free(part);
    }
    assert_int_equal(decode_bytes(f, bytes, size), OK);
    free(bytes);
  }
  image_release(&image);
}

static void good_files_are_good_after_bad_ones(void **state)
{
  struct fixture *f = *state;
  uint8_t *bytes = NULL;
  size_t size = 0;
  make_jpeg(48, 48, &bytes, &size);
  assert_int_equal(decode_bytes(f, bytes, size), OK);
  struct image first = {0};
  assert_int_equal(exif_turn(&f->image, 1, &first, &f->error), OK); // a copy
  for (size_t i = 0; i < 500; i++) {
    assert_int_equal(decode_bytes(f, bytes, size * (i + 1) / 502), BAD_DATA);
    assert_int_equal(decode_bytes(f, bytes, size), OK);
    assert_int_equal(largest_difference(&first, &f->image), 0);
  }
  image_release(&first);
  free(bytes);
}

static void what_is_no_photograph_is_named(void **state)
{
  struct fixture *f = *state;
  static const struct {
    const char *bytes;
    size_t size;
    const char *reason;
  } cases[] = {
      {"", 0, "empty: 0 bytes"},
      {"x", 1, "too-small: 1 bytes"},
      {"hello, world\n", 13, "not-an-image: text"},
      {"<!DOCTYPE html><html>", 21, "not-an-image: HTML"},
      {"GIF89a\1\0\1\0\0\0\0", 13, "unsupported: a GIF image"},
      {"RIFF\x24\0\0\0WEBPVP8 ", 16, "unsupported: a WebP image"},
      {"BM\x46\0\0\0\0\0\0\0", 10, "unsupported: a BMP image"},
      {"II*\0\x08\0\0\0", 8, "unsupported: a TIFF image"},
      {"\0\0\0\x18"
       "ftypheic",
       12, "unsupported: a HEIF image"},
      {"%PDF-1.4\n", 9, "not-an-image: a PDF"},
      {"PK\3\4\0\0", 6, "not-an-image: a ZIP"},
      {"\0\0\0\0\0\0\0\0", 8, "not-an-image: begins with bytes 00 00 00"},
      {"\xFF\xD8\xFF", 3, "truncated"},
      {"\xFF\xD8\xFF\xD9", 4, "corrupt"},
      {"\x89PNG\r\n\x1A\n", 8, "truncated"},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
    assert_refused(f, cases[i].bytes, cases[i].size, cases[i].reason);
}

// The frame header of a JPEG as encode_jpeg writes it: the marker FFC0's place.
static size_t frame_of(const uint8_t *bytes, size_t size)
{
  for (size_t i = 2; i + 9 < size; i += 2 + (size_t)(bytes[i + 2] << 8 | bytes[i + 3]))
    if (bytes[i + 1] == 0xC0) return i;
  fail_msg("no frame header");
  return 0;
}

static void refuse_patched(struct fixture *f, size_t offset, const uint8_t *patch, size_t length, const char *reason)
{
  uint8_t *bytes = NULL;
  size_t size = 0;
  make_jpeg(32, 32, &bytes, &size);
  memcpy(bytes + frame_of(bytes, size) + offset, patch, length);
  assert_refused(f, bytes, size, reason);
  free(bytes);
}

static void unusual_jpegs_are_refused(void **state)
{
  struct fixture *f = *state;
  refuse_patched(f, 1, (const uint8_t[]){0xC9}, 1, "unsupported: an arithmetic-coded JPEG");
  refuse_patched(f, 1, (const uint8_t[]){0xC3}, 1, "unsupported: a lossless");
  refuse_patched(f, 4, (const uint8_t[]){12}, 1, "unsupported: a JPEG of 12 bits");
  refuse_patched(f, 9, (const uint8_t[]){4}, 1, "unsupported: a JPEG of four colours");
  refuse_patched(f, 9, (const uint8_t[]){2}, 1, "unsupported: a JPEG of 2 components");
  refuse_patched(f, 5, (const uint8_t[]){0, 0}, 2, "corrupt: 32 x 0 pixels");
}

static void bombs_are_refused_at_once(void **state)
{
  struct fixture *f = *state;
  struct timespec before, after;
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &before);
  refuse_patched(f, 5, (const uint8_t[]){0xFF, 0xDC, 0xFF, 0xDC}, 4, "too-large: 65500 x 65500 pixels");
  refuse_patched(f, 5, (const uint8_t[]){0x3F, 0xFF, 0x3F, 0xFF}, 4, "too-large: 16383 x 16383 pixels");
  refuse_patched(f, 5, (const uint8_t[]){0x1F, 0xFF, 0x1F, 0xFF}, 4, "truncated: 8191 x 8191 pixels cannot be in");
  uint8_t *bytes = NULL;
  size_t size = 0;
  struct image image = picture(16, 16);
  assert_int_equal(encode_png(&image, &bytes, &size, &f->error), OK);
  memcpy(bytes + 16, (const uint8_t[]){0, 0, 0x1F, 0xFF, 0, 0, 0x1F, 0xFF}, 8);
  assert_refused(f, bytes, size, "truncated: 8191 x 8191 pixels cannot be in");
  memcpy(bytes + 16, (const uint8_t[]){0x7F, 0xFF, 0xFF, 0xFF, 0x7F, 0xFF, 0xFF, 0xFF}, 8);
  assert_refused(f, bytes, size, "too-large: 2147483647 x 2147483647 pixels");
  free(bytes);
  image_release(&image);
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &after);
  double seconds = (double)(after.tv_sec - before.tv_sec) + 1e-9 * (double)(after.tv_nsec - before.tv_nsec);
  assert_true(seconds < 0.25); // five of them
  assert_true(f->image.capacity < 1 << 20);
}

static void damage_inside_is_refused(void **state)
{
  struct fixture *f = *state;
  uint8_t *bytes = NULL;
  size_t size = 0;
  make_jpeg(64, 64, &bytes, &size);
  bytes[size * 3 / 4] = 0xFF; // a marker where there is none
  bytes[size * 3 / 4 + 1] = 0xC4;
  assert_refused(f, bytes, size, "");
  free(bytes);
  make_jpeg(64, 64, &bytes, &size);
  assert_refused(f, bytes, size - 2, "truncated"); // all pixels, no end marker
  free(bytes);
  struct image image = picture(64, 64);
  assert_int_equal(encode_png(&image, &bytes, &size, &f->error), OK);
  bytes[size - 20] ^= 1;
  assert_refused(f, bytes, size, "corrupt");
  free(bytes);
  image_release(&image);
}

static void bytes_after_the_end_marker_are_ignored(void **state)
{
  struct fixture *f = *state;
  uint8_t *bytes = NULL;
  size_t size = 0;
  make_jpeg(40, 40, &bytes, &size);
  uint8_t *longer = calloc(1, 2 * size);
  assert_non_null(longer);
  memcpy(longer, bytes, size);
  assert_int_equal(decode_bytes(f, longer, size + 100), OK); // padding
  memcpy(longer + size, bytes, size);
  assert_int_equal(decode_bytes(f, longer, 2 * size), OK); // a second picture, as phones append
  free(longer);
  free(bytes);
}

static void grey_becomes_rgb(void **state)
{
  struct fixture *f = *state;
  // 8x8, one grey component, all 128: DC difference 0, end of block.
  static const uint8_t head[] = {0xFF, 0xD8, 0xFF, 0xDB, 0, 67, 0};
  static const uint8_t tail[] = {0xFF, 0xC0, 0,   11, 8,    0, 8,    0,    8, 1, 1, 0x11, 0, // frame
                                 0xFF, 0xC4, 0,   20, 0,    1, 0,    0,    0, 0, 0, 0,    0, // one code of 1 bit
                                 0,    0,    0,   0,  0,    0, 0,    0,    0,                // for DC: category 0
                                 0xFF, 0xC4, 0,   20, 0x10, 1, 0,    0,    0, 0, 0, 0,    0, 0, 0,  0,
                                 0,    0,    0,   0,  0,    0, 0xFF, 0xDA, 0, 8, 1, 1,    0, 0, 63, 0, // scan
                                 0x3F, 0xFF, 0xD9};
  uint8_t bytes[sizeof head + 64 + sizeof tail];
  memcpy(bytes, head, sizeof head);
  memset(bytes + sizeof head, 1, 64);
  memcpy(bytes + sizeof head + 64, tail, sizeof tail);
  enum status status = decode_bytes(f, bytes, sizeof bytes);
  if (status) fail_msg("%s", f->error.text);
  for (size_t i = 0; i < 8 * 8 * 3; i++) assert_int_equal(f->image.pixels[i], 128);
}

// One pixel in the PNG kind of these samples, refused or decoded.
static void decode_pixel(struct fixture *f, uint8_t type, uint8_t depth, const void *samples, size_t length)
{
  spng_ctx *png = spng_ctx_new(SPNG_CTX_ENCODER);
  struct spng_ihdr header = {.width = 1, .height = 1, .bit_depth = depth, .color_type = type};
  struct spng_plte palette = {.n_entries = 2, .entries = {{.red = 1, .green = 2, .blue = 3}, {.red = 9, .green = 8}}};
  int code = spng_set_option(png, SPNG_ENCODE_TO_BUFFER, 1);
  if (!code) code = spng_set_ihdr(png, &header);
  if (!code && type == SPNG_COLOR_TYPE_INDEXED) code = spng_set_plte(png, &palette);
  if (!code) code = spng_encode_image(png, samples, length, SPNG_FMT_PNG, SPNG_ENCODE_FINALIZE);
  size_t size = 0;
  uint8_t *bytes = code ? NULL : spng_get_png_buffer(png, &size, &code);
  assert_int_equal(code, 0);
  spng_ctx_free(png);
  enum status status = decode_bytes(f, bytes, size);
  free(bytes);
  if (status) fail_msg("%s", f->error.text);
}

static void every_kind_of_png_becomes_rgb(void **state)
{
  struct fixture *f = *state;
  decode_pixel(f, SPNG_COLOR_TYPE_GRAYSCALE, 8, (const uint8_t[]){77}, 1);
  assert_memory_equal(f->image.pixels, ((const uint8_t[]){77, 77, 77}), 3);
  decode_pixel(f, SPNG_COLOR_TYPE_INDEXED, 8, (const uint8_t[]){1}, 1);
  assert_memory_equal(f->image.pixels, ((const uint8_t[]){9, 8, 0}), 3);
  decode_pixel(f, SPNG_COLOR_TYPE_TRUECOLOR, 16, (const uint16_t[]){0x1234, 0x56FF, 0xFF00}, 6); // the upper bytes
  assert_memory_equal(f->image.pixels, ((const uint8_t[]){0x12, 0x56, 0xFF}), 3);
  // Over white: nothing of a clear pixel is left, half of a half-clear one.
  decode_pixel(f, SPNG_COLOR_TYPE_TRUECOLOR_ALPHA, 8, (const uint8_t[]){10, 20, 30, 0}, 4);
  assert_memory_equal(f->image.pixels, ((const uint8_t[]){255, 255, 255}), 3);
  decode_pixel(f, SPNG_COLOR_TYPE_TRUECOLOR_ALPHA, 8, (const uint8_t[]){0, 100, 255, 51}, 4);
  assert_memory_equal(f->image.pixels, ((const uint8_t[]){204, 224, 255}), 3);
  decode_pixel(f, SPNG_COLOR_TYPE_GRAYSCALE_ALPHA, 8, (const uint8_t[]){0, 255}, 2);
  assert_memory_equal(f->image.pixels, ((const uint8_t[]){0, 0, 0}), 3);
}

static void an_animated_png_is_refused(void **state)
{
  struct fixture *f = *state;
  struct image image = picture(8, 8);
  uint8_t *bytes = NULL;
  size_t size = 0;
  assert_int_equal(encode_png(&image, &bytes, &size, &f->error), OK);
  static const uint8_t control[20] = {0, 0, 0, 8, 'a', 'c', 'T', 'L', 0, 0, 0, 2};
  uint8_t *animated = malloc(size + sizeof control);
  assert_non_null(animated);
  memcpy(animated, bytes, 33); // signature and header chunk
  memcpy(animated + 33, control, sizeof control);
  memcpy(animated + 33 + sizeof control, bytes + 33, size - 33);
  assert_refused(f, animated, size + sizeof control, "unsupported: an animated PNG");
  free(animated);
  free(bytes);
  image_release(&image);
}

// The APP1 segment that says "orientation".
static size_t put_exif(uint8_t *to, uint8_t orientation)
{
  const uint8_t segment[] = {0xFF, 0xE1, 0, 34,   'E', 'x', 'i', 'f', 0, 0, 'M', 'M',         0, 42, 0, 0, 0, 8,
                             0,    1,    1, 0x12, 0,   3,   0,   0,   0, 1, 0,   orientation, 0, 0,  0, 0, 0, 0};
  memcpy(to, segment, sizeof segment);
  return sizeof segment;
}

static void exif_orientation_is_applied(void **state)
{
  struct fixture *f = *state;
  uint8_t *bytes = NULL;
  size_t size = 0;
  make_jpeg(48, 32, &bytes, &size);
  assert_int_equal(decode_bytes(f, bytes, size), OK);
  struct image upright = {0};
  assert_int_equal(exif_turn(&f->image, 1, &upright, &f->error), OK);
  uint8_t *patched = malloc(size + 64);
  assert_non_null(patched);
  for (uint8_t orientation = 1; orientation <= 9; orientation++) {
    memcpy(patched, bytes, 2);
    size_t length = put_exif(patched + 2, orientation);
    memcpy(patched + 2 + length, bytes + 2, size - 2);
    assert_int_equal(decode_bytes(f, patched, size + length), OK);
    bool swapped = orientation >= 5 && orientation <= 8;
    assert_int_equal(f->image.width, swapped ? 32 : 48);
    // Where the stored picture's upper left pixel is to be seen: EXIF's table of "row 0, column 0".
    int right = f->image.width - 1, bottom = f->image.height - 1;
    const int corner[10][2] = {{0, 0}, {0, 0},     {right, 0},      {right, bottom}, {0, bottom},
                               {0, 0}, {right, 0}, {right, bottom}, {0, bottom},     {0, 0}};
    size_t at = ((size_t)corner[orientation][1] * (size_t)f->image.width + (size_t)corner[orientation][0]) * 3;
    assert_memory_equal(f->image.pixels + at, upright.pixels, 3);
  }
  image_release(&upright);
  free(patched);
  free(bytes);
}

static void broken_exif_is_ignored(void **state)
{
  (void)state;
  assert_int_equal(exif_orientation((const uint8_t *)"MM\0*", 4), 1);
  assert_int_equal(exif_orientation((const uint8_t *)"MM\0*\xFF\xFF\xFF\xFF", 8), 1);
  assert_int_equal(exif_orientation((const uint8_t *)"MM\0*\0\0\0\x08\xFF\xFF", 10), 1);
  assert_int_equal(exif_orientation((const uint8_t *)"II*\0\x08\0\0\0\1\0\x12\1\3\0\1\0\0\0\6\0\0\0", 22), 6);
}

static void assert_reduced(struct fixture *f, int width, int height, int least, int by)
{
  uint8_t *bytes;
  size_t size;
  enum image_format format;
  make_jpeg(width, height, &bytes, &size);
  struct error error;
  if (decode_reduced(f->decoder, bytes, size, least, &f->image, &format, &error)) fail_msg("%s", error.text);
  assert_int_equal(f->image.width, width / by);
  assert_int_equal(f->image.height, height / by);
  free(bytes);
}

static void reduced_decoding_stays_above_its_least_side(void **state)
{
  struct fixture *f = *state;
  assert_reduced(f, 200, 200, 100, 2);
  assert_reduced(f, 200, 200, 101, 1);
  assert_reduced(f, 224, 224, 100, 2);
  assert_reduced(f, 640, 480, 100, 4);
  assert_reduced(f, 800, 1600, 100, 8);
  assert_reduced(f, 1600, 1600, 50, 8); // never further
  assert_reduced(f, 202, 201, 50, 1);   // an odd side: its last pixels would be means of less
  assert_reduced(f, 200, 200, 0, 1);
}

// In what the picture has no colour edges, pixels are the means of the whole one's.
static void reduced_pixels_are_means(void **state)
{
  struct fixture *f = *state;
  uint8_t *bytes;
  size_t size;
  enum image_format format;
  struct image reduced = {0};
  make_jpeg(160, 96, &bytes, &size);
  assert_int_equal(decode_bytes(f, bytes, size), OK);
  assert_int_equal(decode_reduced(f->decoder, bytes, size, 24, &reduced, &format, &f->error), OK);
  assert_int_equal(reduced.width, 40);
  for (int y = 0; y < reduced.height; y++) {
    for (int x = 0; x < reduced.width; x++) {
      if (abs(x - reduced.width / 2) < 4) continue; // the edge
      for (int c = 0; c < 3; c++) {
        int sum = 0;
        for (int i = 0; i < 16; i++) sum += f->image.pixels[((4 * y + i / 4) * f->image.width + 4 * x + i % 4) * 3 + c];
        assert_in_range(reduced.pixels[(y * reduced.width + x) * 3 + c] + 3 - (sum + 8) / 16, 0, 6);
      }
    }
  }
  // What is refused whole is refused reduced.
  assert_int_equal(decode_reduced(f->decoder, bytes, size - 10, 24, &reduced, &format, &f->error), BAD_DATA);
  image_release(&reduced);
  free(bytes);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup_teardown(jpeg_comes_back_nearly_png_exactly, set_up, tear_down),
      cmocka_unit_test_setup_teardown(one_pixel_is_an_image, set_up, tear_down),
      cmocka_unit_test_setup_teardown(every_cut_is_refused, set_up, tear_down),
      cmocka_unit_test_setup_teardown(good_files_are_good_after_bad_ones, set_up, tear_down),
      cmocka_unit_test_setup_teardown(what_is_no_photograph_is_named, set_up, tear_down),
      cmocka_unit_test_setup_teardown(unusual_jpegs_are_refused, set_up, tear_down),
      cmocka_unit_test_setup_teardown(bombs_are_refused_at_once, set_up, tear_down),
      cmocka_unit_test_setup_teardown(damage_inside_is_refused, set_up, tear_down),
      cmocka_unit_test_setup_teardown(bytes_after_the_end_marker_are_ignored, set_up, tear_down),
      cmocka_unit_test_setup_teardown(grey_becomes_rgb, set_up, tear_down),
      cmocka_unit_test_setup_teardown(every_kind_of_png_becomes_rgb, set_up, tear_down),
      cmocka_unit_test_setup_teardown(an_animated_png_is_refused, set_up, tear_down),
      cmocka_unit_test_setup_teardown(exif_orientation_is_applied, set_up, tear_down),
      cmocka_unit_test(broken_exif_is_ignored),
      cmocka_unit_test_setup_teardown(reduced_decoding_stays_above_its_least_side, set_up, tear_down),
      cmocka_unit_test_setup_teardown(reduced_pixels_are_means, set_up, tear_down),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
