// The places. Colours are chosen as sRGB, as one picks them from photographs, and held as linear light.
#include "synth/background.h"

#include <math.h>
#include <string.h>

static const float pi = 3.14159265f;

// --- chance and colours --------------------------------------------------------------------------------------------

static bool chance(struct rng *rng, float share)
{
  return rng_uniform(rng, 0, 1) < share;
}

static void colour_of(uint32_t srgb, float out[3])
{
  for (int c = 0; c < 3; c++) out[c] = powf((float)(srgb >> (16 - 8 * c) & 255) / 255, 2.2f);
}

static void pick_colour(struct rng *rng, const uint32_t *colours, int count, float spread, float out[3])
{
  float brightness = rng_uniform(rng, 1 - spread, 1 + spread);
  colour_of(colours[rng_below(rng, (uint32_t)count)], out);
  for (int c = 0; c < 3; c++) {
    out[c] *= brightness * rng_uniform(rng, 1 - 0.3f * spread, 1 + 0.3f * spread);
    if (out[c] > 0.95f) out[c] = 0.95f;
  }
}

// Towards grey, by a share of up to `most`.
static void fade(struct rng *rng, float most, float colour[3])
{
  float share = rng_uniform(rng, 0, most), grey = (colour[0] + colour[1] + colour[2]) / 3;
  for (int c = 0; c < 3; c++) colour[c] += share * (grey - colour[c]);
}

#define PICK(rng, colours, spread, out)                                                                                \
  pick_colour(rng, colours, (int)(sizeof(colours) / sizeof *(colours)), spread, out)

static const uint32_t paints[] = {0xE8E4DC, 0xDAD6CE, 0xC9C8C6, 0xB9B7B2, 0xE9DFC8, 0xD8CBB0, 0xC8D2D6, 0xCBD6C6,
                                  0xE6E8EA, 0xA8ABAE, 0xD9C2B4, 0x8FA3B0, 0xE3D49A, 0xB7A58E, 0x7E8B86, 0xF0EEE9};
static const uint32_t woods[] = {0xB58A5A, 0x8A5A34, 0x6B4226, 0xC9A67A, 0x7A6A5C,
                                 0x9C9187, 0x5A3A26, 0xA35F33, 0xD6BC94};
static const uint32_t dark_woods[] = {0x6A4526, 0x4A2E1C, 0x5E5148, 0x83705F, 0x7A4422, 0x8F744F};
static const uint32_t carpets[] = {0xB5ADA0, 0x8E8A84, 0x9C8C78, 0x6F7378, 0xC4BBAA, 0x7B6A5A, 0x55606E};
static const uint32_t cloths[] = {0x2B3A55, 0x6E2A2E, 0x777C80, 0x1F2022, 0xC7BFB0,
                                  0x4B5B44, 0x8A6B4A, 0x3C6478, 0xA7A9B0, 0xB08A3C};
static const uint32_t things_colours[] = {0x2A2A2C, 0xDDDDD8, 0x24466E, 0x8C2F28, 0xC9A227, 0x3E6B48,
                                          0x7D4F2B, 0x9FA6AB, 0x4E4E52, 0xE0D5BE, 0x5B3E72, 0xC46A2F};
static const uint32_t leaf_dark[] = {0x1C2E12, 0x24361A, 0x2E3A18, 0x18280F};
static const uint32_t leaf_bright[] = {0x6F8F3A, 0x5E8040, 0x8FA050, 0x7A9A5C, 0xA09A50};
static const uint32_t skies[] = {0xDCE8F4, 0xF4F6F8, 0xB8D2EE, 0xE8EAEC};

static struct surface plain(struct rng *rng, const uint32_t *colours, int count)
{
  struct surface s = {.texture = TEXTURE_PAINT,
                      .scale = rng_uniform(rng, 0.5f, 1.5f),
                      .contrast = rng_uniform(rng, 0.05f, 0.35f),
                      .seed = rng_bits(rng)};
  pick_colour(rng, colours, count, 0.15f, s.base);
  for (int c = 0; c < 3; c++) s.other[c] = s.base[c] * 0.75f;
  return s;
}
#define PLAIN(rng, colours) plain(rng, colours, (int)(sizeof(colours) / sizeof *(colours)))

