#include "synth/frame.h"

#include <math.h>
#include <stdlib.h>

#include "core/mem.h"
#include "image/codec.h"

static const float degree = 3.14159265f / 180;

// What a session's streams are for, and the channels of walks. Append only: the numbers are part of every picture.
enum subject { SUBJECT_PERSON = 1, SUBJECT_PLACE, SUBJECT_CAMERA, SUBJECT_NOISE, SUBJECT_LIGHT };
enum channel {
  CHANNEL_POSE = 0, // and HAND_ANGLES - 1 more
  CHANNEL_X = 100,
  CHANNEL_Y,
  CHANNEL_DISTANCE,
  CHANNEL_ROLL,
  CHANNEL_EYE_YAW,
  CHANNEL_EYE_PITCH,
  CHANNEL_EYE_X,
  CHANNEL_EYE_Y,
  CHANNEL_EYE_Z,
  CHANNEL_BLUR,
  CHANNEL_MOTION,
  CHANNEL_HEADING,
  CHANNEL_STOPS,
  CHANNEL_WARMTH,
  CHANNEL_LIGHT // and SYNTH_LIGHTS more
};

// --- the session ---------------------------------------------------------------------------------------------------

// The mean of some uniform numbers: more often near the middle of the range than at its ends.
static float near_middle(struct rng *rng, float low, float high)
{
  float a = rng_uniform(rng, low, high), b = rng_uniform(rng, low, high);
  return 0.5f * (a + b);
}

static void make_person(struct frame *frame)
{
  struct rng rng = session_rng(&frame->walk, SUBJECT_PERSON);
  frame->tone = rng_uniform(&rng, 0, 1); // every skin is as likely as any other
  struct synth_scene *scene = &frame->scene;
  scene->look = hand_look_of(frame->tone, near_middle(&rng, 0, 1));
  scene->look.gloss = rng_uniform(&rng, 0.05f, 0.6f);
  scene->look.creases = rng_uniform(&rng, 0.3f, 1);
  scene->look.mottle = rng_uniform(&rng, 0, 0.8f);
  scene->look.mottle_seed = rng_bits(&rng);
  bool sleeve = rng_uniform(&rng, 0, 1) < 0.35f;
  scene->look.sleeve_start = sleeve ? rng_uniform(&rng, 1, 14) : HAND_NO_SLEEVE;
  float grey = rng_uniform(&rng, 0.02f, 0.6f);
  for (int c = 0; c < 3; c++) scene->look.sleeve[c] = grey * rng_uniform(&rng, 0.4f, 1.2f);
  scene->shape = hand_shape_mean();
  for (int i = 0; i < HAND_PROPORTIONS; i++)
    scene->shape.factor[i] = near_middle(&rng, hand_proportions[i].low, hand_proportions[i].high);
}

// Gains that make the room's light white, as far as the camera believes that it knows it.
static void balance_white(const struct room *room, float trust, float gains[3])
{
  float light[3];
  for (int c = 0; c < 3; c++) {
    light[c] = room->ambient[c];
    for (int l = 0; l < room->lamp_count; l++) light[c] += 0.25f * room->lamps[l].light[c];
  }
  for (int c = 0; c < 3; c++) gains[c] = powf(light[1] / light[c], trust);
}

static void make_camera(struct frame *frame)
{
  struct rng rng = session_rng(&frame->walk, SUBJECT_CAMERA);
  struct camera_settings *camera = &frame->camera;
  float warmth = rng_uniform(&rng, -0.12f, 0.12f), tint = rng_uniform(&rng, -0.04f, 0.04f), balance[3];
  float noise = rng_uniform(&rng, 0, 1);
  noise *= noise * frame->variety; // most cameras are good
  balance_white(&frame->background.room, rng_uniform(&rng, 0.5f, 1), balance);
  *camera = (struct camera_settings){
      .background_blur = expf(rng_uniform(&rng, logf(0.45f), logf(4.5f))),
      .blur = rng_uniform(&rng, 0.3f, 0.9f),
      .vignette = rng_uniform(&rng, 0, 0.3f),
      .stops = rng_uniform(&rng, -0.35f, 0.3f),
      .metering = rng_uniform(&rng, 0.75f, 1),
      .white = {balance[0] * (1 + warmth), balance[1] * (1 + tint), balance[2] * (1 - warmth)},
      .saturation = rng_uniform(&rng, 0.75f, 1.25f),
      .contrast = rng_uniform(&rng, -0.15f, 0.5f),
      .read_noise = 0.002f + 0.02f * noise,
      .shot_noise = 0.01f + 0.045f * noise,
  };
  frame->quality = 60 + (int)rng_below(&rng, 36);
  frame->scene.camera.focal = 1 / (2 * frame->background.spread);
  frame->scene.camera.distance =
      1 + frame->variety * rng_uniform(&rng, -0.15f, 0.5f); // a factor, until the frame says how near
}

