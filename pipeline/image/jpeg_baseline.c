#include "image/jpeg_baseline.h"

#include <stdlib.h>
#include <string.h>

#include "core/mem.h"
#include "image/jpeg_scan.h"
#include "image/pixels.h"

enum {
  PLANES = 3,
  LEAST_SIDE = 8,          // below, TurboJPEG upsamples in another way
  MEMORY_LIMIT = 12 << 20, // of planes, which lie in memory whole
  TABLES = 2,              // of each class; of steps four
  STEP_TABLES = 4,
  UNIT_BLOCKS = 6
};

// Markers' second bytes (ITU-T T.81, table B.1).
enum {
  MARKER_SOF0 = 0xC0,
  MARKER_DHT = 0xC4,
  MARKER_SOI = 0xD8,
  MARKER_EOI = 0xD9,
  MARKER_SOS = 0xDA,
  MARKER_DQT = 0xDB,
  MARKER_APP0 = 0xE0,
  MARKER_APP14 = 0xEE,
  MARKER_APP15 = 0xEF,
  MARKER_COM = 0xFE
};

struct plane {
  uint8_t *pixels;
  size_t stride;
  int across, down;  // blocks in a unit
  int side;          // of a decoded block
  int steps, dc, ac; // which tables
};

struct block {
  _Alignas(MEM_ALIGNMENT) int16_t coefficients[JPEG_ROOM]; // zero between two units, but for the first
  bool flat;
};

struct jpeg_baseline {
  struct block unit[UNIT_BLOCKS];
  uint8_t *scan, *memory;
  size_t scan_room, memory_room;
  struct plane planes[PLANES];
  int plane_count, width, height; // of the frame
  struct jpeg_codes dc[TABLES], ac[TABLES];
  uint16_t steps[STEP_TABLES][JPEG_BLOCK];                     // in rows
  bool has_dc[TABLES], has_ac[TABLES], has_steps[STEP_TABLES]; // of this file
};

struct jpeg_baseline *jpeg_baseline_new(void)
{
  void *decoder = NULL;
  if (mem_aligned(&decoder, 1, sizeof(struct jpeg_baseline), "a JPEG decoder", NULL)) return NULL;
  memset(decoder, 0, sizeof(struct jpeg_baseline));
  return decoder;
}

void jpeg_baseline_free(struct jpeg_baseline *decoder)
{
  if (!decoder) return;
  free(decoder->scan);
  free(decoder->memory);
  free(decoder);
}

static bool make_room(uint8_t **memory, size_t *room, size_t bytes)
{
  if (*room >= bytes) return true;
  void *wider = NULL;
  free(*memory);
  *memory = NULL, *room = 0;
  if (mem_aligned(&wider, bytes, 1, "a JPEG's planes", NULL)) return false;
  *memory = wider, *room = bytes;
  return true;
}

// --- the header ------------------------------------------------------------------------------------------------------

static bool read_steps(struct jpeg_baseline *d, const uint8_t *at, size_t size)
{
  for (; size >= 1 + JPEG_BLOCK; at += 1 + JPEG_BLOCK, size -= 1 + JPEG_BLOCK) {
    if (at[0] >= STEP_TABLES) return false; // or of 16 bits
    for (int i = 0; i < JPEG_BLOCK; i++) d->steps[at[0]][jpeg_places[i]] = at[1 + i];
    d->has_steps[at[0]] = true;
  }
  return size == 0;
}

static bool read_codes(struct jpeg_baseline *d, const uint8_t *at, size_t size)
{
  while (size) {
    int kind = at[0] >> 4, number = at[0] & 15;
    if (kind > 1 || number >= TABLES) return false;
    size_t read = jpeg_codes_read(kind ? &d->ac[number] : &d->dc[number], !kind, at + 1, size - 1);
    if (!read) return false;
    (kind ? d->has_ac : d->has_dc)[number] = true;
    at += 1 + read, size -= 1 + read;
  }
  return true;
}

// Grey; or 1, 2, 3 with colours at full or at half the resolution.
static bool read_frame(struct jpeg_baseline *d, const uint8_t *at, size_t size)
{
  if (d->plane_count || size < 6 || at[0] != 8) return false;
  d->height = at[1] << 8 | at[2];
  d->width = at[3] << 8 | at[4];
  int count = at[5];
  if ((count != 1 && count != PLANES) || size != 6 + 3 * (size_t)count) return false;
  int luma = at[7];
  if (luma != 0x11 && (luma != 0x22 || count == 1)) return false;
  for (int c = 0; c < count; c++) {
    const uint8_t *entry = at + 6 + 3 * c;
    if (entry[0] != c + 1 || (c && entry[1] != 0x11) || entry[2] >= STEP_TABLES) return false;
    d->planes[c] = (struct plane){.across = entry[1] >> 4, .down = entry[1] & 15, .steps = entry[2]};
  }
  d->plane_count = count;
  return true;
}