static struct surface patterned(struct rng *rng, enum texture texture)
{
  struct surface s = {.texture = texture,
                      .scale = rng_uniform(rng, 0.75f, 1.3f),
                      .contrast = rng_uniform(rng, 0.4f, 0.9f),
                      .seed = rng_bits(rng)};
  switch (texture) {
  case TEXTURE_PLANKS:
    PICK(rng, woods, 0.2f, s.base);
    fade(rng, 0.5f, s.base);
    for (int c = 0; c < 3; c++) s.other[c] = s.base[c] * rng_uniform(rng, 0.35f, 0.7f);
    break;
  case TEXTURE_CARPET:
    PICK(rng, carpets, 0.2f, s.base);
    for (int c = 0; c < 3; c++) s.other[c] = s.base[c] * rng_uniform(rng, 0.3f, 0.6f);
    break;
  case TEXTURE_BRICKS:
    if (chance(rng, 0.5f)) {
      PICK(rng, paints, 0.1f, s.base);
      for (int c = 0; c < 3; c++) s.other[c] = s.base[c] * rng_uniform(rng, 0.55f, 0.8f);
    } else {
      static const uint32_t clays[] = {0x9A5A44, 0x7E4636, 0xB27A5C, 0x8C6A58};
      PICK(rng, clays, 0.2f, s.base);
      PICK(rng, paints, 0.2f, s.other);
    }
    s.scale *= 1.3f;
    break;
  case TEXTURE_TILES:
  case TEXTURE_PRINT:
    PICK(rng, paints, 0.1f, s.base);
    for (int c = 0; c < 3; c++) s.other[c] = texture == TEXTURE_PRINT ? 0.04f : s.base[c] * 0.5f;
    break;
  case TEXTURE_BOOKS:
    PICK(rng, woods, 0.3f, s.base);
    for (int c = 0; c < 3; c++) s.other[c] = 0.8f * s.base[c];
    break;
  case TEXTURE_KEYS: {
    bool white = chance(rng, 0.4f);
    for (int c = 0; c < 3; c++) s.base[c] = white ? 0.7f : 0.025f, s.other[c] = white ? 0.35f : 0.008f;
    break;
  }
  case TEXTURE_LEAVES:
  case TEXTURE_LAWN:
    PICK(rng, leaf_dark, 0.3f, s.base);
    PICK(rng, leaf_bright, 0.3f, s.other);
    break;
  case TEXTURE_CLOTH:
    PICK(rng, cloths, 0.3f, s.base);
    PICK(rng, cloths, 0.3f, s.other);
    break;
  case TEXTURE_CURTAIN:
    if (chance(rng, 0.6f))
      PICK(rng, paints, 0.2f, s.base);
    else
      PICK(rng, cloths, 0.2f, s.base);
    for (int c = 0; c < 3; c++) s.other[c] = s.base[c] * 0.4f;
    break;
  default: // pictures and whatever has two colours
    PICK(rng, things_colours, 0.3f, s.base);
    PICK(rng, things_colours, 0.3f, s.other);
    break;
  }
  return s;
}

// The light of day behind it.
static struct surface shining(struct rng *rng, enum texture texture, float glow)
{
  struct surface s = {.texture = texture,
                      .scale = rng_uniform(rng, 0.8f, 1.4f),
                      .contrast = rng_uniform(rng, 0.4f, 0.9f),
                      .glow = glow,
                      .seed = rng_bits(rng)};
  PICK(rng, skies, 0.05f, s.base);
  PICK(rng, skies, 0.05f, s.other);
  if (texture == TEXTURE_BLINDS)
    for (int c = 0; c < 3; c++) s.base[c] *= 0.45f;
  return s;
}

// --- things --------------------------------------------------------------------------------------------------------

enum { PERSON_PARTS = 5, FURNITURE = ROOM_THINGS - PERSON_PARTS };

static struct thing *add(struct room *room, float x, float y, float z, float half_x, float half_y, float half_z,
                         float turn, struct surface surface)
{
  struct thing *thing = &room->things[room->thing_count++];
  *thing = (struct thing){.middle = {x, y, z},
                          .half = {half_x, half_y, half_z},
                          .cosine = cosf(turn),
                          .sine = sinf(turn),
                          .surface = surface};
  return thing;
}

// A piece of furniture. In a full room the last one makes way: the places left are a person's.
static struct thing *put(struct room *room, float x, float y, float z, float half_x, float half_y, float half_z,
                         float turn, struct surface surface)
{
  if (room->thing_count == FURNITURE) room->thing_count--;
  return add(room, x, y, z, half_x, half_y, half_z, turn, surface);
}

