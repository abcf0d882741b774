#include "samples.h"

#include <stdio.h>
#include <string.h>

#include "median.h"

enum status samples_take(struct samples *samples, const char *program, const struct conditions *under,
                         struct error *error)
{
  struct measured measured;
  enum status status = measure_under(program, under, &measured, error);
  if (!status && !measured.missing && !(measured.images_per_second > 0))
    status = fail(error, FAILED, "%s %s: printed no rate", program, under->task);
  if (!status && !measured.missing) {
    snprintf(samples->name, sizeof samples->name, "%s", measured.name);
    samples->peaks[samples->count] = measured.peak_mib;
    samples->rates[samples->count++] = measured.images_per_second;
  }
  measured_release(&measured);
  return status;
}

static double median_of(const double *values, size_t count)
{
  double sorted[ROUNDS_LIMIT];
  memcpy(sorted, values, count * sizeof *values);
  return median(sorted, count);
}

double samples_rate(const struct samples *samples)
{
  return median_of(samples->rates, samples->count);
}

double samples_peak(const struct samples *samples)
{
  return median_of(samples->peaks, samples->count);
}
