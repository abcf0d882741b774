#include "image/resize.h"

#include <stdlib.h>
#include <string.h>

#include "core/mem.h"
#include "image/opencv.h"
#include "image/pixels.h"

enum { SIZE_LIMIT = 4096, LINES_BYTES = 64 << 10 }; // lines that are mixed at a time: what a CPU keeps near

// A rectangle in pixels.
struct box {
  int x, y, width, height;
};

static int rounded_ratio(int64_t value, int64_t times, int64_t by) // value * times / by, at least 1
{
  int64_t result = (2 * value * times + by) / (2 * by);
  return result > 0 ? (int)result : 1;
}

static struct box centered(int outer_width, int outer_height, int width, int height)
{
  return (struct box){(outer_width - width) / 2, (outer_height - height) / 2, width, height};
}

static struct opencv_pixels view_of(const struct image *image, struct box box)
{
  size_t stride = (size_t)image->width * IMAGE_CHANNELS;
  return (struct opencv_pixels){image->pixels + (size_t)box.y * stride + (size_t)box.x * IMAGE_CHANNELS, box.width,
                                box.height, stride};
}

// --- mixing --------------------------------------------------------------------------------------------------------
// Area and linear: every output is a weighted mean of neighbouring inputs, along one side and then along the other.

// The most inputs that an output can reach into.
static int taps_of(int from, int to, enum resize_filter filter)
{
  int taps = filter == FILTER_AREA ? (from + to - 1) / to + (from % to != 0) : 2;
  return taps < from ? taps : from;
}

// Sets output o's first input; where its taps would reach beyond the last input, earlier ones come first, with no
// weight. Returns the weight of input `first`.
static uint16_t *place(struct mix *mix, int o, int first, int from)
{
  int begin = first + mix->taps <= from ? first : from - mix->taps;
  mix->first[o] = begin;
  return mix->weights + (size_t)o * (size_t)mix->pitch + (first - begin);
}

// Output o covers inputs o * from / to ... (o + 1) * from / to. Each input's weight is the difference of two rounded
// shares, so that an output's weights sum to MIX_UNIT exactly.
static void mix_area(struct mix *mix, int from)
{
  const int64_t to = mix->count;
  for (int o = 0; o < to; o++) {
    int64_t begin = (int64_t)o * from, end = begin + from; // in inputs times `to`
    int first = (int)(begin / to), last = (int)((end - 1) / to);
    uint16_t *weights = place(mix, o, first, from);
    int64_t before = 0;
    for (int i = first; i <= last; i++) {
      int64_t reached = (i + 1) * to < end ? (i + 1) * to : end;
      int64_t share = ((reached - begin) * MIX_UNIT * 2 + from) / (2 * (int64_t)from);
      *weights++ = (uint16_t)(share - before);
      before = share;
    }
  }
}

// Output o lies at (o + 1/2) * from / to - 1/2, between two inputs; beyond the outermost input it is that input.
static void mix_linear(struct mix *mix, int from)
{
  const int64_t unit = 2 * (int64_t)mix->count; // in inputs times `unit`
  for (int o = 0; o < mix->count; o++) {
    int64_t at = (int64_t)(2 * o + 1) * from - mix->count;
    if (at < 0) at = 0;
    if (at > (from - 1) * unit) at = (from - 1) * unit;
    int64_t share = (at % unit * MIX_UNIT * 2 + unit) / (2 * unit);
    uint16_t *weights = place(mix, o, (int)(at / unit), from);
    weights[0] = (uint16_t)(MIX_UNIT - share);
    if (share) weights[1] = (uint16_t)share;
  }
}

// What a resize computes with, in one piece of memory.
struct mixer {
  struct mix columns, rows;
  uint16_t *lines; // [line_count, pitch]: of the source's width, levels times 256
  size_t pitch;    // in elements: the width's and MIX_BEYOND
  int line_count;
  void *memory;
};

static struct mix mix_of(int from, int to, enum resize_filter filter)
{
  int taps = taps_of(from, to, filter);
  return (struct mix){.count = to, .taps = taps, .pitch = taps + taps % 2};
}

static size_t weights_of(const struct mix *mix)
{
  return (size_t)mix->count * (size_t)mix->pitch;
}