static struct surface thing_surface(struct rng *rng)
{
  float which = rng_uniform(rng, 0, 1);
  if (which < 0.5f) return PLAIN(rng, things_colours);
  if (which < 0.65f) return PLAIN(rng, paints);
  if (which < 0.8f) return patterned(rng, TEXTURE_PICTURE);
  if (which < 0.9f) return patterned(rng, TEXTURE_CLOTH);
  return patterned(rng, TEXTURE_PLANKS);
}

// A small thing that stands on something: a box, a packet, a ball, a cup.
static void put_small(struct room *room, struct rng *rng, float x, float y, float ground, float size)
{
  float a = size * rng_uniform(rng, 0.25f, 1), b = size * rng_uniform(rng, 0.25f, 1),
        c = size * rng_uniform(rng, 0.1f, 1);
  struct thing *thing = put(room, x, y, ground + c, a, b, c, rng_uniform(rng, 0, pi), thing_surface(rng));
  thing->round = chance(rng, 0.3f);
}

// On the wall y = size: what may hang or stand there.
static void put_on_wall(struct room *room, struct rng *rng, float x, float clutter)
{
  float y = room->size[1], which = rng_uniform(rng, 0, 1);
  if (which < 0.3f) { // a picture in its frame
    float w = rng_uniform(rng, 0.12f, 0.4f), h = rng_uniform(rng, 0.12f, 0.4f), z = rng_uniform(rng, 1.2f, 1.8f);
    put(room, x, y, z, w + 0.03f, 0.015f, h + 0.03f, 0, PLAIN(rng, things_colours));
    put(room, x, y, z, w, 0.02f, h, 0, patterned(rng, TEXTURE_PICTURE));
  } else if (which < 0.5f) { // a door
    struct surface door = PLAIN(rng, paints), frame = PLAIN(rng, paints);
    put(room, x, y, 1.02f, 0.5f, 0.03f, 1.05f, 0, frame);
    put(room, x, y, 1.0f, 0.42f, 0.045f, 1.0f, 0, door);
    struct thing *knob = put(room, x + 0.35f, y - 0.08f, 1.0f, 0.03f, 0.04f, 0.03f, 0, PLAIN(rng, things_colours));
    knob->round = true;
  } else if (which < 0.65f) { // a board
    float w = rng_uniform(rng, 0.5f, 1);
    put(room, x, y, 1.5f, w + 0.03f, 0.015f, 0.55f, 0, PLAIN(rng, woods));
    struct surface board = patterned(rng, chance(rng, 0.5f) ? TEXTURE_PRINT : TEXTURE_PAINT);
    if (chance(rng, 0.5f)) colour_of(0x24403A, board.base), colour_of(0xC0C8C0, board.other);
    board.scale = rng_uniform(rng, 4, 9);
    board.contrast = rng_uniform(rng, 0.2f, 0.6f);
    put(room, x, y, 1.5f, w, 0.02f, 0.5f, 0, board);
  } else if (which < 0.8f) { // a shelf
    float z = rng_uniform(rng, 1.1f, 1.7f), w = rng_uniform(rng, 0.3f, 0.6f);
    put(room, x, y - 0.12f, z, w, 0.12f, 0.012f, 0, PLAIN(rng, woods));
    struct surface row = patterned(rng, TEXTURE_BOOKS);
    put(room, x - 0.2f * w, y - 0.1f, z + 0.13f, 0.6f * w, 0.08f, 0.12f, 0, row);
    if (chance(rng, clutter)) put_small(room, rng, x + 0.7f * w, y - 0.12f, z, 0.08f);
  } else { // a cupboard
    float h = rng_uniform(rng, 0.35f, 1), d = rng_uniform(rng, 0.15f, 0.3f);
    put(room, x, y - d, h, rng_uniform(rng, 0.25f, 0.6f), d, h, 0,
        chance(rng, 0.6f) ? PLAIN(rng, woods) : PLAIN(rng, paints));
    if (chance(rng, clutter)) put_small(room, rng, x, y - d, 2 * h, 0.12f);
  }
}

