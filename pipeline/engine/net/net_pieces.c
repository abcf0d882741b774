// Gradients that are made in pieces while an optimizer consumes them.
#include "core/mem.h"
#include "engine/net/net_parts.h"

size_t pieces_scratch(const struct op *op)
{
  return op->pieces ? mem_whole(op->scratch_bytes) + op->piece_floats * sizeof(float) : op->scratch_bytes;
}

// The step that makes this parameter's gradient in pieces, or NULL.
static const struct step *step_of(const struct net *net, size_t parameter)
{
  for (size_t s = 0; s < net->step_count; s++)
    if (net->steps[s].op->pieces && net->steps[s].first_parameter == parameter) return &net->steps[s];
  return NULL;
}

struct net_pieces net_pieces_of(const struct net *net, size_t parameter)
{
  const struct step *step = net->parameters[parameter].trainable ? step_of(net, parameter) : NULL;
  return step ? (struct net_pieces){step->op->pieces, step->op->piece_floats} : (struct net_pieces){0};
}

// The batch of the last net_train: what is read behind it lies in the store, where nothing has followed it.
static struct op_batch batch_of(const struct net *net, const struct step *step, int thread)
{
  const struct value *x = &net->values[step->inputs[0]];
  return (struct op_batch){.n = net->trained,
                           .x = net->store + x->offset * (size_t)net->options.batch,
                           .training = true,
                           .scratch = net->workers[thread].scratch,
                           .thread = thread};
}

bool net_pieces_bounded(const struct net *net, size_t parameter)
{
  const struct step *step = step_of(net, parameter);
  const struct op_batch batch = batch_of(net, step, 0);
  return step->op->kind->bounded(step->op, &batch);
}

const float *net_piece_gradient(const struct net *net, size_t parameter, size_t piece, int thread)
{
  const struct step *step = step_of(net, parameter);
  const struct op_batch batch = batch_of(net, step, thread);
  float *gradient = (float *)(void *)((unsigned char *)batch.scratch + mem_whole(step->op->scratch_bytes));
  step->op->kind->piece_gradient(step->op, &batch, piece, gradient);
  return gradient;
}

void net_piece_stepped(struct net *net, size_t parameter, size_t piece)
{
  const struct step *step = step_of(net, parameter);
  step->op->kind->pack_piece(step->op, piece, net->parameters[parameter].value + piece * step->op->piece_floats);
}

int net_threads(const struct net *net)
{
  return net->options.threads;
}
