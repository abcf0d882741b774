// The entropy-coded part of a baseline JPEG: Huffman codes and the blocks they spell (ITU-T T.81, annexes C, F).
//
// Codes are read by one look at the next JPEG_LOOK bits, which tells run, size and value of most coefficients at once.
// Whatever is not in order - a code that does not exist, a coefficient beyond a block, bits beyond the end - is
// answered with false and no reason: the caller leaves such a file to TurboJPEG, which has the words for it.
#ifndef IMAGE_JPEG_SCAN_H
#define IMAGE_JPEG_SCAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { JPEG_LOOK = 10, JPEG_SYMBOLS = 256, JPEG_BLOCK = 64, JPEG_LENGTHS = 16 };

// What a look at the next bits tells.
struct jpeg_look {
  int16_t value; // the coefficient; or, where `ahead` is 0, the symbol
  uint8_t ahead; // coefficients up to and with this one; JPEG_END: no further ones; 0: more bits are needed
  uint8_t bits;  // used up; 0: the code is longer than JPEG_LOOK
};
enum { JPEG_END = 128 };

// Places of the coefficients, and of a table's steps, in rows, in the order of a file ("zigzag"); beyond the last of a
// block, and behind JPEG_END, nowhere: JPEG_BLOCK.
extern const uint8_t jpeg_places[JPEG_BLOCK + JPEG_END];

// The table of a DHT segment. All zero: none.
struct jpeg_codes {
  struct jpeg_look look[1 << JPEG_LOOK];
  int32_t limit[JPEG_LENGTHS + 2];  // codes of n bits are below it, as 16 bits from the left; the last: above all
  int32_t offset[JPEG_LENGTHS + 1]; // from a code of n bits to its symbol's place
  uint8_t counts[JPEG_LENGTHS], symbols[JPEG_SYMBOLS];
  bool ready;
};

// Reads a table as it stands in a DHT segment, behind its class and number: `direct` (DC) or runs and sizes (AC).
// Returns its bytes, 0 where it is refused. Made only where it differs from what `codes` already is.
size_t jpeg_codes_read(struct jpeg_codes *codes, bool direct, const uint8_t *bytes, size_t size);

// Copies entropy-coded bytes up to the next marker, without the zeros that are stuffed behind FF, and JPEG_OVERRUN
// zeros behind them. `out` has room for size + JPEG_OVERRUN bytes. *length: of what was copied. Returns where the
// marker's FF is, `size` where there is none.
enum { JPEG_OVERRUN = 256 };
size_t jpeg_unstuff(const uint8_t *bytes, size_t size, uint8_t *out, size_t *length);

struct jpeg_bits {
  const uint8_t *bytes;
  size_t at, end; // in bits
};

void jpeg_bits_begin(struct jpeg_bits *bits, const uint8_t *bytes, size_t length);

// Whether all bits but the last byte's padding were read, and none beyond.
bool jpeg_bits_are_spent(const struct jpeg_bits *bits);

// The next block's coefficients, in rows, not yet multiplied by their steps. *predicted is the component's last DC.
// `coefficients` has JPEG_ROOM elements, the first JPEG_BLOCK of which are zero when it is called. *flat: all but the
// first are zero.
enum { JPEG_ROOM = JPEG_BLOCK + 8 };
bool jpeg_read_block(struct jpeg_bits *bits, const struct jpeg_codes *dc, const struct jpeg_codes *ac, int *predicted,
                     int16_t coefficients[JPEG_ROOM], bool *flat);

#endif