static void put_window(struct room *room, struct rng *rng, float x, float z, float half_x, float half_z, float glow)
{
  float y = room->size[1], which = rng_uniform(rng, 0, 1);
  enum texture texture = which < 0.5f ? TEXTURE_BLINDS : which < 0.85f ? TEXTURE_OUTSIDE : TEXTURE_PAINT;
  struct surface frame = PLAIN(rng, paints);
  put(room, x, y, z, half_x + 0.06f, 0.03f, half_z + 0.06f, 0, frame);
  put(room, x, y, z, half_x, 0.035f, half_z, 0, shining(rng, texture, glow));
  if (texture != TEXTURE_BLINDS) {
    put(room, x, y, z, 0.02f, 0.04f, half_z, 0, frame);
    put(room, x, y, z + 0.1f * half_z, half_x, 0.04f, 0.02f, 0, frame);
  }
  if (chance(rng, 0.3f)) {
    struct surface curtain = patterned(rng, TEXTURE_CURTAIN);
    float side = chance(rng, 0.5f) ? 1.0f : -1.0f;
    put(room, x + side * half_x, y - 0.1f, z - 0.1f, 0.3f, 0.04f, half_z + 0.3f, 0, curtain);
  }
}

static void put_desk(struct room *room, struct rng *rng, float x, float y, float clutter)
{
  float w = rng_uniform(rng, 0.6f, 1), d = rng_uniform(rng, 0.35f, 0.5f), top = 0.74f;
  struct surface wood = chance(rng, 0.7f) ? patterned(rng, TEXTURE_PLANKS) : PLAIN(rng, paints);
  wood.scale = 3; // one board
  put(room, x, y, top - 0.015f, w, d, 0.015f, 0, wood);
  if (chance(rng, 0.6f))
    put(room, x + rng_uniform(rng, -0.4f, 0.2f), y + rng_uniform(rng, -0.2f, 0), top + 0.012f, 0.22f, 0.07f, 0.01f,
        rng_uniform(rng, -0.3f, 0.3f), patterned(rng, TEXTURE_KEYS));
  if (chance(rng, 0.5f)) {
    struct surface screen = patterned(rng, chance(rng, 0.5f) ? TEXTURE_PRINT : TEXTURE_PICTURE);
    screen.glow = rng_uniform(rng, 0.5f, 1.2f);
    float z = top + 0.32f, sx = x + rng_uniform(rng, -0.3f, 0.3f);
    put(room, sx, y + d - 0.08f, z, 0.29f, 0.02f, 0.18f, 0, PLAIN(rng, dark_woods));
    put(room, sx, y + d - 0.085f, z, 0.27f, 0.022f, 0.16f, 0, screen);
    put(room, sx, y + d - 0.06f, top + 0.07f, 0.04f, 0.03f, 0.07f, 0, PLAIN(rng, things_colours));
  }
  int sheets = (int)(clutter * rng_uniform(rng, 0, 5));
  for (int i = 0; i < sheets; i++)
    put(room, x + rng_uniform(rng, -w, w), y + rng_uniform(rng, -d, d), top + 0.001f * (float)(i + 1), 0.105f, 0.148f,
        0.001f, rng_uniform(rng, 0, pi), patterned(rng, TEXTURE_PRINT));
  int small = (int)(clutter * rng_uniform(rng, 1, 7));
  for (int i = 0; i < small; i++)
    put_small(room, rng, x + rng_uniform(rng, -w, w), y + rng_uniform(rng, -d, d), top, 0.07f);
}

static void put_chair(struct room *room, struct rng *rng, float x, float y)
{
  struct surface s = chance(rng, 0.5f) ? PLAIN(rng, things_colours) : patterned(rng, TEXTURE_CLOTH);
  float turn = rng_uniform(rng, 0, 2 * pi);
  put(room, x, y, 0.45f, 0.23f, 0.23f, 0.03f, turn, s);
  put(room, x - 0.22f * sinf(turn), y + 0.22f * cosf(turn), 0.75f, 0.22f, 0.025f, 0.25f, turn, s);
  put(room, x, y, 0.22f, 0.04f, 0.04f, 0.22f, turn, PLAIN(rng, things_colours));
}

static void put_sofa(struct room *room, struct rng *rng, float x)
{
  struct surface s = patterned(rng, TEXTURE_CLOTH);
  float y = room->size[1];
  put(room, x, y - 0.45f, 0.22f, 0.9f, 0.4f, 0.22f, 0, s);
  put(room, x, y - 0.15f, 0.45f, 0.9f, 0.12f, 0.4f, 0, s);
  put_small(room, rng, x + rng_uniform(rng, -0.6f, 0.6f), y - 0.4f, 0.44f, 0.2f);
}

