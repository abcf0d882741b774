#include "synth/skin.h"

#include <stdint.h>

static float clamp01(float x)
{
  return x > 0 ? (x < 1 ? x : 1) : 0;
}

// 0 below `from`, 1 above `to`, smooth between.
static float ramp(float from, float to, float x)
{
  float t = clamp01((x - from) / (to - from));
  return t * t * (3 - 2 * t);
}

// 1 at 0, falling to 0 at `width` on both sides.
static float ridge(float x, float width)
{
  float t = 1 - (x < 0 ? -x : x) / width;
  return t > 0 ? t * t * (3 - 2 * t) : 0;
}

// --- noise -----------------------------------------------------------------------------------------------------------

static float lattice(uint32_t x, uint32_t y, uint32_t z, uint32_t seed)
{
  uint32_t h = seed ^ (x * 0x8da6b343u) ^ (y * 0xd8163841u) ^ (z * 0xcb1ab31fu);
  h = (h ^ (h >> 15)) * 0x2c1b3c6du;
  h = (h ^ (h >> 12)) * 0x297a2d39u;
  return (float)((h ^ (h >> 15)) >> 8) * 0x1p-23F - 1;
}

static float mixed(float a, float b, float t)
{
  return a + (b - a) * t;
}

// Value noise in [-1, 1], smooth over one unit.
static float noise(struct vector p, uint32_t seed)
{
  float fx = p.x + 4096, fy = p.y + 4096, fz = p.z + 4096; // so that truncation rounds down
  uint32_t x = (uint32_t)fx, y = (uint32_t)fy, z = (uint32_t)fz;
  float u = fx - (float)x, v = fy - (float)y, w = fz - (float)z;
  u = u * u * (3 - 2 * u), v = v * v * (3 - 2 * v), w = w * w * (3 - 2 * w);
  float layer[2];
  for (uint32_t k = 0; k < 2; k++)
    layer[k] = mixed(mixed(lattice(x, y, z + k, seed), lattice(x + 1, y, z + k, seed), u),
                     mixed(lattice(x, y + 1, z + k, seed), lattice(x + 1, y + 1, z + k, seed), u), v);
  return mixed(layer[0], layer[1], w);
}

// --- skin ------------------------------------------------------------------------------------------------------------

struct spot {
  float x, y, z;      // the point in the bone's axes, cm
  float side, palmar; // the normal's shares along x and z there
};

static struct spot spot_on(const struct axes *axes, struct vector point, struct vector normal)
{
  struct vector from = vector_subtract(point, axes->at);
  return (struct spot){vector_dot(from, axes->x), vector_dot(from, axes->y), vector_dot(from, axes->z),
                       vector_dot(normal, axes->x), vector_dot(normal, axes->z)};
}

// How much a bone's creases darken: flexion folds of the palmar side at both ends, wrinkles over the knuckle behind.
static float finger_creases(const struct spot *spot, float length, bool tip)
{
  float palmar = ramp(-0.1F, 0.5F, spot->palmar), dorsal = ramp(0.2F, 0.8F, -spot->palmar);
  float dark = palmar * ridge(spot->y - 0.05F, 0.14F);
  if (!tip) dark += palmar * 0.6F * ridge(spot->y - length + 0.05F, 0.14F);
  for (int i = -2; i <= 2; i++) {
    float at = 0.16F * (float)i, bend = 0.08F * (float)i * spot->x * spot->x;
    dark += dorsal * 0.35F * ridge(spot->y - at - bend, 0.07F);
    if (!tip) dark += dorsal * 0.35F * ridge(spot->y - length - at - bend, 0.07F);
  }
  return dark < 1 ? dark : 1;
}

// The distance of (x, y) to a circle's arc of which only x in [from, to] is drawn.
static float arc(const struct spot *spot, float x, float y, float radius, float from, float to)
{
  float dx = spot->x - x, dy = spot->y - y;
  float off = sqrtf(dx * dx + dy * dy) - radius;
  float outside = spot->x < from ? from - spot->x : (spot->x > to ? spot->x - to : 0);
  return (off < 0 ? -off : off) + outside;
}

// The palm's three great lines, as arcs: of the heart, of the head, of the life; and the folds of the wrist.
static float palm_creases(const struct spot *spot)
{
  float palmar = ramp(0.0F, 0.5F, spot->palmar);
  if (!(palmar > 0)) return 0;
  float dark = ridge(arc(spot, 1.2F, 12.6F, 6.2F, -3.6F, 1.4F), 0.13F);
  dark += 0.8F * ridge(arc(spot, -2.5F, 0.6F, 6.0F, -2.0F, 2.6F), 0.13F);
  dark += ridge(arc(spot, 3.2F, 2.6F, 3.5F, -0.4F, 2.6F), 0.14F);
  dark += 0.6F * ridge(spot->y - 0.2F + 0.05F * spot->x * spot->x, 0.12F);
  return palmar * (dark < 1 ? dark : 1);
}

