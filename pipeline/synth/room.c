#include "synth/room.h"

#include <math.h>
#include <string.h>

static const float nearest = 0.05f; // metres: what is nearer is behind the lens

struct hit {
  float distance;
  const struct surface *surface;
  float normal[3], u, v;
  bool wall;
};

// What a pixel has to be tried against: the rectangle of pixels that a thing can cover.
struct bounds {
  int left, right, top, bottom; // inclusive
};

static float dot(const float a[3], const float b[3])
{
  return a[0] * b[0] + a[1] * b[1] + a[2] * b[2];
}

void eye_turn(struct eye *eye, float yaw, float pitch, float roll)
{
  float forward[3] = {cosf(pitch) * cosf(yaw), cosf(pitch) * sinf(yaw), sinf(pitch)};
  float right[3] = {sinf(yaw), -cosf(yaw), 0};
  float down[3] = {forward[1] * right[2] - forward[2] * right[1], forward[2] * right[0] - forward[0] * right[2],
                   forward[0] * right[1] - forward[1] * right[0]};
  for (int i = 0; i < 3; i++) {
    eye->axes[0][i] = cosf(roll) * right[i] - sinf(roll) * down[i];
    eye->axes[1][i] = sinf(roll) * right[i] + cosf(roll) * down[i];
    eye->axes[2][i] = forward[i];
  }
}

// --- rays ----------------------------------------------------------------------------------------------------------

// The walls are seen from inside: along each axis there is one ahead, and the nearest of the three is hit.
static void hit_walls(const struct room *room, const float from[3], const float ray[3], struct hit *hit)
{
  int axis = 0;
  float best = INFINITY;
  for (int i = 0; i < 3; i++) {
    float distance = ray[i] > 0 ? (room->size[i] - from[i]) / ray[i] : ray[i] < 0 ? -from[i] / ray[i] : INFINITY;
    if (distance < best) best = distance, axis = i;
  }
  bool far_side = ray[axis] > 0;
  *hit = (struct hit){.distance = best, .surface = &room->walls[2 * axis + far_side], .wall = true};
  hit->normal[axis] = far_side ? -1 : 1;
  hit->u = axis == 0 ? from[1] + best * ray[1] : from[0] + best * ray[0];
  hit->v = axis == 2 ? from[1] + best * ray[1] : from[2] + best * ray[2];
}

static void to_local(const struct thing *thing, const float in[3], float out[3])
{
  out[0] = thing->cosine * in[0] + thing->sine * in[1];
  out[1] = -thing->sine * in[0] + thing->cosine * in[1];
  out[2] = in[2];
}

static void set_normal(const struct thing *thing, const float local[3], struct hit *hit)
{
  hit->normal[0] = thing->cosine * local[0] - thing->sine * local[1];
  hit->normal[1] = thing->sine * local[0] + thing->cosine * local[1];
  hit->normal[2] = local[2];
}

static void hit_box(const struct thing *thing, const float from[3], const float ray[3], struct hit *hit)
{
  float enter = -INFINITY, leave = INFINITY;
  int axis = 0;
  for (int i = 0; i < 3; i++) {
    if (ray[i] == 0) {
      if (fabsf(from[i]) > thing->half[i]) return;
      continue;
    }
    float inverse = 1 / ray[i], a = (-thing->half[i] - from[i]) * inverse, b = (thing->half[i] - from[i]) * inverse;
    float first = a < b ? a : b, last = a < b ? b : a;
    if (first > enter) enter = first, axis = i;
    if (last < leave) leave = last;
  }
  if (enter > leave || enter < nearest || enter >= hit->distance) return;
  float local[3] = {0};
  local[axis] = ray[axis] > 0 ? -1 : 1;
  *hit = (struct hit){.distance = enter, .surface = &thing->surface};
  set_normal(thing, local, hit);
  hit->u = axis == 0 ? from[1] + enter * ray[1] : from[0] + enter * ray[0];
  hit->v = axis == 2 ? from[1] + enter * ray[1] : from[2] + enter * ray[2] + thing->half[2];
}

