// Points, directions and turns in space, in single precision. Sines come from a polynomial of our own: a library's
// differ in the last bit from machine to machine.
#ifndef SYNTH_VECTOR_H
#define SYNTH_VECTOR_H

#include <math.h>

struct vector {
  float x, y, z;
};

// A right-handed set of axes and where it stands.
struct axes {
  struct vector x, y, z, at;
};

static inline struct vector vector_add(struct vector a, struct vector b)
{
  return (struct vector){a.x + b.x, a.y + b.y, a.z + b.z};
}

static inline struct vector vector_subtract(struct vector a, struct vector b)
{
  return (struct vector){a.x - b.x, a.y - b.y, a.z - b.z};
}

static inline struct vector vector_scale(struct vector a, float by)
{
  return (struct vector){a.x * by, a.y * by, a.z * by};
}

static inline float vector_dot(struct vector a, struct vector b)
{
  return a.x * b.x + a.y * b.y + a.z * b.z;
}

static inline float vector_length(struct vector a)
{
  return sqrtf(vector_dot(a, a));
}

// from + (to - from) * share
static inline struct vector vector_between(struct vector from, struct vector to, float share)
{
  return vector_add(from, vector_scale(vector_subtract(to, from), share));
}

// The unit vector of a direction; of no direction, the one to the camera.
static inline struct vector vector_unit(struct vector a)
{
  float length = vector_length(a);
  if (!(length > 0)) return (struct vector){0, 0, 1};
  return vector_scale(a, 1 / length);
}

// The point (x, y, z) of a set of axes, and a direction in it.
static inline struct vector axes_direction(const struct axes *axes, struct vector v)
{
  return vector_add(vector_add(vector_scale(axes->x, v.x), vector_scale(axes->y, v.y)), vector_scale(axes->z, v.z));
}

static inline struct vector axes_point(const struct axes *axes, struct vector v)
{
  return vector_add(axes->at, axes_direction(axes, v));
}

struct turn {
  float sine, cosine;
};

// Of an angle in degrees, within +-3,600; to the last bits of a float.
static inline struct turn turn_of(float degrees)
{
  double quarters = (double)degrees / 90;
  int quarter = (int)(quarters + (quarters < 0 ? -0.5 : 0.5));
  double x = (quarters - quarter) * 1.57079632679489661923, xx = x * x; // within +-pi/4: Taylor's series
  double sine = x * (1 - xx / 6 * (1 - xx / 20 * (1 - xx / 42 * (1 - xx / 72 * (1 - xx / 110)))));
  double cosine = 1 - xx / 2 * (1 - xx / 12 * (1 - xx / 30 * (1 - xx / 56 * (1 - xx / 90))));
  double swap = (quarter & 1) ? sine : cosine;
  sine = (quarter & 1) ? cosine : sine;
  if (quarter & 2) sine = -sine;
  if ((quarter + 1) & 2) swap = -swap;
  return (struct turn){(float)sine, (float)swap};
}

// Turns two of a set's axes: `from` towards `to`.
static inline void turn_axes(struct vector *from, struct vector *to, struct turn turn)
{
  struct vector a = *from, b = *to;
  *from = vector_add(vector_scale(a, turn.cosine), vector_scale(b, turn.sine));
  *to = vector_subtract(vector_scale(b, turn.cosine), vector_scale(a, turn.sine));
}

#endif
