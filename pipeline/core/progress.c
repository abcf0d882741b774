#include "core/progress.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

enum { BAR_CELLS = 20, COLUMNS_LIMIT = 200 };
static const double redraw_seconds = 0.1;

double clock_seconds(void)
{
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

static bool terminal_shows_bars(void)
{
  const char *term = getenv("TERM"), *no_color = getenv("NO_COLOR");
  return isatty(STDERR_FILENO) && term && strcmp(term, "dumb") != 0 && !(no_color && *no_color);
}

// 0 if the terminal does not tell.
static int terminal_columns(void)
{
  struct winsize size;
  return ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 ? size.ws_col : 0;
}

void progress_start(struct progress *progress, const char *label, const char *unit, uint64_t total, bool quiet)
{
  double now = clock_seconds();
  *progress = (struct progress){.label = label,
                                .unit = unit,
                                .total = total,
                                .started = now,
                                .drawn = now,
                                .bar = !quiet && terminal_shows_bars()};
}

double progress_seconds(const struct progress *progress)
{
  return clock_seconds() - progress->started;
}

// 1234567 -> "1,234,567"
static void with_commas(char out[32], uint64_t value)
{
  char digits[24];
  int length = snprintf(digits, sizeof digits, "%llu", (unsigned long long)value), put = 0;
  for (int i = 0; i < length; i++) {
    if (i > 0 && (length - i) % 3 == 0) out[put++] = ',';
    out[put++] = digits[i];
  }
  out[put] = '\0';
}

// "0:02", "12:34", "1:02:03"
static void as_time(char out[32], double seconds)
{
  unsigned long whole = seconds < 0 || seconds > 1e8 ? 0 : (unsigned long)ceil(seconds);
  if (whole >= 3600)
    snprintf(out, 32, "%lu:%02lu:%02lu", whole / 3600, whole / 60 % 60, whole % 60);
  else
    snprintf(out, 32, "%lu:%02lu", whole / 60, whole % 60);
}

static void bar_of(char out[BAR_CELLS + 3], double fraction)
{
  int full = (int)(fraction * BAR_CELLS);
  memset(out, ' ', BAR_CELLS + 2);
  out[0] = '[', out[BAR_CELLS + 1] = ']', out[BAR_CELLS + 2] = '\0';
  memset(out + 1, '=', (size_t)full);
  if (full < BAR_CELLS) out[1 + full] = '>';
}

void progress_line(const struct progress *progress, uint64_t done, double seconds, char *out, int size)
{
  double fraction = progress->total ? fmin(1, (double)done / (double)progress->total) : 0;
  double rate = seconds > 0 ? (double)done / seconds : 0;
  char bar[BAR_CELLS + 3], done_text[32], total_text[32], rate_text[32], eta[32] = "--:--";
  bar_of(bar, fraction);
  with_commas(done_text, done);
  with_commas(total_text, progress->total);
  with_commas(rate_text, (uint64_t)(rate + 0.5));
  if (done > 0) as_time(eta, (1 - fraction) * (double)progress->total / rate);
  snprintf(out, (size_t)size, "%s  %s %3.0f%%  %s/%s  %s %s/s  ETA %s", progress->label, bar, 100 * fraction, done_text,
           total_text, rate_text, progress->unit, eta);
}

// One write per redraw, so that lines of other threads come before or after it. Pads with blanks over what stood there.
static void draw(struct progress *progress)
{
  char line[COLUMNS_LIMIT + 1], output[2 * COLUMNS_LIMIT + 8];
  int columns = terminal_columns();
  int room = columns > 1 && columns <= COLUMNS_LIMIT ? columns : COLUMNS_LIMIT + 1;
  progress_line(progress, __atomic_load_n(&progress->done, __ATOMIC_RELAXED), progress_seconds(progress), line, room);
  int width = (int)strlen(line), old = progress->width < room ? progress->width : room - 1;
  int length = snprintf(output, sizeof output, "\r%s%*s", line, old > width ? old - width : 0, "");
  progress->width = width;
  if (write(STDERR_FILENO, output, (size_t)length) < 0) progress->bar = false; // the terminal has gone
}

void progress_add(struct progress *progress, uint64_t count)
{
  __atomic_add_fetch(&progress->done, count, __ATOMIC_RELAXED);
  if (!progress->bar) return;
  double drawn, now = clock_seconds();
  __atomic_load(&progress->drawn, &drawn, __ATOMIC_RELAXED);
  if (now - drawn < redraw_seconds) return;
  // Of the threads that find it time, the one whose exchange succeeds draws.
  if (__atomic_compare_exchange(&progress->drawn, &drawn, &now, false, __ATOMIC_ACQ_REL, __ATOMIC_RELAXED))
    draw(progress);
}

void progress_clear(struct progress *progress)
{
  if (!progress->bar || progress->width == 0) return;
  char output[COLUMNS_LIMIT + 8];
  int length = snprintf(output, sizeof output, "\r%*s\r", progress->width, "");
  progress->width = 0;
  if (write(STDERR_FILENO, output, (size_t)length) < 0) progress->bar = false;
}

void progress_stop(struct progress *progress)
{
  progress_clear(progress);
  progress->bar = false;
}