static void hit_ellipsoid(const struct thing *thing, const float from[3], const float ray[3], struct hit *hit)
{
  float o[3], d[3];
  for (int i = 0; i < 3; i++) o[i] = from[i] / thing->half[i], d[i] = ray[i] / thing->half[i];
  float a = dot(d, d), b = dot(o, d), c = dot(o, o) - 1, under = b * b - a * c;
  if (under <= 0) return;
  float distance = (-b - sqrtf(under)) / a;
  if (distance < nearest || distance >= hit->distance) return;
  float local[3];
  for (int i = 0; i < 3; i++) local[i] = (o[i] + distance * d[i]) / thing->half[i];
  float length = 1 / sqrtf(dot(local, local));
  for (int i = 0; i < 3; i++) local[i] *= length;
  *hit = (struct hit){.distance = distance, .surface = &thing->surface};
  set_normal(thing, local, hit);
  hit->u = atan2f(local[1], local[0]) * 0.5f * (thing->half[0] + thing->half[1]);
  hit->v = from[2] + distance * ray[2] + thing->half[2];
}

// --- light ---------------------------------------------------------------------------------------------------------

// Light that reaches a wall less: in corners, and where a thing stands near.
static float openness(const struct room *room, const float at[3], const struct hit *hit)
{
  float open = 1;
  for (int i = 0; i < 3; i++) {
    if (hit->normal[i] != 0) continue;
    float near = at[i] < room->size[i] - at[i] ? at[i] : room->size[i] - at[i];
    open *= 1 - 0.35f / (1 + 36 * near * near);
  }
  for (int t = 0; t < room->thing_count; t++) {
    const struct thing *thing = &room->things[t];
    float offset[3] = {at[0] - thing->middle[0], at[1] - thing->middle[1], at[2] - thing->middle[2]}, local[3];
    to_local(thing, offset, local);
    float square = 0;
    for (int i = 0; i < 3; i++) {
      float over = fabsf(local[i]) - thing->half[i];
      if (over > 0) square += over * over;
    }
    float reach = fminf(fminf(thing->half[0], thing->half[1]), fminf(thing->half[2], 0.25f));
    if (square < 9 * reach * reach) open *= 1 - 0.55f / (1 + 3 * square / (reach * reach));
  }
  return open;
}

static void shade(const struct room *room, const struct eye *eye, const float ray[3], const struct hit *hit,
                  float pixel, float out[3])
{
  float colour[3], light[3], at[3];
  for (int i = 0; i < 3; i++) at[i] = eye->place[i] + hit->distance * ray[i];
  float facing = fabsf(dot(ray, hit->normal));
  // Seen at a slant a pixel is longer than wide: the mean of both, so that patterns fade neither too soon nor too late.
  float footprint = pixel * hit->distance * (facing > 0.1f ? 0.5f + 0.5f / facing : 5.5f);
  texture_at(hit->surface, hit->u, hit->v, footprint, colour);
  if (hit->surface->glow > 0) {
    for (int c = 0; c < 3; c++) out[c] = colour[c] * hit->surface->glow;
    return;
  }
  float open = hit->wall ? openness(room, at, hit) : 0.75f + 0.25f * hit->normal[2];
  for (int c = 0; c < 3; c++) light[c] = room->ambient[c] * open;
  for (int l = 0; l < room->lamp_count; l++) {
    const struct lamp *lamp = &room->lamps[l];
    float way[3] = {lamp->place[0] - at[0], lamp->place[1] - at[1], lamp->place[2] - at[2]};
    float square = dot(way, way), cosine = dot(way, hit->normal) / sqrtf(square + 1e-6f);
    float soft = cosine > -0.2f ? (cosine + 0.2f) / 1.2f : 0; // a lamp has a size
    float strength = soft * (0.4f + 0.6f * open) / (0.6f + square);
    for (int c = 0; c < 3; c++) light[c] += lamp->light[c] * strength;
  }
  for (int c = 0; c < 3; c++) out[c] = colour[c] * light[c];
}

// --- pictures ------------------------------------------------------------------------------------------------------

