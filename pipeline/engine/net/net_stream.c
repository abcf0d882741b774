// Forward and backward by rows: steps behind one another whose ops can (op_kind.forward_rows, backward_rows) form a
// stream. Instead of one whole map after the other, each step makes a few rows as soon as what they read is there. So a
// row is read while it is in the second cache; a map of 100x100x64 floats is larger than that as a whole.
//
// The order is made once, here: bands, each some rows of one step. A map or gradient that the stream alone writes and
// reads is a ring of the few rows that are needed at the same time, row r at r % ring.
//
//   forward   rows of y need rows of each x: who makes those goes first
//   backward  rows of dy need what all readers of y add to them: those go first; and where two steps add to one
//             gradient, the one that comes first on the way back writes a row before the other adds to it
#include <stdlib.h>

#include "core/mem.h"
#include "engine/net/net_parts.h"

struct planning {
  struct net *net;
  struct streams *streams;
  struct stream *stream;
  bool back;
  int *done; // rows of its output that each step made, or whose gradients it took back
};

static int rows_of(const struct net *net, size_t step)
{
  return net->values[net->steps[step].output].rows;
}

static int smaller(int a, int b)
{
  return a < b ? a : b;
}

static bool reads(const struct step *step, int value)
{
  for (int i = 0; i < step->input_count; i++)
    if (step->inputs[i] == value) return true;
  return false;
}

// How many rows of its inputs the first `rows` rows of the step's output read.
static int rows_read(const struct net *net, size_t step, int rows)
{
  const struct reach *reach = &net->steps[step].op->reach;
  return smaller((rows - 1) * reach->stride + reach->after + 1, reach->x_rows);
}

// How many rows of the gradients of its inputs are finished once `rows` rows of the output's went back.
static int rows_finished(const struct net *net, size_t step, int rows)
{
  const struct reach *reach = &net->steps[step].op->reach;
  if (rows == reach->y_rows) return reach->x_rows;
  const int finished = smaller(rows * reach->stride - reach->before, reach->x_rows);
  return finished < 0 ? 0 : finished;
}

// How many rows must go back for `rows` of the inputs' gradients.
static int rows_wanted(const struct net *net, size_t step, int rows)
{
  const struct reach *reach = &net->steps[step].op->reach;
  return rows == 0 ? 0 : smaller((rows + reach->before + reach->stride - 1) / reach->stride, reach->y_rows);
}

static enum status add_band(struct planning *p, size_t step, int end, struct error *error)
{
  struct streams *all = p->streams;
  struct stream *stream = p->stream;
  enum status status =
      mem_grow((void **)&all->bands, &all->band_capacity, stream->end_band + 1, sizeof *all->bands, "bands", error);
  if (status || !all->bands) return status; // the second for the analyzer
  struct band *last = stream->end_band > stream->first_band ? &all->bands[stream->end_band - 1] : NULL;
  if (last && last->step == step)
    last->end = end;
  else
    all->bands[stream->end_band++] = (struct band){.step = step, .first = p->done[step], .end = end};
  p->done[step] = end;
  return OK;
}

static enum status bring(struct planning *p, size_t step, int end, struct error *error);

// What must be there before `end` rows of the step.
static enum status bring_inputs(struct planning *p, size_t step, int end, struct error *error)
{
  const struct net *net = p->net;
  enum status status = OK;
  for (size_t s = p->stream->first; !status && s < step; s++)
    if (reads(&net->steps[step], net->steps[s].output)) status = bring(p, s, rows_read(net, step, end), error);
  return status;
}

static bool share_an_input(const struct step *a, const struct step *b)
{
  for (int i = 0; i < a->input_count; i++)
    if (reads(b, a->inputs[i])) return true;
  return false;
}

static enum status bring_gradients(struct planning *p, size_t step, int end, struct error *error)
{
  const struct net *net = p->net;
  const int finished = rows_finished(net, step, end);
  enum status status = OK;
  for (size_t s = p->stream->end; !status && s-- > step + 1;) {
    if (reads(&net->steps[s], net->steps[step].output)) status = bring(p, s, rows_wanted(net, s, end), error);
    if (!status && share_an_input(&net->steps[s], &net->steps[step]))
      status = bring(p, s, rows_wanted(net, s, finished), error);
  }
  return status;
}

// Bands that bring the step to `end` rows at least, behind those that it needs. As deep as the stream is long.
static enum status bring(struct planning *p, size_t step, int end, struct error *error)
{
  enum status status = OK;
  while (!status && p->done[step] < end) {
    int next = smaller(p->done[step] + p->net->steps[step].op->rows_at_once, rows_of(p->net, step));
    status = (p->back ? bring_gradients : bring_inputs)(p, step, next, error);
    if (!status) status = add_band(p, step, next, error);
  }
  return status;
}

// --- rings -----------------------------------------------------------------------------------------------------------

static bool inside(const struct stream *stream, size_t step)
{
  return step >= stream->first && step < stream->end;
}

// Whether the stream alone reads the map, and in time: backward does not.
static bool map_stays_inside(const struct net *net, const struct stream *stream, size_t maker)
{
  const int value = net->steps[maker].output;
  if (value == net->logits) return false;
  for (size_t s = 0; s < net->step_count; s++) {
    const struct step *step = &net->steps[s];
    const bool back = plan_goes_back(net, step);
    if (reads(step, value) && !inside(stream, s)) return false;
    if (back && step->output == value && step->op->backward_reads_y) return false;
    if (back && step->inputs[0] == value && (step->op->backward_reads_x || step->op->batch_reads_x)) return false;
  }
  return true;
}

