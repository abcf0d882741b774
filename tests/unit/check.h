// cmocka with what it needs before it. Its macro fail() would rewrite our function of that name.
#ifndef TESTS_CHECK_H
#define TESTS_CHECK_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#undef fail
#undef fail_msg
#define fail_msg(...)                                                                                                  \
  do {                                                                                                                 \
    print_error("ERROR: " __VA_ARGS__);                                                                                \
    print_error("\n");                                                                                                 \
    _fail(__FILE__, __LINE__);                                                                                         \
  } while (0)

#endif
