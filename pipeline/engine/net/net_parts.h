// The inside of a net, shared by net.c (building), layer_*.c (each kind of layer), net_steps.c (what those add),
// net_plan.c (lowering and memory), net_schedule.c, net_stream.c, net_run.c, net_pieces.c and net_initialise.c. Beside
// them a test (test_net_stream.c) and the bench (ours_layers.c) look inside.
//
//   layer  what the person built: a kind, inputs, parameters
//   step   what runs: an op with its wiring; a layer is lowered to none (flatten), one or more steps
//   value  a map that a step writes and others read; its place in each thread's arena was planned
#ifndef ENGINE_NET_PARTS_H
#define ENGINE_NET_PARTS_H

#include "engine/net/net.h"
#include "engine/ops/ops.h"

struct layer;

// Which maps a layer reads: of the net's precision, of that or floats (behind a dense layer), or any.
enum layer_takes { TAKES_NET, TAKES_FLOATS, TAKES_ANY };

struct layer_kind {
  const char *name; // as Keras calls it
  enum layer_takes takes;
  bool reads_bytes;  // takes maps of bytes (layer_int8.c); for others they are made numbers again
  bool reads_padded; // takes the map before a zero padding and widens its own window
  // Adds the layer's steps; sets layer->value. NULL for the input.
  enum status (*lower)(struct net *net, struct layer *layer, struct error *error);
};

// Kinds with a configuration put this first in a struct of their own.
struct layer {
  const struct layer_kind *kind;
  char *name;
  int index;
  int inputs[2], input_count; // layers
  struct shape shape;         // of the output
  size_t first_parameter, parameter_count;
  int value;   // of the output, once lowered
  bool pooled; // the value is that of the pool behind it: one op did both
  int padding; // zeros on each side, which `value` does not hold
};

struct value {
  size_t row_bytes;
  int rows;                // of the map
  int ring, gradient_ring; // in memory: as many, or fewer where a stream needs no more at a time
  enum dtype dtype;
  float scale;         // of bytes: the number that 1 stands for; 0: the map is of numbers
  bool nonnegative;    // no number is below zero
  int twin;            // the same map as bytes, or as numbers; -1: there is none
  bool wants_gradient; // something upstream can be trained
  int born, dies;      // first and last moment of the map: see net_schedule.c
  int gradient_born, gradient_dies;
  bool kept, gradient_kept;       // for the whole batch, in net->store; else in a worker's arena
  size_t offset, gradient_offset; // in the arena, or of each image in the store
};

struct step {
  struct op *op;
  const struct layer *layer;
  int inputs[OP_INPUTS], input_count, output; // values
  bool add[OP_INPUTS];                        // a later step has already written this input's gradient
  size_t first_parameter, parameter_count;
  int before, forward, backward, after; // its moments
  bool saved_kept;
  size_t saved_offset;      // as of a value
  size_t lane_offset;       // in floats
  size_t batch_lane_offset; // in floats of one lane
};

// Steps first ... end - 1, which an image passes without waiting for others. Where the step `first` has a batch_forward
// it runs before them.
struct segment {
  size_t first, end;
};

// Steps that take turns, a few rows each (net_stream.c), and the order of it.
struct stream {
  size_t first, end;           // steps
  size_t first_band, end_band; // in `bands`
};
struct band {
  size_t step;
  int first, end; // rows of its output
};
struct streams {
  struct stream *items;
  size_t count;
  struct band *bands;
  size_t band_capacity;
};

// Memory of one thread.
struct worker {
  unsigned char *arena, *scratch;
};

struct net {
  char *name;
  enum status status; // of building
  struct error error;
  struct shape input;
  enum dtype input_dtype;

  struct layer **layers;
  size_t layer_count, layer_capacity;
  struct parameter *parameters;
  size_t parameter_count, parameter_capacity;
  size_t not_finite; // the first parameter with a value that is NaN or infinite; SIZE_MAX: none

  // From here on made by net_plan.
  bool planned;
  struct net_options options;
  struct op_context context;
  atomic_int refused; // oneDNN's status for what it refused in the pass in hand; 0: nothing
  bool maps_checked;  // none was huge in inference since the weights were packed
  const struct ops *ops;
  struct value *values;
  size_t value_count, value_capacity;
  struct step *steps;
  size_t step_count, step_capacity;
  struct segment *segments; // [segment_count]; the first may be empty
  size_t segment_count;
  struct streams forward_streams, backward_streams;
  unsigned char *store; // [store_bytes, batch]: maps that cross a cut, each for all images
  size_t store_bytes;
  float *batch_lanes; // [BATCH_LANES, batch_lane_floats], of one segment
  size_t batch_lane_floats;
  struct worker *workers;            // [threads]
  size_t arena_bytes, scratch_bytes; // of one worker
  float *lanes;                      // [NET_LANES, lane_floats]
  size_t lane_floats;
  double *losses;      // [batch]
  size_t trained;      // images of the last net_train
  int logits, classes; // the output's value and width
};

