// Forward by rows: steps behind one another whose ops can (op_kind.forward_rows) form a stream. Instead of one whole map
// after the other, each step makes a few rows as soon as the rows that they read are there. So a row is read while it is
// in the second cache; a map of 100x100x64 floats is ten times too large to be there as a whole.
//
// The order is made once, here: bands, each some rows of one step. In inference a map that only the stream reads is a
// ring of the few rows that are needed at the same time, row r at r % ring; in training backward wants whole maps.
#include <stdlib.h>

#include "core/mem.h"
#include "engine/net_parts.h"

struct planning {
  struct net *net;
  struct stream *stream;
  int *made; // rows, by step
  size_t band_capacity;
};

// The step of the stream that makes the value, or -1.
static int maker_of(const struct planning *p, int value)
{
  for (size_t s = p->stream->first; s < p->stream->end; s++)
    if (p->net->steps[s].output == value) return (int)s;
  return -1;
}

static int rows_of(const struct net *net, size_t step)
{
  return net->values[net->steps[step].output].rows;
}

// How many rows of an input the first `rows` rows of the output read.
static int rows_read(const struct net *net, size_t step, int input, int rows)
{
  const struct reach *reach = &net->steps[step].op->reach;
  int all = net->values[net->steps[step].inputs[input]].rows, end = (rows - 1) * reach->stride + reach->after + 1;
  return end < all ? end : all;
}

static enum status add_band(struct planning *p, size_t step, int end, struct error *error)
{
  struct net *net = p->net;
  enum status status = mem_grow((void **)&net->bands, &p->band_capacity, p->stream->end_band + 1,
                                sizeof *net->bands, "a schedule", error);
  if (status) return status;
  struct band *last = p->stream->end_band > p->stream->first_band ? &net->bands[p->stream->end_band - 1] : NULL;
  if (last && last->step == step)
    last->end = end;
  else
    net->bands[p->stream->end_band++] = (struct band){.step = step, .first = p->made[step], .end = end};
  p->made[step] = end;
  return OK;
}

// Bands that bring the step's output to `end` rows at least, with what they need before them. As deep as the stream is
// long.
static enum status make_rows(struct planning *p, size_t step, int end, struct error *error)
{
  enum status status = OK;
  const int rows = rows_of(p->net, step);
  while (!status && p->made[step] < end) {
    int next = p->made[step] + p->net->steps[step].op->rows_at_once;
    if (next > rows) next = rows;
    for (int i = 0; !status && i < p->net->steps[step].input_count; i++) {
      int maker = maker_of(p, p->net->steps[step].inputs[i]);
      if (maker >= 0) status = make_rows(p, (size_t)maker, rows_read(p->net, step, i, next), error);
    }
    if (!status) status = add_band(p, step, next, error);
  }
  return status;
}

static bool reads(const struct step *step, int value)
{
  for (int i = 0; i < step->input_count; i++)
    if (step->inputs[i] == value) return true;
  return false;
}

static bool stays_inside(const struct net *net, const struct stream *stream, int value)
{
  if (net->options.training || value == net->logits) return false;
  for (size_t s = 0; s < net->step_count; s++)
    if ((s < stream->first || s >= stream->end) && reads(&net->steps[s], value)) return false;
  return true;
}

// The first row of `value` that step `reader` still reads once `made` rows of its own are there.
static int lowest_read(const struct net *net, size_t reader, int value, int made)
{
  const struct reach *reach = &net->steps[reader].op->reach;
  if (made == rows_of(net, reader)) return net->values[value].rows;
  return made * reach->stride - reach->before;
}

// The most rows of step `maker`'s output that are needed at the same time.
static int rows_alive(struct planning *p, size_t maker)
{
  const struct net *net = p->net;
  const int value = net->steps[maker].output;
  int most = 0;
  for (size_t s = p->stream->first; s < p->stream->end; s++) p->made[s] = 0;
  for (size_t i = p->stream->first_band; i < p->stream->end_band; i++) {
    p->made[net->bands[i].step] = net->bands[i].end;
    if (net->bands[i].step != maker) continue;
    int lowest = p->made[maker];
    for (size_t s = p->stream->first; s < p->stream->end; s++)
      if (reads(&net->steps[s], value) && lowest_read(net, s, value, p->made[s]) < lowest)
        lowest = lowest_read(net, s, value, p->made[s]);
    if (lowest < 0) lowest = 0;
    if (p->made[maker] - lowest > most) most = p->made[maker] - lowest;
  }
  return most;
}

static void make_rings(struct planning *p)
{
  struct net *net = p->net;
  for (size_t s = p->stream->first; s < p->stream->end; s++) {
    struct value *y = &net->values[net->steps[s].output];
    if (!stays_inside(net, p->stream, net->steps[s].output)) continue;
    int step = net->steps[s].op->rows_at_once, ring = (rows_alive(p, s) + step - 1) / step * step;
    if (ring >= y->rows) continue;
    y->bytes = y->bytes / (size_t)y->rows * (size_t)ring;
    y->ring = ring;
  }
}

// Whether the step can join the stream: its maps hold rows, and nobody in the stream writes where it reads or writes.
static bool joins(const struct net *net, const struct stream *stream, size_t s)
{
  const struct step *step = &net->steps[s];
  if (!step->op->kind->forward_rows || net->values[step->output].rows < 2 || reads(step, step->output)) return false;
  for (size_t before = stream->first; before < s; before++)
    if (net->steps[before].output == step->output) return false;
  return true;
}

enum status stream_make(struct net *net, struct error *error)
{
  struct planning p = {.net = net};
  enum status status = mem_zeroed((void **)&p.made, net->step_count, sizeof *p.made, "a schedule", error);
  if (!status)
    status = mem_zeroed((void **)&net->streams, net->step_count, sizeof *net->streams, "a schedule", error);
  size_t bands = 0;
  for (size_t k = 0; !status && k < net->segment_count; k++)
    for (size_t s = net->segments[k].first; !status && s < net->segments[k].end;) {
      struct stream stream = {.first = s, .end = s, .first_band = bands, .end_band = bands};
      while (stream.end < net->segments[k].end && joins(net, &stream, stream.end)) stream.end++;
      s = stream.end > s ? stream.end : s + 1;
      if (stream.end < stream.first + 2) continue;
      p.stream = &net->streams[net->stream_count++];
      *p.stream = stream;
      for (size_t last = stream.end; !status && last-- > stream.first;) // the first of them takes most others along
        status = make_rows(&p, last, rows_of(net, last), error);
      bands = p.stream->end_band;
      if (!status) make_rings(&p);
    }
  free(p.made);
  return status;
}

const struct stream *stream_of(const struct net *net, size_t step)
{
  for (size_t i = 0; i < net->stream_count; i++)
    if (step >= net->streams[i].first && step < net->streams[i].end) return &net->streams[i];
  return NULL;
}
