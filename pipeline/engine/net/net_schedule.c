// When each step runs, and where its maps lie.
//
// An image passes a segment of steps without waiting for others. Before an op that couples the images of a batch (a
// batch norm that trains, a large dense layer) the schedule is cut: all images come so far, the op sees the batch, all
// images go on. The last segment is passed forward and backward in one go:
//
//   forward of segment 0 | batch_forward | forward of 1 | ... | forward and backward of the last | batch_backward |
//   backward of the one before | ... | backward of segment 0
//
// Moments count the steps of one image on this way; a phase is the time between two cuts. A map lives from its step's
// forward to its last reader, a gradient from its first writer (the last reader of the map: backward runs in reverse)
// to its step's backward. What lives and dies within one phase has a place in the arena of the thread that has the
// image in hand; what crosses a cut has one for each image, in the store. Places in the arena are shared by what
// lives at other moments, places in the store by what lives in other phases.
#include <stdlib.h>

#include "core/mem.h"
#include "engine/net/arena.h"
#include "engine/net/net_parts.h"

struct schedule {
  int *phases; // of each moment
  int moments, loss, phase;
};

static bool is_cut(const struct step *step)
{
  return step->op->kind->batch_forward != NULL;
}

static int next(struct schedule *schedule)
{
  schedule->phases[schedule->moments] = schedule->phase;
  return schedule->moments++;
}

static void find_moments(struct net *net, struct schedule *schedule)
{
  struct segment *segment = net->segments;
  for (size_t s = 0; s < net->step_count; s++) {
    struct step *step = &net->steps[s];
    step->before = -1;
    if (is_cut(step)) {
      step->before = next(schedule);
      schedule->phase++;
      segment->end = s;
      *++segment = (struct segment){.first = s};
    }
    step->forward = next(schedule);
    if (step->before < 0) step->before = step->forward;
  }
  segment->end = net->step_count;
  net->segment_count = (size_t)(segment - net->segments) + 1;
  schedule->loss = next(schedule);
  for (size_t s = net->step_count; s-- > 0;) {
    struct step *step = &net->steps[s];
    step->backward = step->after = next(schedule);
    if (!is_cut(step)) continue;
    schedule->phase++;
    step->after = next(schedule);
  }
}

static void latest(int *moment, int candidate)
{
  if (*moment < candidate) *moment = candidate;
}

// The last moment of the phase that `moment` is in.
static int end_of_phase(const struct schedule *schedule, int moment)
{
  while (moment + 1 < schedule->moments && schedule->phases[moment + 1] == schedule->phases[moment]) moment++;
  return moment;
}

static void find_map_lifetimes(struct net *net, const struct schedule *schedule)
{
  for (size_t s = 0; s < net->step_count; s++) {
    const struct step *step = &net->steps[s];
    const struct op *op = step->op;
    struct value *y = &net->values[step->output];
    bool back = plan_goes_back(net, step);
    if (y->born < 0) y->born = step->forward; // written twice where a map is added in place
    latest(&y->dies, back && op->backward_reads_y ? step->backward : step->forward);
    y->gradient_dies = step->after;
    if (back && op->batch_reads_dy) latest(&y->gradient_dies, end_of_phase(schedule, step->after));
    for (int i = 0; i < step->input_count; i++) {
      struct value *x = &net->values[step->inputs[i]];
      latest(&x->dies, back && i == 0 && op->backward_reads_x ? step->after : step->forward);
      if (back && op->batch_reads_x) latest(&x->dies, end_of_phase(schedule, step->after));
      if (back && op->pieces) latest(&x->dies, schedule->moments - 1); // read behind the batch
    }
  }
}

// Backward runs in reverse: the last reader of a map is the first to write its gradient, the others add.
static void find_gradient_births(struct net *net)
{
  for (size_t s = net->step_count; s-- > 0;) {
    struct step *step = &net->steps[s];
    for (int i = 0; i < step->input_count; i++) {
      struct value *x = &net->values[step->inputs[i]];
      step->add[i] = x->gradient_born >= 0;
      if (!step->add[i]) x->gradient_born = step->backward;
    }
  }
}

// What a stream touches is alive from its first step to its last.
static void widen_forward(struct net *net, const struct stream *stream)
{
  int first = net->steps[stream->first].forward, last = net->steps[stream->end - 1].forward;
  for (size_t s = stream->first; s < stream->end; s++) {
    const struct step *step = &net->steps[s];
    struct value *y = &net->values[step->output];
    if (y->born > first) y->born = first;
    latest(&y->dies, last);
    for (int i = 0; i < step->input_count; i++) latest(&net->values[step->inputs[i]].dies, last);
  }
}

static void widen_backward(struct net *net, const struct stream *stream)
{
  int first = net->steps[stream->end - 1].backward, last = net->steps[stream->first].backward;
  for (size_t s = stream->first; s < stream->end; s++) {
    const struct step *step = &net->steps[s];
    struct value *y = &net->values[step->output], *x = &net->values[step->inputs[0]];
    if (step->op->backward_reads_y) latest(&y->dies, last);
    if (step->op->backward_reads_x) latest(&x->dies, last);
    latest(&y->gradient_dies, last);
    for (int i = 0; i < step->input_count; i++) {
      int *born = &net->values[step->inputs[i]].gradient_born;
      if (*born > first) *born = first;
    }
  }
}

