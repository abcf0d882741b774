// Numbers that wander from frame to frame as a hand, a head or a cloud does: the parameters of a video.
//
// A session is a person in a place with a camera who shows every sign in turn, `video` frames each: frame i of a class
// belongs to session i / video. What stays for a session is drawn from session_rng; what moves within a video of it is
// walk_uniform, a sum of three slow sinusoids that is brought to a uniform distribution. With one frame a video a
// session is one image of each class: A17, B17, ... still share person, place, lamps and camera; no two images of a
// class do.
#ifndef SYNTH_WALK_H
#define SYNTH_WALK_H

#include <stdint.h>

#include "core/rng.h"

struct walk {
  uint64_t seed, session;
  int class;
  uint32_t frame; // within the video
};

// The place of image `index` of `class`; video >= 1.
struct walk walk_at(uint64_t seed, int class, uint64_t index, uint32_t video);

// A stream for what stays for a session; `subject` tells streams apart.
struct rng session_rng(const struct walk *walk, uint32_t subject);

// A stream for what is new in each frame: the sensor's noise.
struct rng frame_rng(const struct walk *walk, uint32_t subject);

// The wandering number of a channel at this frame, uniform in (low, high) over videos and frames.
float walk_uniform(const struct walk *walk, uint32_t channel, float low, float high);

#endif
