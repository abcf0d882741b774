#include "image/jpeg_scan.h"

#include <string.h>

enum {
  DC_SIZE_LIMIT = 11, // of a difference of 8-bit samples' means
  AC_SIZE_LIMIT = 10,
  DC_LIMIT = 4095,
  NOWHERE = JPEG_BLOCK // where what lies beyond a block is put
};

const uint8_t jpeg_places[JPEG_BLOCK + JPEG_END] = {
    0,  1,  8,  16, 9,  2,  3,  10, 17, 24, 32, 25, 18,
    11, 4,  5,  12, 19, 26, 33, 40, 48, 41, 34, 27, 20,
    13, 6,  7,  14, 21, 28, 35, 42, 49, 56, 57, 50, 43,
    36, 29, 22, 15, 23, 30, 37, 44, 51, 58, 59, 52, 45,
    38, 31, 39, 46, 53, 60, 61, 54, 47, 55, 62, 63, [JPEG_BLOCK... JPEG_BLOCK + JPEG_END - 1] = NOWHERE};

// --- codes -----------------------------------------------------------------------------------------------------------

// A number of `size` bits as T.81's EXTEND: the lower half of all numbers stands for negative ones.
static int extended(uint32_t bits, int size)
{
  return size && bits < 1U << (size - 1) ? (int)bits - (1 << size) + 1 : (int)bits;
}

// `bits` begins with a code of `length` bits.
static struct jpeg_look look_of(bool direct, uint8_t symbol, int length, uint32_t bits)
{
  int run = direct ? 0 : symbol >> 4, size = direct ? symbol : symbol & 15, used = length + size;
  if (!direct && symbol == 0) return (struct jpeg_look){0, JPEG_END, (uint8_t)length};
  if (used > JPEG_LOOK) return (struct jpeg_look){symbol, 0, (uint8_t)length};
  uint32_t value = bits >> (JPEG_LOOK - used) & ((1U << size) - 1);
  return (struct jpeg_look){(int16_t)extended(value, size), (uint8_t)(run + 1), (uint8_t)used};
}

// A run without a coefficient is 0 (no more) or 15 (sixteen zeros).
static bool is_sound(bool direct, uint8_t symbol)
{
  if (direct) return symbol <= DC_SIZE_LIMIT;
  return (symbol & 15) <= AC_SIZE_LIMIT && ((symbol & 15) || symbol == 0 || symbol == 0xF0);
}

static bool make_codes(struct jpeg_codes *codes, bool direct)
{
  memset(codes->look, 0, sizeof codes->look);
  int32_t code = 0;
  int place = 0;
  for (int length = 1; length <= JPEG_LENGTHS; length++, code <<= 1) {
    int count = codes->counts[length - 1];
    codes->offset[length] = place - code;
    for (int i = 0; i < count; i++, code++, place++) {
      if (!is_sound(direct, codes->symbols[place])) return false;
      if (length > JPEG_LOOK) continue;
      uint32_t first = (uint32_t)code << (JPEG_LOOK - length), after = first + (1U << (JPEG_LOOK - length));
      if (after > 1U << JPEG_LOOK) return false;
      for (uint32_t bits = first; bits < after; bits++)
        codes->look[bits] = look_of(direct, codes->symbols[place], length, bits);
    }
    if (code >= 1 << length) return false; // more codes than there are; all ones is none
    codes->limit[length] = code << (JPEG_LENGTHS - length);
  }
  codes->limit[JPEG_LENGTHS + 1] = INT32_MAX;
  return true;
}

size_t jpeg_codes_read(struct jpeg_codes *codes, bool direct, const uint8_t *bytes, size_t size)
{
  size_t count = 0;
  if (size < JPEG_LENGTHS) return 0;
  for (int i = 0; i < JPEG_LENGTHS; i++) count += bytes[i];
  if (count > JPEG_SYMBOLS || count > size - JPEG_LENGTHS) return 0;
  const uint8_t *symbols = bytes + JPEG_LENGTHS;
  bool same = codes->ready && !memcmp(codes->counts, bytes, JPEG_LENGTHS) && !memcmp(codes->symbols, symbols, count);
  if (!same) {
    memcpy(codes->counts, bytes, JPEG_LENGTHS);
    memcpy(codes->symbols, symbols, count);
    codes->ready = make_codes(codes, direct);
  }
  return codes->ready ? JPEG_LENGTHS + count : 0;
}

// --- bits ------------------------------------------------------------------------------------------------------------