static void find_lifetimes(struct net *net, const struct schedule *schedule)
{
  struct value *input = &net->values[net->layers[NET_INPUT]->value], *logits = &net->values[net->logits];
  for (size_t v = 0; v < net->value_count; v++)
    net->values[v].born = net->values[v].gradient_born = net->values[v].gradient_dies = -1;
  input->born = 0;
  find_map_lifetimes(net, schedule);
  find_gradient_births(net);
  for (size_t i = 0; i < net->forward_streams.count; i++) widen_forward(net, &net->forward_streams.items[i]);
  for (size_t i = 0; i < net->backward_streams.count; i++) widen_backward(net, &net->backward_streams.items[i]);
  latest(&logits->dies, schedule->loss);
  logits->gradient_born = schedule->loss;
}

// --- places ----------------------------------------------------------------------------------------------------------

struct places {
  struct arena_item *arena, *store;
  size_t in_arena, in_store;
  const struct schedule *schedule;
};

// Within a phase images are at different moments: in the store a place is shared by phases, not by moments.
static void add_item(struct places *places, struct arena_item item, bool together, bool *kept)
{
  const int *phases = places->schedule->phases;
  *kept = together || phases[item.born] != phases[item.dies];
  if (*kept)
    places->store[places->in_store++] =
        (struct arena_item){item.bytes, phases[item.born], phases[item.dies], item.offset};
  else
    places->arena[places->in_arena++] = item;
}

// Which maps and gradients batch_lane and batch_gradient read: they must lie together.
static bool read_together(const struct net *net, int value, bool gradient)
{
  for (size_t s = 0; s < net->step_count; s++) {
    const struct step *step = &net->steps[s];
    if (!plan_goes_back(net, step)) continue;
    if (gradient ? step->op->batch_reads_dy && step->output == value
                 : step->op->batch_reads_x && step->inputs[0] == value)
      return true;
  }
  return false;
}

static void add_items(struct net *net, struct places *places)
{
  for (size_t v = 0; v < net->value_count; v++) {
    struct value *value = &net->values[v];
    add_item(places,
             (struct arena_item){(size_t)value->ring * value->row_bytes, value->born, value->dies, &value->offset},
             read_together(net, (int)v, false), &value->kept);
    if (!value->wants_gradient || value->gradient_born < 0) continue;
    add_item(places,
             (struct arena_item){(size_t)value->gradient_ring * value->row_bytes, value->gradient_born,
                                 value->gradient_dies, &value->gradient_offset},
             read_together(net, (int)v, true), &value->gradient_kept);
  }
  for (size_t s = 0; s < net->step_count; s++) {
    struct step *step = &net->steps[s];
    if (step->op->saved_bytes == 0) continue;
    const struct stream *there = stream_of(&net->forward_streams, s), *back = stream_of(&net->backward_streams, s);
    int born = there ? net->steps[there->first].forward : step->before;
    int dies = there ? net->steps[there->end - 1].forward : step->forward;
    if (net->options.training) dies = back ? net->steps[back->first].backward : step->after;
    add_item(places, (struct arena_item){step->op->saved_bytes, born, dies, &step->saved_offset}, false,
             &step->saved_kept);
  }
}

static enum status place_all(struct net *net, const struct schedule *schedule, struct error *error)
{
  struct places places = {.schedule = schedule};
  size_t most = 2 * net->value_count + net->step_count;
  enum status status = mem_zeroed((void **)&places.arena, most, sizeof *places.arena, "a plan", error);
  if (!status) status = mem_zeroed((void **)&places.store, most, sizeof *places.store, "a plan", error);
  if (!status) {
    add_items(net, &places);
    status = arena_place(places.arena, places.in_arena, &net->arena_bytes, error);
  }
  if (!status) status = arena_place(places.store, places.in_store, &net->store_bytes, error);
  free(places.arena);
  free(places.store);
  return status;
}

// Gradients of a segment's steps are summed before the next segment's: their lanes share one place.
static void place_batch_lanes(struct net *net)
{
  for (size_t k = 0; k < net->segment_count; k++) {
    size_t at = 0;
    for (size_t s = net->segments[k].first; s < net->segments[k].end; s++) {
      net->steps[s].batch_lane_offset = at;
      if (plan_goes_back(net, &net->steps[s])) at += (net->steps[s].op->batch_lane_floats + 15) / 16 * 16;
    }
    if (at > net->batch_lane_floats) net->batch_lane_floats = at;
  }
}

enum status schedule_make(struct net *net, struct error *error)
{
  struct schedule schedule = {.moments = 0};
  size_t steps = net->step_count;
  enum status status = mem_zeroed((void **)&net->segments, steps + 1, sizeof *net->segments, "a schedule", error);
  if (!status) status = mem_zeroed((void **)&schedule.phases, 4 * steps + 1, sizeof(int), "a schedule", error);
  if (!status) {
    find_moments(net, &schedule);
    status = stream_make(net, error);
  }
  if (!status) {
    find_lifetimes(net, &schedule);
    place_batch_lanes(net);
    status = place_all(net, &schedule, error);
  }
  free(schedule.phases);
  return status;
}