static void put_plant(struct room *room, struct rng *rng, float x, float y, float ground)
{
  put(room, x, y, ground + 0.12f, 0.12f, 0.12f, 0.12f, 0.4f, PLAIN(rng, things_colours));
  for (int i = 0; i < 2; i++) {
    struct thing *leaves = put(room, x + rng_uniform(rng, -0.1f, 0.1f), y + rng_uniform(rng, -0.1f, 0.1f),
                               ground + 0.4f + 0.2f * (float)i, 0.25f, 0.25f, 0.25f, 0, patterned(rng, TEXTURE_LEAVES));
    leaves->round = true;
  }
}

// --- rooms ---------------------------------------------------------------------------------------------------------

static struct surface any_wall(struct rng *rng)
{
  float which = rng_uniform(rng, 0, 1);
  if (which < 0.7f) return PLAIN(rng, paints);
  if (which < 0.8f) return patterned(rng, TEXTURE_BRICKS);
  if (which < 0.87f) return patterned(rng, TEXTURE_TILES);
  if (which < 0.94f) return patterned(rng, TEXTURE_CURTAIN);
  return patterned(rng, TEXTURE_PLANKS);
}

static struct surface any_floor(struct rng *rng)
{
  float which = rng_uniform(rng, 0, 1);
  if (which < 0.5f) return patterned(rng, TEXTURE_PLANKS);
  if (which < 0.85f) return patterned(rng, TEXTURE_CARPET);
  return patterned(rng, TEXTURE_TILES);
}

static void build(struct room *room, struct rng *rng)
{
  room->size[0] = rng_uniform(rng, 3, 5.5f);
  room->size[1] = rng_uniform(rng, 3, 5);
  room->size[2] = rng_uniform(rng, 2.4f, 2.9f);
  struct surface paint = PLAIN(rng, paints);
  for (int i = 0; i < 4; i++) room->walls[i] = paint;
  room->walls[3] = any_wall(rng);
  if (chance(rng, 0.2f)) room->walls[0] = room->walls[1] = room->walls[3];
  room->walls[4] = any_floor(rng);
  room->walls[5] = PLAIN(rng, paints);
  struct surface skirting = PLAIN(rng, paints); // along the wall that is looked at, and the one beside it
  if (chance(rng, 0.7f)) {
    put(room, 0.5f * room->size[0], room->size[1], 0.05f, 0.5f * room->size[0], 0.015f, 0.05f, 0, skirting);
    put(room, 0, 0.5f * room->size[1], 0.05f, 0.015f, 0.5f * room->size[1], 0.05f, 0, skirting);
  }
}

// The colour of a black body of so many kelvins, its green at 1 (Tanner Helland's fit of Mitchell Charity's table,
// linearised).
static void black_body(float kelvin, float out[3])
{
  float t = kelvin / 100, r, g, b;
  r = t <= 66 ? 255 : 329.698727f * powf(t - 60, -0.1332047592f);
  g = t <= 66 ? 99.4708025861f * logf(t) - 161.1195681661f : 288.1221695283f * powf(t - 60, -0.0755148492f);
  b = t >= 66 ? 255 : t <= 19 ? 0 : 138.5177312231f * logf(t - 10) - 305.0447927307f;
  out[0] = powf(fminf(r, 255) / 255, 2.2f);
  out[1] = powf(fminf(g, 255) / 255, 2.2f);
  out[2] = powf(fmaxf(fminf(b, 255), 0) / 255, 2.2f);
  for (int c = 0; c < 3; c += 2) out[c] /= out[1];
  out[1] = 1;
}

static void light(struct room *room, struct rng *rng)
{
  float colour[3], sky[3], strength = rng_uniform(rng, 0.15f, 0.6f);
  black_body(rng_uniform(rng, 4500, 7500), sky);
  for (int c = 0; c < 3; c++) room->ambient[c] = strength * sky[c];
  room->lamp_count = 1 + (int)rng_below(rng, ROOM_LAMPS);
  for (int l = 0; l < room->lamp_count; l++) {
    struct lamp *lamp = &room->lamps[l];
    float power = rng_uniform(rng, 0.6f, 3);
    black_body(rng_uniform(rng, 2700, 6800), colour);
    for (int c = 0; c < 3; c++) lamp->light[c] = power * colour[c];
    lamp->place[0] = room->size[0] * rng_uniform(rng, 0.05f, 0.95f);
    lamp->place[1] = room->size[1] * rng_uniform(rng, 0.05f, 0.95f);
    lamp->place[2] = room->size[2] * rng_uniform(rng, 0.6f, 0.97f);
  }
}

