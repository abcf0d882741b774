// What is behind a hand: where it is, as far as the borders of the picture tell, and what else could be there.
//
// Nobody has drawn the hands' outlines. The background is guessed: it is what borders on the picture's edge without a
// step in colour, and is not redder than the edge is. Where in doubt, it is hand: a piece of the old background left
// standing beside the new one teaches little wrong, a hand with a finger missing is another letter.
#ifndef IMAGE_BACKGROUND_H
#define IMAGE_BACKGROUND_H

#include <stdbool.h>
#include <stdint.h>

enum { BACKGROUND_GRID = 32, BACKGROUND_CELLS = BACKGROUND_GRID * BACKGROUND_GRID };

// How much of each cell of a grid over the picture is hand: `hand` is [BACKGROUND_GRID, BACKGROUND_GRID, 3], three
// times the same share of 255. False where the guess is not to be trusted: the hand would be too little or nearly all
// of the picture. Sides of 2 or more.
bool background_find_hand(const uint8_t *source, int width, int height, uint8_t hand[3 * BACKGROUND_CELLS]);

// A texture of the seed's, [BACKGROUND_GRID, BACKGROUND_GRID, 3]: colours that fade into each other, blotches, stripes
// or tiles, as walls, floors, cloth and things out of focus have them.
void background_texture(uint32_t seed, uint8_t texture[3 * BACKGROUND_CELLS]);

#endif
