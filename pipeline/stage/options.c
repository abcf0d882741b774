// A stage's command line and its help.
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/mem.h"
#include "stage/parts.h"

enum { THREADS_LIMIT = 1024, NO_OPTION = 1, OWN_OPTION = 1000 }; // NO_OPTION: getopt's, for any other argument

static const struct shared_option {
  int code; // also the index of nothing: getopt's value
  struct stage_option option;
} shared[] = {
    {'m', {"manifest", "FILE", "the manifest; its folder holds everything that is made (work/manifest.db)"}},
    {'c', {"config", "FILE", "the experiment's YAML file; without it the defaults"}},
    {'s', {"set", "KEY=VALUE", "a configuration key, over the file's; may be given often; KEY+=VALUE adds to a list"}},
    {'t', {"threads", "N", "how many threads to use (all CPUs)"}},
    {'j', {"json", NULL, "results as JSON on stdout, and behind them the closing log row"}},
    {'q', {"quiet", NULL, "no progress and no messages; warnings, errors and results only"}},
    {'h', {"help", NULL, "this text; also -h"}},
    {'C', {"help-config", NULL, "all configuration keys with range, default and meaning"}},
    {'v', {"version", NULL, "the version"}},
};
enum { SHARED_COUNT = sizeof shared / sizeof *shared };

static size_t own_count(const struct stage_definition *definition)
{
  size_t count = 0;
  while (definition->options && definition->options[count].name) count++;
  return count;
}

static void help_option(const struct stage_option *option, FILE *out)
{
  char name[64];
  snprintf(name, sizeof name, "--%s%s%s", option->name, option->argument ? " " : "",
           option->argument ? option->argument : "");
  fprintf(out, "  %-18s %s\n", name, option->help);
}

void stage_help(const struct stage_definition *definition, FILE *out)
{
  fprintf(out, "%s: %s\n\nUsage: build/stages/%s [OPTION]...\n\n", definition->name, definition->summary,
          definition->name);
  for (size_t i = 0; i < own_count(definition); i++) help_option(&definition->options[i], out);
  for (size_t i = 0; i < SHARED_COUNT; i++) help_option(&shared[i].option, out);
  fprintf(out, "\nExample:\n  %s\n", definition->example);
  fprintf(out, "\nExit status:\n"
               "  0    done, or nothing to do\n"
               "  1    failed; what was finished before is kept\n"
               "  2    bad usage or configuration\n"
               "  130  interrupted (Ctrl-C, SIGTERM); what was finished is kept, run it again to go on\n"
               "\nData goes to stdout, progress and messages to stderr.\n");
}

static enum status read_threads(int *threads, const char *text, struct error *error)
{
  char *end = NULL;
  errno = 0;
  long value = strtol(text, &end, 10);
  if (errno || end == text || *end || value < 1 || value > THREADS_LIMIT)
    return fail(error, BAD_USAGE, "--threads %s: not a number of threads; allowed: 1 to %d", text, THREADS_LIMIT);
  *threads = (int)value;
  return OK;
}

// What getopt_long refused; it is kept from printing, so that the message has our form. It tells the code of a long
// option that it knows, and the letter of a short one, of which there is none but -h.
static enum status refuse_option(int code, const char *given, struct error *error)
{
  bool known = !strncmp(given, "--", 2) && optopt;
  if (code == ':') return fail(error, BAD_USAGE, "%s needs a value", given);
  return fail(error, BAD_USAGE, known ? "%s takes no value" : "unknown option %s", given);
}

static enum status take(struct stage_options *options, int code, struct error *error)
{
  switch (code) {
  case 'm':
    options->manifest = optarg;
    return OK;
  case 'c':
    options->config = optarg;
    return OK;
  case 's':
    options->sets[options->set_count++] = optarg;
    return OK;
  case 't':
    return read_threads(&options->threads, optarg, error);
  case 'j':
    options->json = true;
    return OK;
  case 'q':
    options->quiet = true;
    return OK;
  case 'h':
    options->action = STAGE_HELP;
    return OK;
  case 'C':
    options->action = STAGE_HELP_CONFIG;
    return OK;
  case 'v':
    options->action = STAGE_VERSION;
    return OK;
  default:
    options->own[code - OWN_OPTION] = optarg ? optarg : "";
    return OK;
  }
}

// Options that stand for configuration keys become sets, after those of --set: they are checked and explained as such.
static enum status spell_keys(struct stage_options *options, const struct stage_definition *definition,
                              struct error *error)
{
  enum status status = OK;
  for (size_t i = 0; definition->option_keys && definition->option_keys[i] && !status; i++) {
    const char *key = definition->option_keys[i], *value = options->own[i];
    if (!value) continue;
    if (!definition->options[i].argument) value = "true";
    size_t size = strlen(key) + strlen(value) + 2;
    status = mem_zeroed((void **)&options->spelled[i], size, 1, "an option", error);
    if (status) return status;
    snprintf(options->spelled[i], size, "%s=%s", key, value);
    options->sets[options->set_count++] = options->spelled[i];
  }
  return status;
}

void stage_options_release(struct stage_options *options)
{
  for (size_t i = 0; i < STAGE_OPTION_LIMIT; i++) free(options->spelled[i]);
  free(options->sets);
}

enum status stage_options_read(struct stage_options *options, const struct stage_definition *definition, int argc,
                               char **argv, struct error *error)
{
  struct option table[SHARED_COUNT + STAGE_OPTION_LIMIT + 1] = {0};
  size_t own = own_count(definition), rows = 0;
  *options = (struct stage_options){.manifest = "work/manifest.db"};
  if (own > STAGE_OPTION_LIMIT) return fail(error, FAILED, "%s has too many options", definition->name);
  for (size_t i = 0; i < SHARED_COUNT; i++)
    table[rows++] = (struct option){shared[i].option.name, shared[i].option.argument != NULL, NULL, shared[i].code};
  for (size_t i = 0; i < own; i++)
    table[rows++] = (struct option){definition->options[i].name, definition->options[i].argument != NULL, NULL,
                                    OWN_OPTION + (int)i};
  enum status status = mem_zeroed((void **)&options->sets, (size_t)argc, sizeof *options->sets, "options", error);
  const char *given = argv[1], *unexpected = NULL;
  optind = 0; // glibc: start anew
  // '-': in the order given, so that argv[optind] is what comes next.
  for (int code; !status && (code = getopt_long(argc, argv, "-:h", table, NULL)) != -1; given = argv[optind]) {
    if (code == '?' || code == ':')
      status = refuse_option(code, given, error);
    else if (code == NO_OPTION)
      unexpected = unexpected ? unexpected : given;
    else
      status = take(options, code, error);
    if (options->action != STAGE_RUN) return status; // --help wins over whatever follows
  }
  if (!unexpected && optind < argc) unexpected = argv[optind]; // after --
  if (!status && unexpected) return fail(error, BAD_USAGE, "unexpected argument %s", unexpected);
  return status ? status : spell_keys(options, definition, error);
}