// --- places --------------------------------------------------------------------------------------------------------

static void look(struct background *b, struct rng *rng, float distance, float height, float pitch)
{
  struct room *room = &b->room;
  b->stand[0] = rng_uniform(rng, 0.2f, 0.8f) * room->size[0];
  b->stand[1] = fmaxf(room->size[1] - distance, 0.3f);
  b->stand[2] = height;
  b->yaw = 0.5f * pi + rng_uniform(rng, -0.45f, 0.45f);
  b->pitch = pitch;
}

static void make_wall(struct background *b, struct rng *rng)
{
  look(b, rng, rng_uniform(rng, 0.8f, 2.2f), rng_uniform(rng, 1, 1.7f), rng_uniform(rng, -0.25f, 0.3f));
  if (chance(rng, b->clutter)) put_on_wall(&b->room, rng, b->stand[0] + rng_uniform(rng, -0.8f, 0.8f), b->clutter);
}

static void make_corner(struct background *b, struct rng *rng)
{
  look(b, rng, rng_uniform(rng, 1.2f, 2.5f), rng_uniform(rng, 0.9f, 1.4f), rng_uniform(rng, 0.35f, 0.8f));
  b->yaw = 0.5f * pi + (chance(rng, 0.5f) ? 1 : -1) * rng_uniform(rng, 0.3f, 0.9f);
  struct room *room = &b->room;
  if (chance(rng, 0.5f)) { // a moulding under the ceiling
    struct surface s = chance(rng, 0.5f) ? PLAIN(rng, paints) : PLAIN(rng, woods);
    float h = rng_uniform(rng, 0.03f, 0.08f);
    put(room, 0.5f * room->size[0], room->size[1], room->size[2], 0.5f * room->size[0], h, h, 0, s);
    put(room, 0, 0.5f * room->size[1], room->size[2], h, 0.5f * room->size[1], h, 0, s);
    put(room, room->size[0], 0.5f * room->size[1], room->size[2], h, 0.5f * room->size[1], h, 0, s);
  }
  if (chance(rng, 0.4f))
    put_window(room, rng, b->stand[0] + rng_uniform(rng, -1, 1), 1.7f, 0.5f, 0.4f, rng_uniform(rng, 1.5f, 4));
}

static void make_floor(struct background *b, struct rng *rng)
{
  look(b, rng, rng_uniform(rng, 0.8f, 2), rng_uniform(rng, 1.1f, 1.7f), rng_uniform(rng, -1.45f, -0.65f));
  int count = (int)(b->clutter * rng_uniform(rng, 0, 7));
  for (int i = 0; i < count; i++)
    put_small(&b->room, rng, b->stand[0] + rng_uniform(rng, -1.2f, 1.2f), b->stand[1] + rng_uniform(rng, -0.5f, 1.2f),
              0, rng_uniform(rng, 0.05f, 0.3f));
  if (chance(rng, 0.3f))
    put(&b->room, b->stand[0] + rng_uniform(rng, -0.8f, 0.8f), b->stand[1] + rng_uniform(rng, 0, 0.8f), 0, 0.7f, 0.5f,
        0.008f, rng_uniform(rng, 0, pi), patterned(rng, TEXTURE_CLOTH));
}

static void make_desk(struct background *b, struct rng *rng)
{
  look(b, rng, rng_uniform(rng, 0.9f, 1.3f), rng_uniform(rng, 1.15f, 1.5f), rng_uniform(rng, -1.2f, -0.3f));
  put_desk(&b->room, rng, b->stand[0] + rng_uniform(rng, -0.3f, 0.3f), b->room.size[1] - 0.5f, fmaxf(b->clutter, 0.3f));
}