// `towards_palm`: the normal's share towards the palm, by which the palm's colour goes over into that of the back.
static void skin(struct surface *surface, const struct view *view, float towards_palm, struct vector local,
                 float creases, float flush)
{
  const struct hand_look *look = &view->look;
  float palmar = ramp(-0.35F, 0.45F, towards_palm);
  float blotch = look->mottle * (0.6F * noise(vector_scale(local, 0.9F), look->mottle_seed) +
                                 0.4F * noise(vector_scale(local, 3.1F), look->mottle_seed + 1));
  float shade = 1 - 0.45F * look->creases * creases;
  static const float blood[3] = {0.03F, -0.12F, -0.10F};
  for (int c = 0; c < 3; c++) {
    float base = mixed(look->skin[c], look->palm[c], palmar);
    float tint = 1 + blood[c] * (flush + 0.8F * blotch) + 0.04F * blotch;
    float deep = c == 0 ? 0.5F + 0.5F * shade : shade; // creases stay reddish
    surface->albedo[c] = base * tint * deep;
  }
  surface->gloss = look->gloss * (1 - 0.5F * palmar);
  surface->tight = 0;
  surface->soft = 1;
}

static void nail(struct surface *surface, const struct view *view, const struct spot *spot, float length, float radius)
{
  if (spot->palmar > -0.25F) return;
  float begin = 0.50F * length, end = length * (0.94F + 0.06F * view->nail_length) + 0.25F * (view->nail_length - 1);
  float across = spot->x / (0.80F * radius), along = (spot->y - 0.5F * (begin + end)) / (0.5F * (end - begin));
  float a2 = across * across, l2 = along * along;
  float inside = 1 - (a2 * a2 + (along < 0 ? l2 * l2 : l2 * l2 * l2)); // a rounded rectangle
  float on = ramp(0.0F, 0.25F, inside), rim = on * (1 - ramp(0.25F, 0.55F, inside));
  float white = ramp(0.72F, 0.86F, along), moon = ridge(along + 0.95F, 0.35F) * (1 - a2);
  for (int c = 0; c < 3; c++) {
    float colour = view->look.nail[c];
    colour = mixed(colour, 0.25F + 0.6F * colour, 0.3F * white + (moon > 0 ? 0.25F * moon : 0));
    surface->albedo[c] = mixed(surface->albedo[c], colour * (1 - 0.35F * rim), on);
  }
  surface->gloss = mixed(surface->gloss, 1.0F, on);
  surface->tight = on;
}

static void cloth(struct surface *surface, const struct view *view, const struct spot *spot)
{
  struct vector weave = {spot->x * 6, spot->y * 6, spot->z * 6},
                fold = {spot->x * 0.3F, spot->y * 0.55F, spot->z * 0.3F};
  float hem = ridge(spot->y + view->look.sleeve_start + 1.2F, 0.12F);
  float shade = 1 + 0.10F * noise(weave, 77) + 0.22F * noise(fold, 78 + view->look.mottle_seed) - 0.3F * hem;
  for (int c = 0; c < 3; c++) surface->albedo[c] = view->look.sleeve[c] * shade;
  surface->gloss = 0;
  surface->tight = 0;
  surface->soft = 0.3F;
}

void surface_at(struct surface *surface, const struct view *view, const struct part *part, struct vector point,
                struct vector normal)
{
  struct spot spot = spot_on(&part->axes, point, normal);
  struct vector local = {spot.x, spot.y, spot.z + 16 * (float)part->group};
  float hand = vector_dot(normal, view->hand.z), along = spot.y / part->bone;
  switch (part->kind) {
  case PART_SLEEVE:
    cloth(surface, view, &spot);
    return;
  case PART_ARM: // the inside of the forearm is as dark as its back
    skin(surface, view, mixed(-0.1F, hand, ramp(-5, 0.5F, spot.y)), local, 0, -0.4F);
    return;
  case PART_PALM:
    skin(surface, view, hand, local, palm_creases(&spot), 0.1F);
    return;
  case PART_ROOT:
    skin(surface, view, mixed(hand, spot.palmar, ramp(0.1F, 0.9F, along)), local,
         finger_creases(&spot, part->bone, false), 0.1F * (1 - along));
    return;
  case PART_PHALANX:
    skin(surface, view, spot.palmar, local, finger_creases(&spot, part->bone, false), 0);
    return;
  case PART_TIP:
    skin(surface, view, spot.palmar, local, finger_creases(&spot, part->bone, true), 0.9F * ramp(0.3F, 0.9F, along));
    nail(surface, view, &spot, part->bone, part->radius);
    return;
  }
}
