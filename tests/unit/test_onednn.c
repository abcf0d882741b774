// What oneDNN says, and what the engine makes of it. This file brings its own of some of oneDNN's functions, which the
// linker takes instead of the library's.
#include <dlfcn.h>
#include <dnnl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "engine/kernels/kernels.h"
#include "engine/net/net.h"
#include "engine/ops/native.h"
#include "models/seed_cnn.h"

#include <cmocka.h> // last: it has a macro called fail

static dnnl_cpu_isa_t isa = dnnl_cpu_isa_all; // what the CPU is said to have; all: what it has
static atomic_long allowed;                   // executions before one is refused

static void *of_library(const char *name)
{
  void *function = dlsym(RTLD_NEXT, name);
  assert_non_null(function);
  return function;
}

dnnl_cpu_isa_t dnnl_get_effective_cpu_isa(void)
{
  dnnl_cpu_isa_t (*real)(void);
  *(void **)&real = of_library("dnnl_get_effective_cpu_isa");
  return isa == dnnl_cpu_isa_all ? real() : isa;
}

dnnl_status_t dnnl_primitive_execute(const_dnnl_primitive_t primitive, dnnl_stream_t stream, int nargs,
                                     const dnnl_exec_arg_t *args)
{
  dnnl_status_t (*real)(const_dnnl_primitive_t, dnnl_stream_t, int, const dnnl_exec_arg_t *);
  *(void **)&real = of_library("dnnl_primitive_execute");
  return allowed-- == 0 ? dnnl_out_of_memory : real(primitive, stream, nargs, args);
}

// A CPU may have bf16 for oneDNN (Cooper Lake) and lack what our kernels need beside it.
static void bf16_is_supported_where_there_are_kernels_for_it(void **state)
{
  (void)state;
  static const dnnl_cpu_isa_t with_bf16[] = {dnnl_cpu_isa_avx512_core_bf16, dnnl_cpu_isa_avx512_core_amx};
  for (int i = 0; i < 2; i++) {
    isa = with_bf16[i];
    assert_int_equal(net_precision_supported(NET_BF16), kernels_select(DTYPE_BF16, NULL) != NULL);
    assert_int_equal(net_precision_supported(NET_BF16), native_kernels(DTYPE_BF16) != NULL);
  }
  isa = dnnl_cpu_isa_avx512_core;
  assert_false(net_precision_supported(NET_BF16));
  assert_true(net_precision_supported(NET_FP32));
  isa = dnnl_cpu_isa_all;
}

// --- refusals --------------------------------------------------------------------------------------------------------

enum { SIDE = 8, IMAGES = 2, CLASSES = 3, LAYERS_LIMIT = 16 };

static void fetch(void *self, size_t index, void *pixels)
{
  (void)self;
  for (size_t i = 0; i < SIDE * SIDE * 3; i++) ((uint8_t *)pixels)[i] = (uint8_t)(i * 7 + index);
}

static const struct net_input input = {NULL, fetch};

static struct net *planned(struct net *net, const struct net_options *options)
{
  struct error error = {0};
  assert_non_null(net);
  if (net_plan(net, options, &error)) fail_msg("%s", error.text);
  net_initialise(net, 1);
  return net;
}

// Two convolutions with batch norms, frozen: the second works on bytes, where there are ranges.
static struct net *bytes_net(void)
{
  struct net *net = net_new("bytes", (struct shape){SIDE, SIDE, 3}, DTYPE_U8);
  int x = net_rescale(net, "rescale", NET_INPUT, 1 / 255.0f);
  const char *const names[2][3] = {{"conv1", "bn1", "relu1"}, {"conv2", "bn2", "relu2"}};
  for (int i = 0; i < 2; i++) {
    x = net_conv2d(net, names[i][0], x, &(struct conv2d){.filters = 16, .kernel = 3, .stride = 1});
    x = net_batch_norm(net, names[i][1], x, &(struct batch_norm){.epsilon = 1e-3f, .momentum = 0.9f});
    x = net_relu(net, names[i][2], x);
  }
  net_flatten(net, "flatten", x);
  return net;
}

static enum status run(struct net *net, bool training, struct error *error)
{
  const int32_t labels[IMAGES] = {0, 2};
  float logits[4 * 4 * 16 * IMAGES];
  double loss;
  if (!training) return net_infer(net, &input, IMAGES, logits, error);
  return net_train(net, &input, &(struct net_target){.labels = labels}, IMAGES, 1, &loss, logits, error);
}

// Each execution of a pass in turn, then each reorder of weights; after them the net works as before.
static void check_refusals(struct net *net, bool training, long least)
{
  struct error error = {0};
  long refusals = 0;
  for (;; refusals++) {
    allowed = refusals;
    enum status status = run(net, training, &error);
    if (status == OK) break;
    assert_int_equal(status, OUT_OF_MEMORY);
    assert_non_null(strstr(error.text, "memory"));
  }
  assert_true(refusals >= least);
  for (refusals = 0;; refusals++) {
    allowed = refusals;
    net_parameters_changed(net);
    bool all = allowed >= 0;
    allowed = -1;
    enum status status = run(net, training, &error);
    assert_int_equal(status, all ? OK : FAILED);
    if (all) break;
    assert_non_null(strstr(error.text, "refused to pack the weights of layer"));
  }
  assert_true(refusals >= 1);
  net_free(net);
}

static void what_onednn_refuses_is_told(void **state)
{
  (void)state;
  struct net_options options = {.kernels = KERNELS_ONEDNN, .threads = 2, .batch = IMAGES, .training = true};
  allowed = -1;
  check_refusals(planned(seed_cnn((struct shape){SIDE, SIDE, 3}, CLASSES, 0.3f), &options), true, 20);

  float ranges[LAYERS_LIMIT];
  for (int i = 0; i < LAYERS_LIMIT; i++) ranges[i] = 4;
  options.training = false;
  options.ranges = ranges;
  allowed = -1;
  check_refusals(planned(bytes_net(), &options), false, 4 * IMAGES);
}

int main(void)
{
  const struct CMUnitTest tests[] = {cmocka_unit_test(bf16_is_supported_where_there_are_kernels_for_it),
                                     cmocka_unit_test(what_onednn_refuses_is_told)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