static void make_window(struct background *b, struct rng *rng)
{
  look(b, rng, rng_uniform(rng, 0.9f, 2), rng_uniform(rng, 1.1f, 1.6f), rng_uniform(rng, -0.1f, 0.35f));
  put_window(&b->room, rng, b->stand[0] + rng_uniform(rng, -0.6f, 0.6f), rng_uniform(rng, 1.4f, 1.7f),
             rng_uniform(rng, 0.35f, 0.9f), rng_uniform(rng, 0.4f, 0.8f), rng_uniform(rng, 1, 4));
  if (chance(rng, b->clutter)) put_desk(&b->room, rng, b->stand[0], b->room.size[1] - 0.4f, b->clutter);
}

static void make_shelves(struct background *b, struct rng *rng)
{
  look(b, rng, rng_uniform(rng, 0.9f, 1.8f), rng_uniform(rng, 1, 1.6f), rng_uniform(rng, -0.3f, 0.25f));
  float x = b->stand[0] + rng_uniform(rng, -0.5f, 0.5f), y = b->room.size[1];
  put(&b->room, x, y - 0.12f, 1.0f, rng_uniform(rng, 0.5f, 1.2f), 0.12f, 1.0f, 0, patterned(rng, TEXTURE_BOOKS));
  if (chance(rng, b->clutter)) put_plant(&b->room, rng, x + 1.1f, y - 0.4f, 0.6f);
}

static void make_room(struct background *b, struct rng *rng)
{
  look(b, rng, rng_uniform(rng, 1.8f, 3.2f), rng_uniform(rng, 1, 1.6f), rng_uniform(rng, -0.45f, 0.1f));
  struct room *room = &b->room;
  float x = b->stand[0];
  if (chance(rng, 0.4f)) put_sofa(room, rng, x + rng_uniform(rng, -1, 1));
  if (chance(rng, 0.5f))
    put_chair(room, rng, x + rng_uniform(rng, -1, 1), room->size[1] - rng_uniform(rng, 0.8f, 1.4f));
  if (chance(rng, 0.4f)) put_desk(room, rng, x + rng_uniform(rng, -1, 1), room->size[1] - 0.45f, b->clutter);
  if (chance(rng, 0.35f))
    put_window(room, rng, x + rng_uniform(rng, -1.2f, 1.2f), 1.5f, 0.45f, 0.55f, rng_uniform(rng, 0.8f, 3));
  if (chance(rng, 0.3f)) put_plant(room, rng, x + rng_uniform(rng, -1, 1), room->size[1] - 0.5f, 0);
  int count = 1 + (int)(2 * b->clutter);
  for (int i = 0; i < count; i++) put_on_wall(room, rng, x + rng_uniform(rng, -1.6f, 1.6f), b->clutter);
}

static void make_garden(struct background *b, struct rng *rng)
{
  struct room *room = &b->room;
  *room = (struct room){.size = {12, rng_uniform(rng, 5, 9), 8}, .ambient = {0.9f, 1, 1.15f}, .lamp_count = 1};
  room->lamps[0] = (struct lamp){{6, 1, 8}, {40, 38, 34}};
  for (int i = 0; i < 4; i++) {
    room->walls[i] = shining(rng, TEXTURE_OUTSIDE, rng_uniform(rng, 0.9f, 1.6f));
    room->walls[i].scale = 1.2f;
  }
  room->walls[4] = patterned(rng, chance(rng, 0.7f) ? TEXTURE_LAWN : TEXTURE_TILES);
  room->walls[5] = shining(rng, TEXTURE_PAINT, 1.5f);
  look(b, rng, rng_uniform(rng, 3, 4.5f), rng_uniform(rng, 1.2f, 1.6f), rng_uniform(rng, -0.35f, 0.15f));
  if (chance(rng, 0.6f)) { // a hedge
    struct surface hedge = patterned(rng, TEXTURE_LEAVES);
    hedge.scale = 1;
    put(room, 6, room->size[1] - 1, 0.9f, 6, 0.4f, rng_uniform(rng, 0.5f, 1.3f), 0, hedge);
  }
  if (chance(rng, 0.4f)) { // a railing
    struct surface bars = PLAIN(rng, paints);
    float y = b->stand[1] + rng_uniform(rng, 0.8f, 1.6f), gap = rng_uniform(rng, 0.12f, 0.2f);
    put(room, b->stand[0], y, 1.05f, 2, 0.05f, 0.04f, 0, bars);
    for (int i = -8; i <= 8; i++) put(room, b->stand[0] + gap * (float)i, y, 0.52f, 0.02f, 0.02f, 0.5f, 0, bars);
  }
  for (int i = 0; i < 2; i++) { // trees
    float x = b->stand[0] + rng_uniform(rng, -2, 2), y = room->size[1] - rng_uniform(rng, 0.8f, 2);
    put(room, x, y, 1.2f, 0.12f, 0.12f, 1.2f, 0.5f, PLAIN(rng, dark_woods));
    put(room, x, y, 2.9f, 1.1f, 1.1f, 0.9f, 0, patterned(rng, TEXTURE_LEAVES))->round = true;
  }
}

