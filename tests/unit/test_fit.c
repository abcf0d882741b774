// The training loop: an interruption at any place changes no bit, the best epoch is the best, patience runs
// out when it should.
#include <math.h>
#include <unistd.h>

#include "tiny_training.h"

enum { IMAGES = 18, VALIDATION = 7, EPOCHS = 3, NEVER = 1 << 30 };

// A training with its checkpoints in a folder, stopped after so many steps and batches of validation.
struct training {
  char folder[64];
  struct checkpoint_state state;
  int countdown; // batches until the stop
  int best_calls, epoch_calls;
  struct epoch_figures last;
};

static enum status save(struct training *training, struct tiny *tiny, const struct fit_progress *progress,
                        struct error *error)
{
  struct checkpoint_subject subject = tiny_subject();
  training->state.progress = *progress;
  for (size_t p = 0; p < net_parameter_count(tiny->net); p++)
    for (size_t i = 0; i < net_parameter(tiny->net, p)->count; i++)
      assert_true(isfinite(net_parameter(tiny->net, p)->value[i]));
  return checkpoint_save(tiny_path(training->folder, "last.safetensors"), tiny->net, tiny->optimizer, &subject,
                         &training->state, error);
}

struct context {
  struct training *training;
  struct tiny *tiny;
};

static enum status on_epoch(void *self, const struct epoch_figures *figures, bool best,
                            const struct fit_progress *progress, struct error *error)
{
  struct context *context = self;
  struct training *training = context->training;
  assert_int_equal(figures->epoch, progress->epoch);
  assert_int_equal(best, progress->best_epoch == figures->epoch);
  training->epoch_calls++;
  training->best_calls += best;
  training->last = *figures;
  struct epoch_figures *longer =
      realloc(training->state.history, (size_t)progress->epoch * sizeof *training->state.history);
  assert_non_null(longer);
  training->state.history = longer;
  longer[progress->epoch - 1] = *figures;
  return save(training, context->tiny, progress, error);
}

static enum status on_checkpoint(void *self, const struct fit_progress *progress, struct error *error)
{
  struct context *context = self;
  return save(context->training, context->tiny, progress, error);
}

static void on_batch(void *self, size_t images)
{
  struct context *context = self;
  assert_true(images >= 1 && images <= TINY_BATCH);
  context->training->countdown--;
}

static bool on_stop(void *self)
{
  struct context *context = self;
  return context->training->countdown <= 0;
}

static struct fit_options options_of(int epochs)
{
  return (struct fit_options){
      .epochs = epochs,
      .batch = TINY_BATCH,
      .threads = 1,
      .seed = 11,
      .schedule = {.kind = SCHEDULE_COSINE, .lr = 0.01f, .final_lr = 0.001f, .epochs = EPOCHS, .warmup_epochs = 1},
  };
}

// Trains on from *progress with this tiny.
static enum status train(struct training *training, struct tiny *tiny, const struct fit_options *options,
                         struct fit_progress *progress, struct error *error)
{
  int32_t labels[IMAGES], validation_labels[VALIDATION];
  struct fit_data data = tiny_data(labels, IMAGES), validation = tiny_data(validation_labels, VALIDATION);
  struct context context = {training, tiny};
  struct fit_callbacks callbacks = {&context, on_epoch, on_checkpoint, on_batch, on_batch, on_stop};
  return fit(tiny->net, tiny->optimizer, &data, &validation, options, progress, &callbacks, error);
}

static void start(struct training *training, int countdown)
{
  *training = (struct training){.countdown = countdown};
  tiny_folder(training->folder);
}

static void finish(struct training *training)
{
  checkpoint_state_release(&training->state);
  unlink(tiny_path(training->folder, "last.safetensors"));
  assert_int_equal(rmdir(training->folder), 0);
}

