#include "training/results.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "core/files.h"

// --- results.csv -----------------------------------------------------------------------------------------------------

static void write_field(FILE *out, double value)
{
  if (!isnan(value)) fprintf(out, "%.9g", value);
  fputc(',', out);
}

enum status results_csv(const char *path, const struct epoch_figures *history, size_t epochs, struct error *error)
{
  struct publication file = {0};
  enum status status = publication_open(&file, path, error);
  if (status) return status;
  double time = 0;
  fputs("epoch,time,train/loss,train/accuracy,val/loss,val/accuracy,lr\n", file.stream);
  for (size_t e = 0; e < epochs; e++) {
    const struct epoch_figures *figures = &history[e];
    time += figures->seconds;
    fprintf(file.stream, "%d,%.3f,", figures->epoch, time);
    write_field(file.stream, figures->train_loss);
    write_field(file.stream, figures->train_accuracy);
    write_field(file.stream, figures->val_loss);
    write_field(file.stream, figures->val_accuracy);
    fprintf(file.stream, "%.9g\n", figures->lr);
  }
  status = publication_commit(&file, error); // a failed write is found here
  publication_discard(&file);
  return status;
}

// --- the line of an epoch --------------------------------------------------------------------------------------------

void results_epoch_line(char *out, size_t size, const struct epoch_figures *figures, int epochs, bool best,
                        bool averaged)
{
  char validation[128] = "";
  if (!isnan(figures->val_accuracy))
    snprintf(validation, sizeof validation, "  val loss %.3f  val accuracy %.4f%s%s", figures->val_loss,
             figures->val_accuracy, best ? " best" : "", averaged ? " (averaged weights)" : "");
  snprintf(out, size, "epoch %d/%d  loss %.3f  accuracy %.4f%s  %.0f images/s  %.1f s", figures->epoch, epochs,
           figures->train_loss, figures->train_accuracy, validation, figures->images_per_second, figures->seconds);
}

// --- the model -------------------------------------------------------------------------------------------------------

// 656733 as "656,733".
static const char *grouped(size_t number, char out[32])
{
  char digits[24];
  int length = snprintf(digits, sizeof digits, "%zu", number), at = 0;
  for (int i = 0; i < length; i++) {
    if (i && (length - i) % 3 == 0) out[at++] = ',';
    out[at++] = digits[i];
  }
  out[at] = '\0';
  return out;
}

static void write_shape(char *out, size_t size, struct shape shape)
{
  if (shape.h == 1 && shape.w == 1)
    snprintf(out, size, "(%d)", shape.c);
  else
    snprintf(out, size, "(%d, %d, %d)", shape.h, shape.w, shape.c);
}

// The names of a layer's inputs, unless it simply takes the layer before it.
static void write_inputs(char *out, size_t size, const struct net *net, size_t index, const struct layer_summary *layer)
{
  *out = '\0';
  if (layer->input_count < 1 || (layer->input_count == 1 && layer->inputs[0] == (int)index - 1)) return;
  size_t used = 0;
  for (int i = 0; i < layer->input_count && used < size; i++) {
    const char *name = layer->inputs[i] >= 0 ? net_layer(net, (size_t)layer->inputs[i]).name : "input";
    int length = snprintf(out + used, size - used, "%s%s", i ? ", " : "from ", name);
    used += length > 0 ? (size_t)length : 0;
  }
}

void results_summary(FILE *out, const struct net *net)
{
  char shape[48], inputs[96], number[32];
  size_t total = 0;
  fprintf(out, "%-16s %-18s %-18s %12s\n", "layer", "kind", "output", "parameters");
  for (size_t i = 0; i < net_layer_count(net); i++) {
    struct layer_summary layer = net_layer(net, i);
    write_shape(shape, sizeof shape, layer.output);
    write_inputs(inputs, sizeof inputs, net, i, &layer);
    fprintf(out, "%-16s %-18s %-18s %12s%s%s\n", layer.name, layer.kind, shape, grouped(layer.parameters, number),
            *inputs ? "  " : "", inputs);
    total += layer.parameters;
  }
  fprintf(out, "%-16s %-18s %-18s %12s\n", "total", "", "", grouped(total, number));
}

// --- the machine -----------------------------------------------------------------------------------------------------

// The CPU's name as Linux has it; aarch64 has none there, and then it is the machine's.
static void cpu_name(char *out, size_t size, const char *machine)
{
  char line[256];
  snprintf(out, size, "%s", machine);
  FILE *file = fopen("/proc/cpuinfo", "re");
  if (!file) return;
  while (fgets(line, sizeof line, file)) {
    char *value = strchr(line, ':');
    if (strncmp(line, "model name", 10) != 0 || !value) continue;
    value += 1 + strspn(value + 1, " \t");
    snprintf(out, size, "%.*s", (int)strcspn(value, "\n"), value);
    break;
  }
  (void)fclose(file); // it was only read
}

void results_host(char *out, size_t size)
{
  struct utsname name = {0};
  char cpu[256];
  uname(&name);
  cpu_name(cpu, sizeof cpu, name.machine);
  snprintf(out, size, "%s, %ld CPUs, %s %s %s", cpu, sysconf(_SC_NPROCESSORS_ONLN), name.sysname, name.release,
           name.machine);
}