// Head, neck and shoulders of somebody who sits behind the hand: PERSON_PARTS things.
static void put_person(struct background *b, struct rng *rng, const float skin[3])
{
  static const uint32_t hairs[] = {0x1C1714, 0x3A281C, 0x6B4A2C, 0xA8875A, 0x8C8680};
  float away = rng_uniform(rng, 0.45f, 0.8f), yaw = b->yaw + rng_uniform(rng, -0.3f, 0.3f);
  float x = b->stand[0] + away * cosf(yaw), y = b->stand[1] + away * sinf(yaw),
        z = b->stand[2] + rng_uniform(rng, -0.05f, 0.25f);
  struct surface face = {.texture = TEXTURE_PAINT, .scale = 1, .contrast = 0.2f, .seed = rng_bits(rng)};
  for (int c = 0; c < 3; c++) face.base[c] = skin[c], face.other[c] = skin[c] * (c ? 0.6f : 0.8f);
  float turn = yaw - 0.5f * pi;
  struct surface shirt = patterned(rng, TEXTURE_CLOTH);
  add(&b->room, x, y, z - 0.72f, 0.23f, 0.12f, 0.5f, turn, shirt)->round = true;
  add(&b->room, x, y, z - 0.36f, 0.21f, 0.085f, 0.09f, turn, shirt)->round = true; // shoulders
  add(&b->room, x, y, z - 0.16f, 0.055f, 0.055f, 0.12f, turn, face)->round = true;
  add(&b->room, x, y, z, 0.075f, 0.095f, 0.115f, turn, face)->round = true;
  add(&b->room, x + 0.03f * cosf(yaw), y + 0.03f * sinf(yaw), z + 0.045f, 0.085f, 0.1f, 0.095f, turn, PLAIN(rng, hairs))
      ->round = true;
  b->person = true;
}

const char *place_name(enum place place)
{
  static const char *const names[PLACE_KINDS] = {"wall",   "corner",  "floor", "desk",
                                                 "window", "shelves", "room",  "garden"};
  return names[place];
}

void background_make(struct background *background, struct rng *rng, float variety, const float skin[3])
{
  // Plain ones are what people choose to film a hand before.
  static const struct {
    float share;
    void (*make)(struct background *, struct rng *);
  } places[PLACE_KINDS] = {
      [PLACE_WALL] = {0.24f, make_wall}, [PLACE_CORNER] = {0.14f, make_corner}, [PLACE_FLOOR] = {0.14f, make_floor},
      [PLACE_DESK] = {0.12f, make_desk}, [PLACE_WINDOW] = {0.1f, make_window},  [PLACE_SHELVES] = {0.06f, make_shelves},
      [PLACE_ROOM] = {0.14f, make_room}, [PLACE_GARDEN] = {0.06f, make_garden},
  };
  *background = (struct background){.clutter = rng_uniform(rng, 0, variety), .spread = rng_uniform(rng, 0.45f, 0.7f)};
  float simple = places[PLACE_WALL].share + places[PLACE_CORNER].share;
  float which = rng_uniform(rng, 0, simple + (1 - simple) * variety);
  while (background->place < PLACE_KINDS - 1 && (which -= places[background->place].share) >= 0) background->place++;
  build(&background->room, rng);
  light(&background->room, rng);
  places[background->place].make(background, rng);
  if (background->pitch > -0.3f && chance(rng, 0.12f * variety)) put_person(background, rng, skin);
}

void background_draw(const struct background *background, const struct gaze *gaze, int size, float *pixels)
{
  struct eye eye = {.spread = background->spread};
  eye_turn(&eye, background->yaw + gaze->yaw, background->pitch + gaze->pitch, gaze->roll);
  for (int i = 0; i < 3; i++) {
    float place = background->stand[i] + gaze->shift[i];
    eye.place[i] = fminf(fmaxf(place, 0.1f), background->room.size[i] - 0.1f);
  }
  room_draw(&background->room, &eye, size, pixels);
}