static bool read_scan_header(struct jpeg_baseline *d, const uint8_t *at, size_t size)
{
  if (!d->plane_count || size != 4 + 2 * (size_t)d->plane_count || at[0] != d->plane_count) return false;
  for (int c = 0; c < d->plane_count; c++) {
    struct plane *plane = &d->planes[c];
    plane->dc = at[2 + 2 * c] >> 4, plane->ac = at[2 + 2 * c] & 15;
    if (at[1 + 2 * c] != c + 1 || plane->dc >= TABLES || plane->ac >= TABLES) return false;
    if (!d->has_dc[plane->dc] || !d->has_ac[plane->ac] || !d->has_steps[plane->steps]) return false;
  }
  const uint8_t *range = at + 1 + 2 * (size_t)d->plane_count;
  return range[0] == 0 && range[1] == 63 && range[2] == 0;
}

// An Adobe marker may give the planes another meaning, and another version of JFIF is not to be trusted.
static bool is_plain_note(int marker, const uint8_t *at, size_t size)
{
  if (marker == MARKER_APP14) return false;
  if (marker == MARKER_APP0 && size >= 5 && !memcmp(at, "JFIF", 5)) return size >= 14 && at[5] == 1;
  return (marker >= MARKER_APP0 && marker <= MARKER_APP15) || marker == MARKER_COM;
}

static bool read_segment(struct jpeg_baseline *d, int marker, const uint8_t *at, size_t size)
{
  switch (marker) {
  case MARKER_SOF0:
    return read_frame(d, at, size);
  case MARKER_DHT:
    return read_codes(d, at, size);
  case MARKER_DQT:
    return read_steps(d, at, size);
  case MARKER_SOS:
    return read_scan_header(d, at, size);
  default:
    return is_plain_note(marker, at, size);
  }
}

// Where the entropy-coded bytes begin; 0 for what is not plain.
static size_t read_headers(struct jpeg_baseline *d, const uint8_t *bytes, size_t size)
{
  memset(d->has_dc, 0, sizeof d->has_dc);
  memset(d->has_ac, 0, sizeof d->has_ac);
  memset(d->has_steps, 0, sizeof d->has_steps);
  d->plane_count = 0;
  for (size_t at = 2; size - at >= 4;) {
    size_t length = (size_t)bytes[at + 2] << 8 | bytes[at + 3];
    int marker = bytes[at + 1];
    if (bytes[at] != 0xFF || length < 2 || length > size - at - 2) return 0;
    if (!read_segment(d, marker, bytes + at + 4, length - 2)) return 0;
    at += 2 + length;
    if (marker == MARKER_SOS) return at;
  }
  return 0;
}

// --- the scan --------------------------------------------------------------------------------------------------------

static int units(int side, int of)
{
  return (side + of - 1) / of;
}

// At half the size colours at half the resolution keep all they have.
static bool lay_out_planes(struct jpeg_baseline *d, int reduction)
{
  const struct plane *luma = &d->planes[0];
  size_t across = (size_t)units(d->width, 8 * luma->across), down = (size_t)units(d->height, 8 * luma->down);
  size_t bytes = 0, at[PLANES];
  for (int c = 0; c < d->plane_count; c++) {
    struct plane *plane = &d->planes[c];
    plane->side = reduction == 2 && plane->across == luma->across ? 4 : 8;
    plane->stride = across * (size_t)(plane->across * plane->side);
    at[c] = bytes;
    bytes += plane->stride * down * (size_t)(plane->down * plane->side);
  }
  size_t rows = 2 * ((size_t)d->width + MEM_ALIGNMENT); // two widened ones behind the planes
  if (bytes > MEMORY_LIMIT || !make_room(&d->memory, &d->memory_room, bytes + rows)) return false;
  for (int c = 0; c < d->plane_count; c++) d->planes[c].pixels = d->memory + at[c];
  return true;
}

// A block without detail, to the bits that its transform would give.
static void put_flat_block(const struct plane *plane, uint16_t step, int16_t mean, uint8_t *out)
{
  int16_t scaled = (int16_t)((uint16_t)(mean * step) << 2);
  int level = (scaled + 16) >> 5;
  uint64_t row = (uint64_t)(level < -128 ? 0 : level > 127 ? 255 : level + 128) * UINT64_C(0x0101010101010101);
  for (int y = 0; y < plane->side; y++, out += plane->stride) {
    if (plane->side == 8)
      memcpy(out, &row, 8);
    else
      memcpy(out, &row, 4);
  }
}

static void put_block(const struct pixel_kernels *kernels, const struct plane *plane, const uint16_t *steps,
                      struct block *block, uint8_t *out)
{
  if (block->flat)
    put_flat_block(plane, steps[0], block->coefficients[0], out);
  else
    (plane->side == 4 ? kernels->jpeg_block_half : kernels->jpeg_block)(block->coefficients, steps, plane->stride, out);
}

// All blocks of a unit are read, and only then transformed: a coefficient that was just written is slow to load with
// its neighbours.
static bool read_unit(struct jpeg_baseline *d, struct jpeg_bits *bits, int predicted[PLANES])
{
  struct block *block = d->unit;
  for (int c = 0; c < d->plane_count; c++) {
    const struct plane *plane = &d->planes[c];
    for (int i = 0; i < plane->across * plane->down; i++, block++)
      if (!jpeg_read_block(bits, &d->dc[plane->dc], &d->ac[plane->ac], &predicted[c], block->coefficients,
                           &block->flat))
        return false;
  }
  return true;
}