// A whole training; its weights' digest and best epoch.
static void train_whole(int threads, char digest[DIGEST_TEXT], struct fit_progress *progress)
{
  struct training training;
  struct tiny tiny = tiny_new_with(OPTIMIZER_ADAM, threads);
  struct fit_options options = options_of(EPOCHS);
  options.threads = threads;
  *progress = (struct fit_progress){0};
  start(&training, NEVER);
  must(train(&training, &tiny, &options, progress, error));
  tiny_digest(&tiny, digest);
  assert_int_equal(training.epoch_calls, EPOCHS);
  finish(&training);
  tiny_free(&tiny);
}

static void test_same_bits_when_repeated_and_for_any_threads(void **state)
{
  (void)state;
  char once[DIGEST_TEXT], again[DIGEST_TEXT];
  struct fit_progress a, b;
  train_whole(1, once, &a);
  for (int threads = 1; threads <= 4; threads++) {
    train_whole(threads, again, &b);
    assert_string_equal(once, again);
    assert_memory_equal(&a.best_val_loss, &b.best_val_loss, sizeof(double));
  }
  assert_int_equal(a.step, EPOCHS * 5); // 18 images in batches of 4: the last has 2
  assert_int_equal(a.batches, 0);
}

// Stopped after `countdown` batches, of training or validation, and resumed by another net from the file.
static void resume_after(int countdown, const char *whole, const struct fit_progress *expected)
{
  struct training training;
  struct tiny first = tiny_new(), second = tiny_new();
  struct fit_options options = options_of(EPOCHS);
  struct fit_progress progress = {0};
  struct error why = {0};
  struct checkpoint_subject subject = tiny_subject();
  start(&training, countdown);
  assert_int_equal(train(&training, &first, &options, &progress, &why), INTERRUPTED);
  tiny_free(&first);

  checkpoint_state_release(&training.state);
  must(checkpoint_load(tiny_path(training.folder, "last.safetensors"), second.net, second.optimizer, &subject,
                       &training.state, error));
  training.countdown = NEVER;
  progress = training.state.progress;
  must(train(&training, &second, &options, &progress, error));
  char digest[DIGEST_TEXT];
  tiny_digest(&second, digest);
  assert_string_equal(digest, whole);
  assert_int_equal(progress.best_epoch, expected->best_epoch);
  assert_true(progress.best_val_loss == expected->best_val_loss);
  assert_int_equal(progress.step, expected->step);
  tiny_free(&second);
  finish(&training);
}

static void test_resume_at_every_batch_gives_the_same_bits(void **state)
{
  (void)state;
  char whole[DIGEST_TEXT];
  struct fit_progress expected;
  train_whole(1, whole, &expected);
  // An epoch has 5 batches of training and 2 of validation; a stop after any of them counts.
  for (int countdown = 1; countdown <= EPOCHS * 7; countdown++) resume_after(countdown, whole, &expected);
}

static void test_it_learns(void **state)
{
  (void)state;
  struct training training;
  struct tiny tiny = tiny_new();
  struct fit_options options = options_of(30);
  options.schedule = (struct schedule){.kind = SCHEDULE_CONSTANT, .lr = 0.01f};
  struct fit_progress progress = {0};
  start(&training, NEVER);
  must(train(&training, &tiny, &options, &progress, error));
  assert_true(training.last.val_accuracy == 1);
  assert_true(training.last.train_loss < training.state.history[0].train_loss / 2);
  assert_true(training.last.images_per_second > 0 && training.last.seconds > 0);
  finish(&training);
  tiny_free(&tiny);
}