size_t jpeg_unstuff(const uint8_t *bytes, size_t size, uint8_t *out, size_t *length)
{
  size_t at = 0, to = 0;
  for (;;) {
    const uint8_t *found = memchr(bytes + at, 0xFF, size - at);
    size_t until = found ? (size_t)(found - bytes) : size;
    bool stuffed = found && until + 1 < size && bytes[until + 1] == 0;
    size_t count = until - at + stuffed;
    memcpy(out + to, bytes + at, count);
    to += count;
    if (!stuffed) {
      memset(out + to, 0, JPEG_OVERRUN);
      *length = to;
      return until;
    }
    at = until + 2;
  }
}

void jpeg_bits_begin(struct jpeg_bits *bits, const uint8_t *bytes, size_t length)
{
  *bits = (struct jpeg_bits){bytes, 0, 8 * length};
}

bool jpeg_bits_are_spent(const struct jpeg_bits *bits)
{
  return bits->at <= bits->end && bits->end - bits->at < 8;
}

// At least 57 bits from the place `at`, from the highest on.
static inline uint64_t bits_at(const uint8_t *bytes, size_t at)
{
  uint64_t word;
  memcpy(&word, bytes + at / 8, sizeof word);
  return __builtin_bswap64(word) << at % 8;
}

// The symbol that `held` begins with where a look was not enough, and its length in *used; -1 for none.
static int symbol_of(uint64_t held, const struct jpeg_codes *codes, int *used)
{
  int32_t code = (int32_t)(held >> 48);
  int length = JPEG_LOOK + 1;
  while (code >= codes->limit[length]) length++;
  *used = length;
  return length > JPEG_LENGTHS ? -1 : codes->symbols[(code >> (JPEG_LENGTHS - length)) + codes->offset[length]];
}

// All of what a look was too short for; `ahead` is 0 where there is no such code.
static struct jpeg_look __attribute__((noinline))
look_longer(uint64_t held, const struct jpeg_codes *codes, bool direct, struct jpeg_look look)
{
  int used = look.bits, symbol = look.bits ? look.value : symbol_of(held, codes, &used);
  if (symbol < 0) return (struct jpeg_look){0};
  if (!direct && symbol == 0) return (struct jpeg_look){0, JPEG_END, (uint8_t)used};
  int size = direct ? symbol : symbol & 15, ahead = direct ? 1 : (symbol >> 4) + 1;
  int value = size ? extended((uint32_t)(held << used >> (64 - size)), size) : 0;
  return (struct jpeg_look){(int16_t)value, (uint8_t)ahead, (uint8_t)(used + size)};
}

static bool read_mean(struct jpeg_bits *bits, const struct jpeg_codes *dc, int *predicted)
{
  uint64_t held = bits_at(bits->bytes, bits->at);
  struct jpeg_look look = dc->look[held >> (64 - JPEG_LOOK)];
  if (!look.ahead) look = look_longer(held, dc, true, look);
  bits->at += look.bits;
  *predicted += look.value;
  return look.ahead && *predicted <= DC_LIMIT && *predicted >= -DC_LIMIT;
}

// Of one load of bits there are always enough for three looks and a code of any length.
enum { LOOKS = 4 };
_Static_assert((LOOKS - 1) * JPEG_LOOK + JPEG_LENGTHS + AC_SIZE_LIMIT <= 57, "bits of one load");

// What a block's loop works on, in registers.
#define LOOK()                                                                                                         \
  do {                                                                                                                 \
    look = ac->look[held >> (64 - JPEG_LOOK)];                                                                         \
    if (__builtin_expect(!look.ahead, 0)) goto longer;                                                                 \
    held <<= look.bits;                                                                                                \
    at += look.bits;                                                                                                   \
    read += look.ahead;                                                                                                \
    coefficients[jpeg_places[read - 1]] = look.value;                                                                  \
  } while (0)

bool jpeg_read_block(struct jpeg_bits *bits, const struct jpeg_codes *dc, const struct jpeg_codes *ac, int *predicted,
                     int16_t coefficients[JPEG_ROOM], bool *flat)
{
  if (!read_mean(bits, dc, predicted)) return false;
  coefficients[0] = (int16_t)*predicted;
  const uint8_t *bytes = bits->bytes;
  size_t at = bits->at;
  unsigned read = 1;
  while (read < JPEG_BLOCK) {
    uint64_t held = bits_at(bytes, at);
    struct jpeg_look look;
    LOOK();
    if (read >= JPEG_BLOCK) break;
    LOOK();
    if (read >= JPEG_BLOCK) break;
    LOOK();
    if (read >= JPEG_BLOCK) break;
    LOOK();
    continue;
  longer:
    look = look_longer(held, ac, false, look);
    if (!look.ahead) return false;
    at += look.bits;
    read += look.ahead;
    coefficients[jpeg_places[read - 1]] = look.value;
  }
  bits->at = at;
  *flat = read == 1 + JPEG_END;
  return (read == JPEG_BLOCK || read > JPEG_END) && at <= bits->end;
}