// --- building: layer_*.c ---------------------------------------------------------------------------------------------

// A new layer of `size` bytes reading layer `a` (and `b`, or -1); NULL, with the net's status set, after any
// error.
struct layer *layer_add(struct net *net, const struct layer_kind *kind, size_t size, const char *name, int a, int b);

// Keeps the first error; returns -1, what a building call returns.
int layer_fail(struct net *net, const char *name, const char *format, ...) __attribute__((format(printf, 3, 4)));

// Gives the layer a parameter "layer/part"; false after an error. Parameters of a layer are added one after
// another.
bool layer_parameter(struct net *net, struct layer *layer, const char *part, int rank, const int shape[4]);

const struct layer *layer_input(const struct net *net, const struct layer *layer, int which);

// The only layer that reads `layer`, or NULL.
struct layer *layer_only_reader(const struct net *net, const struct layer *layer);
// The same, where it is of that kind; else NULL.
struct layer *layer_reader_of_kind(const struct net *net, const struct layer *layer, const struct layer_kind *kind);

// What layer_fuse.c looks for.
extern const struct layer_kind layer_batch_norm, layer_relu, layer_add_kind;
struct batch_norm layer_batch_norm_of(const struct layer *layer);

// Whether any of the layer's own parameters trains.
bool layer_trains(const struct net *net, const struct layer *layer);

// --- values and steps: net_steps.c ----------------------------------------------------------------------------------

// *value becomes the index of a new value, which steps can read and write.
enum status plan_value(struct net *net, struct shape shape, enum dtype dtype, int *value, struct error *error);

// The context of an op in this layer: training only if gradients pass through it.
struct op_context plan_context(const struct net *net, const struct layer *layer);

// A step that runs op (taken over, freed on error too). Inputs: values; b is -1 for one input.
enum status plan_step(struct net *net, const struct layer *layer, struct op *op, int a, int b, int output,
                      size_t first_parameter, size_t parameter_count, struct error *error);

// Whether gradients pass through the step.
bool plan_goes_back(const struct net *net, const struct step *step);

// The stream that the step is in, or NULL.
const struct stream *stream_of(const struct streams *streams, size_t step);

// --- scheduling: net_schedule.c --------------------------------------------------------------------------------------

// Segments, moments, lifetimes and places of all steps.
enum status schedule_make(struct net *net, struct error *error);

// --- by rows: net_stream.c -------------------------------------------------------------------------------------------

// The streams of all segments, forward and backward, and the rings of their maps and gradients. Behind order_readers,
// before lifetimes.
enum status stream_make(struct net *net, struct error *error);

// --- gradients in pieces: net_pieces.c -------------------------------------------------------------------------------

// Scratch that the op needs on each thread, with room for a piece behind what the op asks for.
size_t pieces_scratch(const struct op *op);

// --- lowering: layer_fuse.c ------------------------------------------------------------------------------------------

// What a convolution without training takes over from the layers behind it.
struct fusion {
  struct layer *norm, *add, *relu; // NULL: not there
  int sum;                         // the value that is added, in place; -1: none
};
// bytes: it works on bytes, and adds bytes.
struct fusion fuse_behind(const struct net *net, const struct layer *conv, bool bytes);

// Says of all of them that their value is this one.
void fusion_take(const struct fusion *fusion, int value);

// --- maps of bytes: layer_int8.c -------------------------------------------------------------------------------------

// Whether net_options.ranges and the convolution's input let it work on bytes; fuse_behind says whether it is frozen.
bool int8_covers(const struct net *net, const struct layer *conv);

// What the bytes of its output stand for.
struct byte_map int8_map(const struct net *net, const struct layer *conv, bool nonnegative);
enum status int8_value(struct net *net, struct shape shape, struct byte_map map, int *value, struct error *error);

// Makes layer->value the map of bytes, or that of numbers, by a step more where there is none yet.
enum status int8_bytes_of(struct net *net, struct layer *layer, struct error *error);
enum status int8_numbers_of(struct net *net, struct layer *layer, struct error *error);

#endif