// The rectangle of the corners' projections; all of the picture where a corner is beside or behind the camera.
static struct bounds bounds_of(const struct thing *thing, const struct eye *eye, int size)
{
  float low[2] = {INFINITY, INFINITY}, high[2] = {-INFINITY, -INFINITY};
  for (int corner = 0; corner < 8; corner++) {
    float local[3], at[3];
    for (int i = 0; i < 3; i++) local[i] = corner >> i & 1 ? thing->half[i] : -thing->half[i];
    at[0] = thing->middle[0] + thing->cosine * local[0] - thing->sine * local[1] - eye->place[0];
    at[1] = thing->middle[1] + thing->sine * local[0] + thing->cosine * local[1] - eye->place[1];
    at[2] = thing->middle[2] + local[2] - eye->place[2];
    float depth = dot(at, eye->axes[2]);
    if (depth < nearest) return (struct bounds){0, size - 1, 0, size - 1};
    for (int i = 0; i < 2; i++) {
      float place = dot(at, eye->axes[i]) / (depth * eye->spread);
      low[i] = fminf(low[i], place);
      high[i] = fmaxf(high[i], place);
    }
  }
  float half = 0.5f * (float)size;
  for (int i = 0; i < 2; i++) {
    low[i] = fminf(fmaxf((low[i] + 1) * half - 1, 0), (float)size);
    high[i] = fminf(fmaxf((high[i] + 1) * half + 1, -1), (float)size - 1);
  }
  return (struct bounds){(int)low[0], (int)high[0], (int)low[1], (int)high[1]};
}

static bool holds(const struct thing *thing, const float place[3])
{
  float offset[3], local[3];
  for (int i = 0; i < 3; i++) offset[i] = place[i] - thing->middle[i];
  to_local(thing, offset, local);
  for (int i = 0; i < 3; i++)
    if (fabsf(local[i]) > thing->half[i] + nearest) return false;
  return true;
}

struct seen {
  const struct thing *thing;
  struct bounds bounds;
  float from[3]; // the eye, as the thing sees it
};

static int find_seen(const struct room *room, const struct eye *eye, int size, struct seen seen[ROOM_THINGS])
{
  int count = 0;
  for (int t = 0; t < room->thing_count; t++) {
    const struct thing *thing = &room->things[t];
    float offset[3];
    if (holds(thing, eye->place)) continue;
    struct bounds bounds = bounds_of(thing, eye, size);
    if (bounds.left > bounds.right || bounds.top > bounds.bottom) continue;
    for (int i = 0; i < 3; i++) offset[i] = eye->place[i] - thing->middle[i];
    seen[count] = (struct seen){.thing = thing, .bounds = bounds};
    to_local(thing, offset, seen[count++].from);
  }
  return count;
}

void room_draw(const struct room *room, const struct eye *eye, int size, float *pixels)
{
  struct seen seen[ROOM_THINGS];
  int count = find_seen(room, eye, size, seen);
  float pixel = 2 * eye->spread / (float)size;
  for (int y = 0; y < size; y++) {
    for (int x = 0; x < size; x++, pixels += 3) {
      float across = pixel * ((float)x + 0.5f) - eye->spread, down = pixel * ((float)y + 0.5f) - eye->spread;
      float ray[3], local[3];
      for (int i = 0; i < 3; i++) ray[i] = eye->axes[2][i] + across * eye->axes[0][i] + down * eye->axes[1][i];
      float length = 1 / sqrtf(dot(ray, ray));
      for (int i = 0; i < 3; i++) ray[i] *= length;
      struct hit hit;
      hit_walls(room, eye->place, ray, &hit);
      for (int t = 0; t < count; t++) {
        const struct bounds *b = &seen[t].bounds;
        if (x < b->left || x > b->right || y < b->top || y > b->bottom) continue;
        to_local(seen[t].thing, ray, local);
        (seen[t].thing->round ? hit_ellipsoid : hit_box)(seen[t].thing, seen[t].from, local, &hit);
      }
      shade(room, eye, ray, &hit, pixel, pixels);
    }
  }
}