static bool gradient_stays_inside(const struct net *net, const struct stream *stream, size_t maker)
{
  for (size_t s = 0; s < net->step_count; s++)
    if (reads(&net->steps[s], net->steps[maker].output) && !inside(stream, s)) return false;
  return !net->steps[maker].op->batch_reads_dy;
}

// The rows of the map that were made so far; the first of them that is still read.
static int map_made(const struct planning *p, size_t maker)
{
  return p->done[maker];
}
static int map_lowest(const struct planning *p, size_t maker)
{
  int lowest = p->done[maker];
  for (size_t s = maker + 1; s < p->stream->end; s++) {
    if (!reads(&p->net->steps[s], p->net->steps[maker].output)) continue;
    const struct reach *reach = &p->net->steps[s].op->reach;
    if (p->done[s] < reach->y_rows) lowest = smaller(lowest, p->done[s] * reach->stride - reach->before);
  }
  return lowest < 0 ? 0 : lowest;
}

// The same of its gradient, which the maker takes back.
static int gradient_made(const struct planning *p, size_t maker)
{
  int made = 0;
  for (size_t s = maker + 1; s < p->stream->end; s++)
    if (reads(&p->net->steps[s], p->net->steps[maker].output)) {
      const int finished = rows_finished(p->net, s, p->done[s]);
      if (finished > made) made = finished;
    }
  return made;
}
static int gradient_lowest(const struct planning *p, size_t maker)
{
  return p->done[maker];
}

// The most rows that are needed at the same time; while a band runs, what it reads is as well.
static int rows_alive(struct planning *p, size_t maker)
{
  int most = 0;
  for (size_t s = p->stream->first; s < p->stream->end; s++) p->done[s] = 0;
  for (size_t i = p->stream->first_band; i < p->stream->end_band; i++) {
    const struct band *band = &p->streams->bands[i];
    const int lowest = (p->back ? gradient_lowest : map_lowest)(p, maker);
    p->done[band->step] = band->end;
    const int alive = (p->back ? gradient_made : map_made)(p, maker) - lowest;
    if (alive > most) most = alive;
  }
  return most;
}

static void make_rings(struct planning *p)
{
  struct net *net = p->net;
  for (size_t s = p->stream->first; s < p->stream->end; s++) {
    if (!(p->back ? gradient_stays_inside : map_stays_inside)(net, p->stream, s)) continue;
    struct value *y = &net->values[net->steps[s].output];
    const int step = net->steps[s].op->rows_at_once, ring = (rows_alive(p, s) + step - 1) / step * step;
    if (ring < y->rows) *(p->back ? &y->gradient_ring : &y->ring) = ring;
  }
}

// --- streams ---------------------------------------------------------------------------------------------------------

// Whether the step can join a stream that begins with step `first`: it works by rows, and no other step there writes
// its map.
static bool joins(const struct planning *p, size_t first, size_t s)
{
  const struct net *net = p->net;
  const struct step *step = &net->steps[s];
  if (step->op->rows_at_once == 0 || rows_of(net, s) < 2 || reads(step, step->output)) return false;
  if (p->back ? !step->op->kind->backward_rows || !plan_goes_back(net, step) : !step->op->kind->forward_rows)
    return false;
  for (size_t before = first; before < s; before++)
    if (net->steps[before].output == step->output) return false;
  return true;
}

// Bands until all steps are done. What the others need takes most of them along with the step that is asked first.
static enum status make_bands(struct planning *p, struct error *error)
{
  const struct stream *stream = p->stream;
  enum status status = OK;
  for (size_t i = 0; !status && i < stream->end - stream->first; i++) {
    size_t s = p->back ? stream->first + i : stream->end - 1 - i;
    status = bring(p, s, rows_of(p->net, s), error);
  }
  return status;
}

static enum status make_streams(struct planning *p, struct error *error)
{
  const struct net *net = p->net;
  enum status status = mem_zeroed((void **)&p->done, net->step_count, sizeof *p->done, "a schedule", error);
  if (!status)
    status = mem_zeroed((void **)&p->streams->items, net->step_count, sizeof *p->streams->items, "a schedule", error);
  size_t bands = 0;
  for (size_t k = 0; !status && k < net->segment_count; k++)
    for (size_t s = net->segments[k].first, end; !status && s<net->segments[k].end; s = end> s ? end : s + 1) {
      for (end = s; end < net->segments[k].end && joins(p, s, end);) end++;
      if (end < s + 2) continue; // one step by itself gains nothing
      p->stream = &p->streams->items[p->streams->count++];
      *p->stream = (struct stream){.first = s, .end = end, .first_band = bands, .end_band = bands};
      status = make_bands(p, error);
      if (!status) make_rings(p);
      bands = p->stream->end_band;
    }
  free(p->done);
  return status;
}

enum status stream_make(struct net *net, struct error *error)
{
  struct planning there = {.net = net, .streams = &net->forward_streams};
  struct planning back = {.net = net, .streams = &net->backward_streams, .back = true};
  enum status status = make_streams(&there, error);
  return status || !net->options.training ? status : make_streams(&back, error);
}