// A third of the hands are held before something brighter, a window, and are dark; a tenth are in a sun that does not
// reach the wall behind them.
static void make_light(struct frame *frame)
{
  struct rng rng = session_rng(&frame->walk, SUBJECT_LIGHT);
  float where = rng_uniform(&rng, 0, 1), depth = rng_uniform(&rng, 0, 1);
  frame->shade = frame->sun = 1;
  if (where < 0.35f) frame->shade = powf(0.08f, frame->variety * depth);
  if (where > 0.88f) frame->sun = 1 + 3 * frame->variety * depth;
}

// --- the frame -----------------------------------------------------------------------------------------------------

static float walked(const struct frame *frame, uint32_t channel, float low, float high)
{
  return walk_uniform(&frame->walk, channel, low, high);
}

static void move_eye(struct frame *frame)
{
  struct gaze *gaze = &frame->gaze;
  gaze->yaw = walked(frame, CHANNEL_EYE_YAW, -12, 12) * degree;
  gaze->pitch = walked(frame, CHANNEL_EYE_PITCH, -9, 9) * degree;
  gaze->roll = frame->variety * walked(frame, CHANNEL_ROLL, -12, 12) * degree;
  for (uint32_t i = 0; i < 3; i++) gaze->shift[i] = walked(frame, CHANNEL_EYE_X + i, -0.2f, 0.2f);
  struct camera_settings *camera = &frame->camera;
  camera->blur += walked(frame, CHANNEL_BLUR, 0, 0.4f);
  float motion = walked(frame, CHANNEL_MOTION, -8, 4.5f); // still in most frames
  camera->motion = motion > 0 ? motion : 0;
  camera->heading = walked(frame, CHANNEL_HEADING, 0, 6.28f);
  camera->stops += walked(frame, CHANNEL_STOPS, -0.3f, 0.3f);
  float warmth = walked(frame, CHANNEL_WARMTH, -0.03f, 0.03f);
  camera->white[0] += warmth;
  camera->white[2] -= warmth;
}

// The room's lamps as the hand sees them, an arm's length before the camera.
static void light_hand(struct frame *frame)
{
  const struct room *room = &frame->background.room;
  struct synth_scene *scene = &frame->scene;
  struct eye eye;
  eye_turn(&eye, frame->background.yaw + frame->gaze.yaw, frame->background.pitch + frame->gaze.pitch,
           frame->gaze.roll);
  scene->lights = room->lamp_count < SYNTH_LIGHTS ? room->lamp_count : SYNTH_LIGHTS;
  for (int l = 0; l < scene->lights; l++) {
    const struct lamp *lamp = &room->lamps[l];
    struct synth_light *light = &scene->light[l];
    float way[3], square = 0;
    for (int i = 0; i < 3; i++) {
      way[i] = lamp->place[i] - frame->background.stand[i] - frame->gaze.shift[i] - 0.4f * eye.axes[2][i];
      square += way[i] * way[i];
    }
    for (int i = 0; i < 3; i++) light->direction[i] = 0;
    for (int i = 0; i < 3; i++) {
      light->direction[0] += way[i] * eye.axes[0][i];
      light->direction[1] -= way[i] * eye.axes[1][i];
      light->direction[2] -= way[i] * eye.axes[2][i];
    }
    float flicker = walked(frame, CHANNEL_LIGHT + (uint32_t)l, 0.85f, 1.15f);
    for (int c = 0; c < 3; c++)
      light->colour[c] = flicker * frame->shade * frame->sun * lamp->light[c] / (0.6f + square);
    light->softness = 4 + 20 / (1 + square);
  }
  for (int c = 0; c < 3; c++) {
    scene->ambient_above[c] = 1.1f * frame->shade * room->ambient[c];
    scene->ambient_below[c] = frame->shade * room->ambient[c] * (0.45f + 0.4f * room->walls[4].base[c]);
  }
}

// Where a share of the way between what is allowed lies; the middle where nothing is.
static float between(float low, float high, float share)
{
  return low < high ? low + (high - low) * share : 0.5f * (low + high);
}

// The hand somewhere in the picture, whole but for a little.
static void place_hand(struct frame *frame)
{
  static const float margin = 0.03f, largest = 0.94f;
  float low = 0.5f - 0.5f * frame->variety, high = 1 - low;
  struct synth_camera *camera = &frame->scene.camera;
  float nearness = camera->distance;
  camera->roll = -frame->gaze.roll / degree * 0.5f; // the hand is held, too, and follows the camera half way
  camera->distance =
      camera->focal * 21 * nearness * expf(frame->variety * walked(frame, CHANNEL_DISTANCE, -0.25f, 0.25f));
  camera->x = camera->y = 0.5f;
  struct synth_box box = synth_hand_box(&frame->scene, 1, 1);
  float side = fmaxf(box.right - box.left, box.bottom - box.top);
  if (side > largest) {
    camera->distance *= side / largest;
    box = synth_hand_box(&frame->scene, 1, 1);
  }
  camera->x = between(0.5f - box.left + margin, 1.5f - box.right - margin, walked(frame, CHANNEL_X, low, high));
  camera->y = between(0.5f - box.top + margin, 1.5f - box.bottom - margin, walked(frame, CHANNEL_Y, low, high));
}