static void put_unit(struct jpeg_baseline *d, const struct pixel_kernels *kernels, size_t column, size_t row)
{
  struct block *block = d->unit;
  for (int c = 0; c < d->plane_count; c++) {
    const struct plane *plane = &d->planes[c];
    size_t side = (size_t)plane->side, across = (size_t)plane->across, down = (size_t)plane->down;
    uint8_t *out = plane->pixels + row * down * side * plane->stride + column * across * side;
    for (size_t y = 0; y < down; y++)
      for (size_t x = 0; x < across; x++, block++)
        put_block(kernels, plane, d->steps[plane->steps], block, out + y * side * plane->stride + x * side);
  }
}

static bool read_scan(struct jpeg_baseline *d, const struct pixel_kernels *kernels, const uint8_t *bytes, size_t size)
{
  size_t length, end;
  if (!make_room(&d->scan, &d->scan_room, size + JPEG_OVERRUN)) return false;
  end = jpeg_unstuff(bytes, size, d->scan, &length);
  if (size - end < 2 || bytes[end + 1] != MARKER_EOI) return false;
  memset(d->unit, 0, sizeof d->unit);
  struct jpeg_bits bits;
  jpeg_bits_begin(&bits, d->scan, length);
  size_t across = (size_t)units(d->width, 8 * d->planes[0].across);
  size_t down = (size_t)units(d->height, 8 * d->planes[0].down);
  int predicted[PLANES] = {0};
  for (size_t row = 0; row < down; row++)
    for (size_t column = 0; column < across; column++)
      if (read_unit(d, &bits, predicted))
        put_unit(d, kernels, column, row);
      else
        return false;
  return jpeg_bits_are_spent(&bits);
}

// --- the pixels ------------------------------------------------------------------------------------------------------

static void write_grey(const struct plane *plane, int width, int height, uint8_t *out)
{
  for (int y = 0; y < height; y++)
    for (int x = 0; x < width; x++, out += 3) memset(out, plane->pixels[(size_t)y * plane->stride + (size_t)x], 3);
}

static const uint8_t *row_of(const struct plane *plane, int row, int rows)
{
  row = row < 0 ? 0 : row >= rows ? rows - 1 : row;
  return plane->pixels + (size_t)row * plane->stride;
}

// Colours at half the resolution: three parts of the nearer row and pixel, one of the farther.
static void write_widened(struct jpeg_baseline *d, const struct pixel_kernels *kernels, uint8_t *out)
{
  const struct plane *planes = d->planes;
  int columns = (d->width + 1) / 2, rows = (d->height + 1) / 2;
  uint8_t *wide[2] = {d->memory + d->memory_room - 2 * ((size_t)d->width + MEM_ALIGNMENT),
                      d->memory + d->memory_room - ((size_t)d->width + MEM_ALIGNMENT)};
  for (int y = 0; y < d->height; y++) {
    int near = y / 2, far = y % 2 ? near + 1 : near - 1;
    for (int c = 0; c < 2; c++)
      kernels->jpeg_widen(row_of(&planes[1 + c], near, rows), row_of(&planes[1 + c], far, rows), (size_t)columns,
                          wide[c]);
    kernels->jpeg_colours(row_of(&planes[0], y, d->height), wide[0], wide[1], (size_t)d->width,
                          out + (size_t)y * (size_t)d->width * 3);
  }
}

static void write_pixels(struct jpeg_baseline *d, const struct pixel_kernels *kernels, int reduction, uint8_t *out)
{
  const struct plane *planes = d->planes;
  int width = d->width / reduction, height = d->height / reduction;
  if (d->plane_count == 1) {
    write_grey(&planes[0], width, height, out);
  } else if (reduction == 1 && planes[0].across == 2) {
    write_widened(d, kernels, out);
  } else {
    for (int y = 0; y < height; y++)
      kernels->jpeg_colours(row_of(&planes[0], y, height), row_of(&planes[1], y, height), row_of(&planes[2], y, height),
                            (size_t)width, out + (size_t)y * (size_t)width * 3);
  }
}

bool jpeg_baseline_decode(struct jpeg_baseline *decoder, const uint8_t *bytes, size_t size, int width, int height,
                          int reduction, uint8_t *out)
{
  if (reduction > 2 || width < LEAST_SIDE || height < LEAST_SIDE) return false;
  if (size < 4 || bytes[0] != 0xFF || bytes[1] != MARKER_SOI) return false;
  size_t at = read_headers(decoder, bytes, size);
  if (!at || decoder->width != width || decoder->height != height) return false;
  const struct pixel_kernels *kernels = pixel_kernels();
  if (!lay_out_planes(decoder, reduction) || !read_scan(decoder, kernels, bytes + at, size - at)) return false;
  write_pixels(decoder, kernels, reduction, out);
  return true;
}
