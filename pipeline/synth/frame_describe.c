// The parameters of a frame as JSON. Numbers with three or four digits: enough to ask about; a picture is drawn again
// from its number, not from these.
#include <stdarg.h>
#include <stdio.h>

#include "synth/frame.h"

struct text {
  char *at;
  size_t left;
};

static void add(struct text *text, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void add(struct text *text, const char *format, ...)
{
  va_list arguments;
  va_start(arguments, format);
  int length = vsnprintf(text->at, text->left, format, arguments);
  va_end(arguments);
  size_t used = length < 0 ? 0 : (size_t)length < text->left ? (size_t)length : text->left;
  text->at += used;
  text->left -= used;
}

static void add_list(struct text *text, const char *name, const float *values, int count)
{
  add(text, ",\"%s\":[", name);
  for (int i = 0; i < count; i++) add(text, "%s%.3g", i ? "," : "", (double)values[i]);
  add(text, "]");
}

static void add_hand(struct text *text, const struct frame *frame)
{
  const struct synth_scene *scene = &frame->scene;
  const struct synth_camera *camera = &scene->camera;
  add(text, ",\"pose\":{");
  for (int i = 0; i < HAND_ANGLES; i++)
    add(text, "%s\"%s\":%.1f", i ? "," : "", hand_angles[i].name, (double)scene->pose.angle[i]);
  add(text, "},\"shape\":{");
  for (int i = 0; i < HAND_PROPORTIONS; i++)
    add(text, "%s\"%s\":%.3f", i ? "," : "", hand_proportions[i].name, (double)scene->shape.factor[i]);
  add(text, "},\"tone\":%.3f", (double)frame->tone);
  if (scene->look.sleeve_start < HAND_NO_SLEEVE) add(text, ",\"sleeve\":%.1f", (double)scene->look.sleeve_start);
  add(text, ",\"x\":%.3f,\"y\":%.3f,\"distance\":%.1f,\"roll\":%.1f", (double)camera->x, (double)camera->y,
      (double)camera->distance, (double)camera->roll);
  add(text, ",\"lights\":[");
  for (int l = 0; l < scene->lights; l++) {
    const float *d = scene->light[l].direction, *c = scene->light[l].colour;
    add(text, "%s[%.2g,%.2g,%.2g,%.2g,%.2g,%.2g]", l ? "," : "", (double)d[0], (double)d[1], (double)d[2], (double)c[0],
        (double)c[1], (double)c[2]);
  }
  add(text, "],\"shade\":%.2f,\"sun\":%.2f", (double)frame->shade, (double)frame->sun);
}

void frame_describe(const struct frame *frame, char *out, size_t size)
{
  struct text text = {out, size};
  const struct camera_settings *camera = &frame->camera;
  const struct gaze *gaze = &frame->gaze;
  if (size) *out = '\0';
  add(&text, "{\"session\":%llu,\"frame\":%lu,\"place\":\"%s\",\"clutter\":%.2f,\"person\":%s",
      (unsigned long long)frame->walk.session, (unsigned long)frame->walk.frame, place_name(frame->background.place),
      (double)frame->background.clutter, frame->background.person ? "true" : "false");
  if (frame->hand) add_hand(&text, frame);
  add_list(&text, "view", (float[]){gaze->yaw, gaze->pitch, gaze->roll, gaze->shift[0], gaze->shift[1], gaze->shift[2]},
           6);
  add(&text, ",\"background_blur\":%.2f,\"blur\":%.2f,\"motion\":%.1f,\"heading\":%.2f,\"vignette\":%.2f",
      (double)camera->background_blur, (double)camera->blur, (double)camera->motion, (double)camera->heading,
      (double)camera->vignette);
  add(&text, ",\"stops\":%.2f,\"metering\":%.2f,\"saturation\":%.2f,\"contrast\":%.2f", (double)camera->stops,
      (double)camera->metering, (double)camera->saturation, (double)camera->contrast);
  add_list(&text, "white", camera->white, 3);
  add(&text, ",\"read_noise\":%.4f,\"shot_noise\":%.4f,\"quality\":%d}", (double)camera->read_noise,
      (double)camera->shot_noise, frame->quality);
}