static void make_hand(struct frame *frame)
{
  float unit[HAND_ANGLES];
  for (uint32_t i = 0; i < HAND_ANGLES; i++) {
    float u = walked(frame, CHANNEL_POSE + i, -1, 1);
    unit[i] = u * fabsf(u) * (0.3f + 0.7f * frame->variety); // nearer to the mean pose than to its limits
  }
  frame->scene.pose = hand_pose_at(frame->class, unit, frame->variety);
  light_hand(frame);
  place_hand(frame);
}

void frame_make(struct frame *frame, const struct frame_series *series, int class, uint64_t index)
{
  *frame = (struct frame){.class = class,
                          .walk = walk_at(series->seed, class, index, series->video),
                          .hand = class != HAND_CLASS_NOTHING,
                          .variety = series->variety};
  frame->scene = synth_scene_of_class(class);
  make_person(frame);
  struct rng place = session_rng(&frame->walk, SUBJECT_PLACE);
  background_make(&frame->background, &place, frame->variety, frame->scene.look.skin);
  make_camera(frame);
  make_light(frame);
  move_eye(frame);
  if (frame->hand) make_hand(frame);
}

// --- pixels --------------------------------------------------------------------------------------------------------

struct renderer {
  int side, half; // half: of a picture that is blurred so much that nobody misses the other half of its lines
  float *pixels, *small;
  struct post *post, *small_post;
};

enum status renderer_new(struct renderer **out, int side, struct error *error)
{
  void *renderer = NULL, *pixels = NULL, *small = NULL;
  if (side < FRAME_SIDE_MIN || side > FRAME_SIDE_MAX)
    return fail(error, BAD_USAGE, "a side of %d pixels; allowed: %d to %d", side, FRAME_SIDE_MIN, FRAME_SIDE_MAX);
  enum status status = mem_zeroed(&renderer, 1, sizeof **out, "a renderer", error);
  if (status) return status;
  *out = renderer;
  int half = (side + 1) / 2;
  status = mem_aligned(&pixels, (size_t)side * (size_t)side, 3 * sizeof(float), "a renderer's picture", error);
  if (!status)
    status = mem_aligned(&small, (size_t)half * (size_t)half, 3 * sizeof(float), "a renderer's picture", error);
  **out = (struct renderer){.side = side, .half = half, .pixels = pixels, .small = small};
  if (!status) status = post_new(&(*out)->post, side, error);
  if (!status) status = post_new(&(*out)->small_post, half, error);
  if (!status) return OK;
  renderer_free(*out);
  *out = NULL;
  return status;
}

void renderer_free(struct renderer *renderer)
{
  if (!renderer) return;
  post_free(renderer->post);
  post_free(renderer->small_post);
  free(renderer->pixels);
  free(renderer->small);
  free(renderer);
}

// Bilinear, pixel centres over pixel centres.
static void enlarge(const float *small, int half, float *pixels, int side)
{
  float step = (float)half / (float)side;
  for (int y = 0; y < side; y++) {
    float at = fmaxf(((float)y + 0.5f) * step - 0.5f, 0);
    int line = (int)at, next = line + 1 < half ? line + 1 : line;
    float down = at - (float)line;
    const float *a = small + 3 * (size_t)half * (size_t)line, *b = small + 3 * (size_t)half * (size_t)next;
    for (int x = 0; x < side; x++, pixels += 3) {
      float place = fmaxf(((float)x + 0.5f) * step - 0.5f, 0);
      int left = (int)place, right = left + 1 < half ? left + 1 : left;
      float across = place - (float)left;
      for (int c = 0; c < 3; c++) {
        float upper = a[3 * left + c] + across * (a[3 * right + c] - a[3 * left + c]);
        float lower = b[3 * left + c] + across * (b[3 * right + c] - b[3 * left + c]);
        pixels[c] = upper + down * (lower - upper);
      }
    }
  }
}

static void draw_background(struct renderer *renderer, const struct frame *frame)
{
  float sigma = frame->camera.background_blur * (float)renderer->side / 200;
  if (sigma < 1.6f) {
    background_draw(&frame->background, &frame->gaze, renderer->side, renderer->pixels);
    post_blur(renderer->post, renderer->pixels, sigma);
    return;
  }
  background_draw(&frame->background, &frame->gaze, renderer->half, renderer->small);
  post_blur(renderer->small_post, renderer->small, 0.5f * sigma);
  enlarge(renderer->small, renderer->half, renderer->pixels, renderer->side);
}

enum status frame_draw(struct renderer *renderer, const struct frame *frame, struct image *image, struct error *error)
{
  int side = renderer->side;
  enum status status = image_reshape(image, side, side, error);
  if (status) return status;
  draw_background(renderer, frame);
  if (frame->hand) synth_draw_hand(&frame->scene, side, side, renderer->pixels, NULL);
  post_expose(renderer->post, &frame->camera, frame_rng(&frame->walk, SUBJECT_NOISE), renderer->pixels, image);
  return OK;
}

enum status frame_encode(const struct frame *frame, const struct image *image, uint8_t **bytes, size_t *size,
                         struct error *error)
{
  return encode_jpeg(image, frame->quality, bytes, size, error);
}
