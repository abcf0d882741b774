// What a stage tells: lines on stderr, and what its log row will say.
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "stage/parts.h"

// --- lines on stderr -----------------------------------------------------------------------------------------------

static void say(struct stage *stage, const char *prefix, const char *format, va_list arguments)
{
  char text[2 * STAGE_TEXT_LIMIT];
  vsnprintf(text, sizeof text, format, arguments);
  if (stage->progress_on) progress_clear(&stage->progress);
  fprintf(stderr, "%s%s\n", prefix, text);
}

void stage_say(struct stage *stage, const char *format, ...)
{
  if (stage->options.quiet) return;
  va_list arguments;
  va_start(arguments, format);
  say(stage, "", format, arguments);
  va_end(arguments);
}

void stage_warn(struct stage *stage, const char *format, ...)
{
  char prefix[64];
  snprintf(prefix, sizeof prefix, "%s: warning: ", stage->definition->name);
  va_list arguments;
  va_start(arguments, format);
  say(stage, prefix, format, arguments);
  va_end(arguments);
}

struct progress *stage_progress(struct stage *stage, const char *unit, uint64_t total)
{
  if (stage->progress_on) progress_stop(&stage->progress);
  progress_start(&stage->progress, stage->definition->name, unit, total, stage->options.quiet);
  stage->progress_on = true;
  return &stage->progress;
}

// --- for the log row -----------------------------------------------------------------------------------------------

void stage_subject(struct stage *stage, const char *subject)
{
  snprintf(stage->subject, sizeof stage->subject, "%s", subject);
}

void stage_count(struct stage *stage, uint64_t images, double seconds)
{
  stage->images += images;
  stage->seconds += seconds;
  stage->counted = true;
}

void stage_resumes(struct stage *stage, const char *what)
{
  snprintf(stage->resumed, sizeof stage->resumed, "%s", what);
  stage_say(stage, "%s: goes on at %s", stage->definition->name, what);
}

void stage_forget_count(struct stage *stage)
{
  stage->images = 0;
  stage->seconds = 0;
  stage->counted = false;
}

void stage_runs_for(struct stage *stage, const char *why)
{
  snprintf(stage->why, sizeof stage->why, "%s", why);
  stage_say(stage, "%s: runs because %s", stage->definition->name, why);
}

void stage_up_to_date(struct stage *stage, const char *what)
{
  snprintf(stage->why, sizeof stage->why, "up to date");
  stage_say(stage, "%s: up to date: %s", stage->definition->name, what);
}

void stage_number(uint64_t number, char out[STAGE_NUMBER_LIMIT])
{
  char digits[STAGE_NUMBER_LIMIT];
  int length = snprintf(digits, sizeof digits, "%llu", (unsigned long long)number), used = 0;
  for (int i = 0; i < length; i++) {
    if (i && (length - i) % 3 == 0) out[used++] = ',';
    out[used++] = digits[i];
  }
  out[used] = '\0';
}