static void test_patience_runs_out_also_after_a_resume(void **state)
{
  (void)state;
  struct training training;
  struct tiny tiny = tiny_new();
  struct fit_options options = options_of(50);
  options.schedule = (struct schedule){.kind = SCHEDULE_CONSTANT, .lr = 0}; // nothing changes: nothing gets better
  options.patience = 3;
  struct fit_progress progress = {0};
  start(&training, NEVER);
  must(train(&training, &tiny, &options, &progress, error));
  assert_int_equal(progress.best_epoch, 1);
  assert_int_equal(progress.epoch, 4);
  assert_int_equal(training.best_calls, 1);
  must(train(&training, &tiny, &options, &progress, error)); // patience is out still
  assert_int_equal(progress.epoch, 4);
  progress.epoch = 2; // as if resumed two epochs earlier
  must(train(&training, &tiny, &options, &progress, error));
  assert_int_equal(progress.epoch, 4);
  finish(&training);
  tiny_free(&tiny);
}

static void test_learning_rate_of_an_epoch_is_its_last_steps(void **state)
{
  (void)state;
  struct training training;
  struct tiny tiny = tiny_new();
  struct fit_options options = options_of(EPOCHS);
  struct fit_progress progress = {0};
  start(&training, NEVER);
  must(train(&training, &tiny, &options, &progress, error));
  for (int e = 0; e < EPOCHS; e++)
    assert_true(training.state.history[e].lr == schedule_lr(&options.schedule, (uint64_t)(e + 1) * 5 - 1, 5));
  assert_true(training.state.history[2].lr < training.state.history[1].lr);
  finish(&training);
  tiny_free(&tiny);
}

static void test_divergence_is_an_error_that_says_what_to_try(void **state)
{
  (void)state;
  struct training training;
  struct tiny tiny = tiny_new_with(OPTIMIZER_SGD, 1);
  struct fit_options options = options_of(40);
  options.schedule = (struct schedule){.kind = SCHEDULE_CONSTANT, .lr = 1e20f};
  struct fit_progress progress = {0};
  struct error why = {0};
  start(&training, NEVER);
  assert_int_equal(train(&training, &tiny, &options, &progress, &why), FAILED);
  assert_non_null(strstr(why.text, "learning rate"));
  finish(&training);
  tiny_free(&tiny);
}

static void test_a_loss_that_is_not_finite_names_one_step(void **state)
{
  (void)state;
  struct training training;
  struct tiny tiny = tiny_new();
  struct fit_options options = options_of(1);
  struct fit_progress progress = {0};
  struct error why = {0};
  start(&training, NEVER);
  for (size_t p = 1; p <= 2; p++) // conv1/bias, predictions/kernel
    for (size_t i = 0; i < net_parameter(tiny.net, p)->count; i++) net_parameter(tiny.net, p)->value[i] = 1e25f;
  net_parameters_changed(tiny.net);
  assert_int_equal(train(&training, &tiny, &options, &progress, &why), FAILED);
  if (!strstr(why.text, "epoch 1, step 1: tiny: the loss is")) fail_msg("%s", why.text);
  finish(&training);
  tiny_free(&tiny);
}

static void test_labels_beyond_the_classes_are_refused(void **state)
{
  (void)state;
  struct tiny tiny = tiny_new();
  int32_t labels[2];
  struct fit_data data = tiny_data(labels, 2);
  labels[1] = TINY_CLASSES;
  struct fit_options options = options_of(1);
  struct fit_progress progress = {0};
  struct error why = {0};
  assert_int_equal(fit(tiny.net, tiny.optimizer, &data, NULL, &options, &progress, &(struct fit_callbacks){0}, &why),
                   BAD_DATA);
  assert_non_null(strstr(why.text, "label 3"));
  tiny_free(&tiny);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_same_bits_when_repeated_and_for_any_threads),
      cmocka_unit_test(test_resume_at_every_batch_gives_the_same_bits),
      cmocka_unit_test(test_it_learns),
      cmocka_unit_test(test_patience_runs_out_also_after_a_resume),
      cmocka_unit_test(test_learning_rate_of_an_epoch_is_its_last_steps),
      cmocka_unit_test(test_divergence_is_an_error_that_says_what_to_try),
      cmocka_unit_test(test_a_loss_that_is_not_finite_names_one_step),
      cmocka_unit_test(test_labels_beyond_the_classes_are_refused),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
