#include "synth/walk.h"

#include <math.h>

// The kinds of streams; each counter of rng_at is (class or none, kind, subject or channel) and the session.
enum kind { KIND_SESSION = 1, KIND_FRAME = 2, KIND_WALK = 3 };

static struct rng stream(const struct walk *walk, enum kind kind, uint64_t a, uint32_t subject)
{
  return rng_at(walk->seed, RNG_SYNTH, a, (uint64_t)walk->session << 32 | (uint32_t)kind << 24 | subject);
}

struct walk walk_at(uint64_t seed, int class, uint64_t index, uint32_t video)
{
  return (struct walk){seed, index / video, class, (uint32_t)(index % video)};
}

struct rng session_rng(const struct walk *walk, uint32_t subject)
{
  return stream(walk, KIND_SESSION, 0, subject);
}

struct rng frame_rng(const struct walk *walk, uint32_t subject)
{
  return stream(walk, KIND_FRAME, (uint64_t)walk->frame << 8 | (uint64_t)walk->class, subject);
}

float walk_uniform(const struct walk *walk, uint32_t channel, float low, float high)
{
  enum { WAVES = 3 };
  static const float shortest = 18, longest = 200; // frames a period
  struct rng rng = stream(walk, KIND_WALK, (uint64_t)walk->class, channel);
  float sum = 0, power = 0;
  for (int i = 0; i < WAVES; i++) {
    float period = shortest * powf(longest / shortest, rng_uniform(&rng, 0, 1));
    float size = rng_uniform(&rng, 0.3f, 1) * sqrtf(period / longest); // what is fast is small
    float phase = rng_uniform(&rng, 0, 1);
    sum += size * sinf(6.2831853f * ((float)walk->frame / period + phase));
    power += size * size;
  }
  // Three sinusoids are nearly normal, with variance power / 2; their distribution function makes them uniform.
  float share = 0.5f + 0.5f * erff(sum / sqrtf(power));
  return low + (high - low) * share;
}