static enum status mixer_init(struct mixer *mixer, struct box from, struct box to, enum resize_filter filter,
                              struct error *error)
{
  mixer->columns = mix_of(from.width, to.width, filter);
  mixer->rows = mix_of(from.height, to.height, filter);
  size_t columns = (size_t)to.width, rows = (size_t)to.height;
  mixer->pitch = (size_t)from.width * IMAGE_CHANNELS + MIX_BEYOND;
  size_t fit = LINES_BYTES / (mixer->pitch * sizeof(uint16_t)), lines = fit < 1 ? 1 : fit > rows ? rows : fit;
  mixer->line_count = (int)lines;
  size_t shorts = lines * mixer->pitch + weights_of(&mixer->columns) + weights_of(&mixer->rows) + 2 * (columns + rows);
  enum status status = mem_zeroed(&mixer->memory, shorts, sizeof(uint16_t), "resizing an image", error);
  if (status) return status;
  mixer->columns.first = mixer->memory;
  mixer->rows.first = mixer->columns.first + columns;
  mixer->columns.weights = (uint16_t *)(mixer->rows.first + rows);
  mixer->rows.weights = mixer->columns.weights + weights_of(&mixer->columns);
  mixer->lines = mixer->rows.weights + weights_of(&mixer->rows);
  void (*mix)(struct mix *, int) = filter == FILTER_AREA ? mix_area : mix_linear;
  mix(&mixer->columns, from.width);
  if (from.width == from.height && to.width == to.height)
    mixer->rows = mixer->columns;
  else
    mix(&mixer->rows, from.height);
  return OK;
}

static enum status mix_image(const struct opencv_pixels *source, const struct opencv_pixels *out, struct box from,
                             struct box to, enum resize_filter filter, struct error *error)
{
  struct mixer mixer = {0};
  enum status status = mixer_init(&mixer, from, to, filter, error);
  if (status) return status;
  const struct pixel_kernels *kernels = pixel_kernels();
  const struct mix *rows = &mixer.rows;
  for (int first = 0; first < rows->count; first += mixer.line_count) {
    int left = rows->count - first, count = left < mixer.line_count ? left : mixer.line_count;
    for (int i = 0; i < count; i++) {
      size_t o = (size_t)(first + i);
      kernels->mix_rows(source->pixels + (size_t)rows->first[o] * source->stride, source->stride,
                        rows->weights + o * (size_t)rows->pitch, rows->taps, (size_t)from.width * IMAGE_CHANNELS,
                        mixer.lines + (size_t)i * mixer.pitch);
    }
    kernels->mix_columns(mixer.lines, mixer.pitch, count, &mixer.columns, out->stride,
                         out->pixels + (size_t)first * out->stride);
  }
  free(mixer.memory);
  return OK;
}

static void copy_image(const struct opencv_pixels *source, const struct opencv_pixels *out)
{
  for (int y = 0; y < out->height; y++)
    memcpy(out->pixels + (size_t)y * out->stride, source->pixels + (size_t)y * source->stride,
           (size_t)out->width * IMAGE_CHANNELS);
}

int resize_least_side(int size, enum resize_filter filter)
{
  return filter == FILTER_AREA ? size : 0;
}

enum status resize_image(const struct image *source, int size, enum resize_fit fit, enum resize_filter filter,
                         struct image *out, struct error *error)
{
  if (size < 1 || size > SIZE_LIMIT)
    return fail(error, BAD_DATA, "cannot resize to %d pixels: 1 to %d are allowed", size, SIZE_LIMIT);
  enum status status = image_reshape(out, size, size, error);
  if (status) return status;
  int width = source->width, height = source->height;
  struct box from = {0, 0, width, height}, to = {0, 0, size, size};
  if (fit == FIT_CENTER_CROP) {
    int shorter = width < height ? width : height;
    from = centered(width, height, shorter, shorter);
  } else if (fit == FIT_LETTERBOX && width != height) {
    int longer = width > height ? width : height;
    to = centered(size, size, rounded_ratio(width, size, longer), rounded_ratio(height, size, longer));
    memset(out->pixels, RESIZE_GREY, (size_t)size * (size_t)size * IMAGE_CHANNELS);
  }
  if (filter == FILTER_AREA && (to.width > from.width || to.height > from.height)) filter = FILTER_LINEAR;
  struct opencv_pixels source_view = view_of(source, from), out_view = view_of(out, to);
  if (from.width == to.width && from.height == to.height)
    copy_image(&source_view, &out_view);
  else if (filter == FILTER_AREA || filter == FILTER_LINEAR)
    status = mix_image(&source_view, &out_view, from, to, filter, error);
  else
    status = opencv_resize(&source_view, &out_view, filter, error);
  return status;
}
