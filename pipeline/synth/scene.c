#include "synth/scene.h"

#include <string.h>

#include "synth/contact.h"
#include "synth/draw.h"

// The hand's axes as the camera sees them: about the vertical, then about the horizontal, then in the picture.
static struct axes hand_seen(const struct synth_scene *scene)
{
  const float *angle = scene->pose.angle;
  struct turn yaw = turn_of(angle[TURN_YAW] + scene->camera.yaw),
              pitch = turn_of(angle[TURN_PITCH] + scene->camera.pitch),
              roll = turn_of(angle[TURN_ROLL] + scene->camera.roll);
  struct vector each[3] = {{1, 0, 0}, {0, 1, 0}, {0, 0, 1}};
  for (int i = 0; i < 3; i++) {
    struct vector v = each[i];
    v = (struct vector){v.x * yaw.cosine + v.z * yaw.sine, v.y, v.z * yaw.cosine - v.x * yaw.sine};
    v = (struct vector){v.x, v.y * pitch.cosine - v.z * pitch.sine, v.y * pitch.sine + v.z * pitch.cosine};
    each[i] = (struct vector){v.x * roll.cosine - v.y * roll.sine, v.x * roll.sine + v.y * roll.cosine, v.z};
  }
  return (struct axes){each[0], each[1], each[2], {0, 0, 0}};
}

static void turn_set(struct axes *axes, const struct axes *by)
{
  *axes = (struct axes){axes_direction(by, axes->x), axes_direction(by, axes->y), axes_direction(by, axes->z),
                        axes_point(by, axes->at)};
}

static void turn_body(struct body *body, const struct axes *by)
{
  for (int i = 0; i < body->count; i++) {
    struct part *part = &body->part[i];
    part->a = axes_point(by, part->a);
    part->along = axes_direction(by, part->along);
    part->slope = axes_direction(by, part->slope);
    turn_set(&part->axes, by);
  }
}

void view_of(struct view *view, const struct synth_scene *scene, int width, int height)
{
  const struct synth_camera *camera = &scene->camera;
  struct hand_pose pose = scene->pose;
  contact_settle(&pose, &scene->shape);
  struct skeleton skeleton = skeleton_of(&pose, &scene->shape);
  view->width = width, view->height = height;
  view->scale = camera->focal * (float)(width < height ? width : height);
  struct vector towards = {(camera->x - 0.5F) * (float)width / view->scale,
                           (0.5F - camera->y) * (float)height / view->scale, -1};
  view->eye = vector_scale(towards, -camera->distance);
  view->hand = hand_seen(scene);
  view->hand.at = vector_scale(axes_direction(&view->hand, skeleton_centre(&skeleton)), -1);
  body_of(&view->body, &skeleton, &scene->shape, scene->look.sleeve_start);
  turn_body(&view->body, &view->hand);
  view->look = scene->look;
  view->nail_length = scene->shape.factor[NAIL_LENGTH];
  view->lights = scene->lights;
  for (int i = 0; i < scene->lights; i++) {
    const struct synth_light *light = &scene->light[i];
    struct turn spread = turn_of(light->softness);
    view->light[i] = (struct view_light){
        .to = vector_unit((struct vector){light->direction[0], light->direction[1], light->direction[2]}),
        .spread = spread.sine / spread.cosine};
    memcpy(view->light[i].colour, light->colour, sizeof light->colour);
  }
  memcpy(view->above, scene->ambient_above, sizeof view->above);
  memcpy(view->below, scene->ambient_below, sizeof view->below);
}

void draw_by(const struct draw_kernels *kernels, const struct synth_scene *scene, int width, int height, float *pixels,
             float *coverage)
{
  struct view view;
  view_of(&view, scene, width, height);
  if (coverage) memset(coverage, 0, (size_t)width * (size_t)height * sizeof *coverage);
  for (int y = 0; y < height; y += TILE)
    for (int x = 0; x < width; x += TILE) kernels->tile(&view, x, y, pixels, coverage);
}

void synth_draw_hand(const struct synth_scene *scene, int width, int height, float *pixels, float *coverage)
{
  draw_by(draw_kernels(), scene, width, height, pixels, coverage);
}

struct synth_box synth_hand_box(const struct synth_scene *scene, int width, int height)
{
  struct view view;
  view_of(&view, scene, width, height);
  struct synth_box box = {1e9F, 1e9F, -1e9F, -1e9F};
  for (int i = 0; i < view.body.count; i++) {
    const struct part *part = &view.body.part[i];
    if (part->kind == PART_ARM || part->kind == PART_SLEEVE) continue;
    for (int end = 0; end < 2; end++) {
      struct vector at = vector_subtract(vector_add(part->a, vector_scale(part->along, (float)end)), view.eye);
      float depth = -at.z > 1 ? -at.z : 1, radius = (part->radius + (float)end * part->growth) * view.scale / depth;
      float x = 0.5F * (float)width + at.x * view.scale / depth, y = 0.5F * (float)height - at.y * view.scale / depth;
      if (x - radius < box.left) box.left = x - radius;
      if (x + radius > box.right) box.right = x + radius;
      if (y - radius < box.top) box.top = y - radius;
      if (y + radius > box.bottom) box.bottom = y + radius;
    }
  }
  return (struct synth_box){box.left / (float)width, box.top / (float)height, box.right / (float)width,
                            box.bottom / (float)height};
}

struct synth_scene synth_scene_of_class(int class)
{
  return (struct synth_scene){
      .pose = hand_pose_of_class(class),
      .shape = hand_shape_mean(),
      .look = hand_look_of(0.25F, 0.5F),
      .camera = {.distance = 55, .focal = 1.6F, .x = 0.5F, .y = 0.5F},
      .lights = 2,
      .light = {{.direction = {-0.5F, 0.8F, 0.7F}, .colour = {0.85F, 0.82F, 0.76F}, .softness = 8},
                {.direction = {0.8F, 0.2F, 0.6F}, .colour = {0.22F, 0.25F, 0.30F}, .softness = 20}},
      .ambient_above = {0.38F, 0.40F, 0.44F},
      .ambient_below = {0.24F, 0.22F, 0.20F},
  };
}
