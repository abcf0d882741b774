#include "settings.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "samples.h"

static bool number(const char *text, int most, int *out)
{
  char *end;
  long given = strtol(text, &end, 10);
  *out = (int)given;
  return *text && !*end && given >= 1 && given <= most;
}

static const struct option *find(const struct option *options, size_t count, const char *name)
{
  for (size_t i = 0; i < count; i++)
    if (strcmp(options[i].name, name) == 0) return &options[i];
  return NULL;
}

bool settings_parse(struct settings *settings, const struct option *more, size_t more_count, int argc, char **argv)
{
  const struct option common[] = {{.name = "--ours", .text = &settings->programs[OURS]},
                                  {.name = "--torch", .text = &settings->programs[TORCH]},
                                  {.name = "--onnxruntime", .text = &settings->programs[ONNXRUNTIME]},
                                  {.name = "--manifest", .text = &settings->manifest},
                                  {.name = "--isa", .text = &settings->isa},
                                  {.name = "--threads", .count = &settings->threads, .most = 4096},
                                  {.name = "--rounds", .count = &settings->rounds, .most = ROUNDS_LIMIT},
                                  {.name = "--seconds", .count = &settings->seconds, .most = 3600}};
  for (int i = 1; i < argc; i++) {
    const struct option *option = find(common, sizeof common / sizeof *common, argv[i]);
    if (!option) option = find(more, more_count, argv[i]);
    if (!option || (!option->flag && ++i == argc)) return false;
    if (option->flag)
      *option->flag = true;
    else if (option->text)
      *option->text = argv[i];
    else if (!number(argv[i], option->most, option->count))
      return false;
  }
  return true;
}

enum status settings_cap(const struct settings *settings, struct error *error)
{
  if (!settings->isa) return OK;
  if (setenv("ONEDNN_MAX_CPU_ISA", settings->isa, 1) ||
      (strcmp(settings->isa, "AVX2") == 0 && setenv("ATEN_CPU_CAPABILITY", "avx2", 1)))
    return fail_errno(error, "cannot cap the instruction set");
  printf("capped at %s; onnxruntime is left out: it cannot be capped\n", settings->isa);
  return OK;
}

void warn_of_load(void)
{
  double load;
  if (getloadavg(&load, 1) == 1 && load > 0.5)
    printf("other programs are running (load %.1f): the figures are lower and less certain than on a quiet machine\n",
           load);
}

int settings_end(const char *name, enum status status, struct error *error)
{
  if (!status && (fflush(stdout) || ferror(stdout))) status = fail(error, FAILED, "cannot write to stdout");
  if (status) fprintf(stderr, "%s: %s\n", name, error->text);
  return status == OK ? 0 : status == BAD_USAGE ? 2 : 1;
}
