// Streams (engine/net/net_stream.c): every row of every step once, in order, nothing read before it is whole, nothing
// overwritten that is still read. Judged by following the bands with the maps' rings as tables of row numbers.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "core/mem.h"
#include "engine/net/net_parts.h"
#include "models/seed_cnn.h"

#include <cmocka.h> // last: it has a macro called fail

enum { ROWS = 128, NONE = -1 };

// What the memory of one map, or of its gradient, holds.
struct table {
  int ring;
  int row[ROWS];   // of each place
  int count[ROWS]; // how many steps have added to it
};

static struct net *planned(int side, bool training)
{
  struct error error = {0};
  struct net *net = seed_cnn((struct shape){side, side, 3}, 5, 0.3f);
  const struct net_options options = {
      .training = training, .kernels = KERNELS_NATIVE, .threads = 1, .batch = 2, .precision = NET_FP32};
  assert_non_null(net);
  if (net_plan(net, &options, &error)) fail_msg("%s", error.text);
  return net;
}

static struct table *new_tables(const struct net *net, bool gradients)
{
  struct table *tables = calloc(net->value_count, sizeof *tables);
  assert_non_null(tables);
  for (size_t v = 0; v < net->value_count; v++) {
    assert_true(net->values[v].rows <= ROWS);
    tables[v].ring = gradients ? net->values[v].gradient_ring : net->values[v].ring;
    for (int i = 0; i < ROWS; i++) tables[v].row[i] = NONE;
  }
  return tables;
}

static bool in_stream(const struct net *net, const struct stream *stream, int value)
{
  for (size_t s = stream->first; s < stream->end; s++)
    if (net->steps[s].output == value) return true;
  return false;
}

static int readers(const struct net *net, const struct stream *stream, int value)
{
  int count = 0;
  for (size_t s = stream->first; s < stream->end; s++)
    for (int i = 0; i < net->steps[s].input_count; i++) count += net->steps[s].inputs[i] == value;
  return count;
}

static void must_hold(const struct table *table, int row, int count)
{
  assert_int_equal(table->row[row % table->ring], row);
  assert_int_equal(table->count[row % table->ring], count);
}

static int within(int row, int rows)
{
  return row < 0 ? 0 : row > rows ? rows : row;
}

static void follow_forward(const struct net *net, const struct stream *stream, struct table *tables,
                           const struct band *band)
{
  const struct step *step = &net->steps[band->step];
  const struct reach *reach = &step->op->reach;
  for (int row = band->first; row < band->end; row++) {
    for (int i = 0; i < step->input_count; i++) {
      if (!in_stream(net, stream, step->inputs[i])) continue;
      int first = within(row * reach->stride - reach->before, reach->x_rows);
      int end = within(row * reach->stride + reach->after + 1, reach->x_rows);
      for (int r = first; r < end; r++) must_hold(&tables[step->inputs[i]], r, 1);
    }
    struct table *y = &tables[step->output];
    y->row[row % y->ring] = row;
    y->count[row % y->ring] = 1;
  }
}

// The rows of dx that are finished once the rows before `row` went back.
static int finished(const struct reach *reach, int row)
{
  return row == reach->y_rows ? reach->x_rows : within(row * reach->stride - reach->before, reach->x_rows);
}

static void follow_backward(const struct net *net, const struct stream *stream, struct table *tables,
                            const struct band *band)
{
  const struct step *step = &net->steps[band->step];
  const struct reach *reach = &step->op->reach;
  const int all = readers(net, stream, step->output);
  for (int row = band->first; all > 0 && row < band->end; row++) must_hold(&tables[step->output], row, all);
  for (int i = 0; i < step->input_count; i++) {
    struct table *x = &tables[step->inputs[i]];
    for (int row = finished(reach, band->first); row < finished(reach, band->end); row++) {
      if (step->add[i]) { // somebody has written the row
        assert_int_equal(x->row[row % x->ring], row);
        x->count[row % x->ring]++;
      } else {
        x->row[row % x->ring] = row;
        x->count[row % x->ring] = 1;
      }
    }
  }
}

static void follow(const struct net *net, const struct streams *streams, bool back)
{
  int *done = calloc(net->step_count, sizeof *done);
  assert_non_null(done);
  for (size_t i = 0; i < streams->count; i++) {
    const struct stream *stream = &streams->items[i];
    struct table *tables = new_tables(net, back);
    for (size_t b = stream->first_band; b < stream->end_band; b++) {
      const struct band *band = &streams->bands[b];
      const int rows = net->values[net->steps[band->step].output].rows;
      assert_true(band->step >= stream->first && band->step < stream->end);
      assert_int_equal(band->first, done[band->step]);
      assert_true(band->end > band->first && band->end <= rows);
      assert_true(band->end == rows || band->end % net->steps[band->step].op->rows_at_once == 0);
      (back ? follow_backward : follow_forward)(net, stream, tables, band);
      done[band->step] = band->end;
    }
    for (size_t s = stream->first; s < stream->end; s++)
      assert_int_equal(done[s], net->values[net->steps[s].output].rows);
    free(tables);
  }
  free(done);
}

static void no_row_is_missed_or_overwritten(void **state)
{
  (void)state;
  static const int sides[] = {7, 8, 11, 12, 31, 64, 100};
  for (size_t i = 0; i < sizeof sides / sizeof *sides; i++)
    for (int training = 0; training < 2; training++) {
      struct net *net = planned(sides[i], training);
      follow(net, &net->forward_streams, false);
      follow(net, &net->backward_streams, true);
      net_free(net);
    }
}

static const struct step *step_named(const struct net *net, const char *name)
{
  for (size_t s = 0; s < net->step_count; s++)
    if (strcmp(net->steps[s].layer->name, name) == 0) return &net->steps[s];
  return NULL;
}

// seed-cnn's largest map: ten rows of a hundred at most, unless backward reads it; its gradient always.
static void rings_are_short(void **state)
{
  (void)state;
  struct net *infers = planned(100, false), *trains = planned(100, true);
  const struct value *map = &infers->values[step_named(infers, "conv1")->output];
  const struct value *kept = &trains->values[step_named(trains, "conv1")->output];
  if (infers->forward_streams.count == 0) skip(); // no kernels of our own for this CPU
  assert_true(map->ring <= 10);
  assert_int_equal(kept->ring, 100);
  assert_true(kept->gradient_ring <= 10);
  net_free(infers);
  net_free(trains);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(no_row_is_missed_or_overwritten),
      cmocka_unit_test(rings_are_short),
  };
  return cmocka_run_group_tests_name("net_stream", tests, NULL, NULL);
}
