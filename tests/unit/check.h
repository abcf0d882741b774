// cmocka with what it needs before it. Its macro fail() would rewrite our function of that name.
#ifndef TESTS_CHECK_H
#define TESTS_CHECK_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include "core/status.h"

#include <cmocka.h>

#undef fail
#undef fail_msg
#define fail_msg(...)                                                                                                  \
  do {                                                                                                                 \
    print_error("ERROR: " __VA_ARGS__);                                                                                \
    print_error("\n");                                                                                                 \
    _fail(__FILE__, __LINE__);                                                                                         \
  } while (0)

// Fails with the message of a call that may not fail; its last argument is called `error`.
#define must(call)                                                                                                     \
  do {                                                                                                                 \
    struct error must_error = {0};                                                                                     \
    struct error *error = &must_error;                                                                                 \
    if ((call) != OK) fail_msg("%s: %s", #call, must_error.text);                                                      \
  } while (0)

#endif
