// Draws mean poses: draw_hands SIZE OUT.png CLASS... (all classes, ten a row, without one); for looking.
// The camera's turn and the skin's tone from the environment: YAW, PITCH, ROLL, DISTANCE, TONE, SLEEVE, STYLE (0, or
// down to -1: the alternate pose).
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "image/codec.h"
#include "synth/scene.h"

static float setting(const char *name, float otherwise)
{
  const char *text = getenv(name);
  return text ? strtof(text, NULL) : otherwise;
}

static uint8_t level(float linear) // sRGB
{
  float x = linear > 0 ? (linear < 1 ? linear : 1) : 0;
  x = x < 0.0031308F ? 12.92F * x : 1.055F * powf(x, 1 / 2.4F) - 0.055F;
  return (uint8_t)(255 * x + 0.5F);
}

static void draw_cell(int class, int size, int column, int row, struct image *sheet, float *pixels)
{
  struct synth_scene scene = synth_scene_of_class(class);
  float unit[HAND_ANGLES] = {0};
  unit[WRIST_FLEXION] = setting("STYLE", 0);
  scene.pose = hand_pose_at(class, unit, 1);
  scene.camera.yaw = setting("YAW", 0), scene.camera.pitch = setting("PITCH", 0),
  scene.camera.roll = setting("ROLL", 0);
  scene.camera.distance = setting("DISTANCE", 55);
  float tone = setting("TONE", 0.25F);
  scene.look = hand_look_of(tone, 0.5F);
  scene.look.sleeve_start = setting("SLEEVE", HAND_NO_SLEEVE);
  for (int i = 0; i < size * size; i++) pixels[3 * i] = pixels[3 * i + 1] = pixels[3 * i + 2] = 0.35F;
  synth_draw_hand(&scene, size, size, pixels, NULL);
  for (int y = 0; y < size; y++)
    for (int x = 0; x < 3 * size; x++)
      sheet->pixels[((size_t)(row * size + y) * (size_t)sheet->width + (size_t)(column * size)) * 3 + (size_t)x] =
          level(pixels[3 * y * size + x]);
}

int main(int argc, char **argv)
{
  int size = argc > 2 ? (int)strtol(argv[1], NULL, 10) : 0, classes[HAND_CLASSES], count = 0;
  for (int i = 3; i < argc && count < HAND_CLASSES; i++)
    if ((classes[count] = hand_class_of_name(argv[i])) >= 0) count++;
  if (argc == 3)
    for (count = 0; count < HAND_CLASSES; count++) classes[count] = count;
  if (size < 8 || size > SYNTH_SIDE_LIMIT || !count) {
    (void)fprintf(stderr, "usage: draw_hands SIZE OUT.png [CLASS ...]\n");
    return 2;
  }
  int columns = count < 10 ? count : 10;
  struct image sheet;
  struct error error;
  uint8_t *bytes = NULL;
  size_t bytes_count = 0;
  float *pixels = calloc((size_t)size * (size_t)size, 3 * sizeof *pixels);
  if (!pixels || image_init(&sheet, columns * size, (count + columns - 1) / columns * size, &error)) return 1;
  for (int i = 0; i < count; i++) draw_cell(classes[i], size, i % columns, i / columns, &sheet, pixels);
  if (encode_png(&sheet, &bytes, &bytes_count, &error)) return 1;
  FILE *file = fopen(argv[2], "wb");
  bool written = file && fwrite(bytes, 1, bytes_count, file) == bytes_count;
  if (file && fclose(file)) written = false;
  free(bytes);
  free(pixels);
  image_release(&sheet);
  return written ? 0 : 1;
}
