// Configurations: loaded or refused; what was loaded is written and loaded again.
#include "config/config.h"
#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
  struct config *config = NULL;
  struct error error = {0};
  if (!config_load(&config, fuzz_file(bytes, size, ".yaml"), NULL, 0, &error)) {
    char *text = NULL;
    size_t length = 0;
    FILE *out = open_memstream(&text, &length);
    if (!out || config_write(config, out, &error) || fclose(out) != 0) abort();
    struct config *again = NULL;
    if (config_load(&again, fuzz_file((const uint8_t *)text, length, ".yaml"), NULL, 0, &error)) {
      fprintf(stderr, "%s\n%s\n", error.text, text);
      abort(); // args.yaml of a run must be a configuration
    }
    config_free(again);
    free(text);
  }
  config_free(config);
  return 0;
}
