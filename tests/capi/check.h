/* Checks for test programs in C: a failure is printed, with fathom's last error, and counted. */
#ifndef FATHOM_TESTS_CAPI_CHECK_H
#define FATHOM_TESTS_CAPI_CHECK_H

#include <fathom.h>
#include <stdio.h>
#include <string.h>

static int failures = 0;

#define CHECK(condition)                                                                             \
  do {                                                                                               \
    if (!(condition)) {                                                                              \
      printf("%s:%d: %s   (last error: %s)\n", __FILE__, __LINE__, #condition, fathom_last_error()); \
      ++failures;                                                                                    \
    }                                                                                                \
  } while (0)

#define CHECK_OK(call) CHECK((call) == FATHOM_OK)

/* The call fails with this status and says why. */
#define CHECK_FAILS(wanted, call)                 \
  do {                                            \
    const int32_t got = (call);                   \
    CHECK(got == (wanted));                       \
    CHECK(strlen(fathom_last_error()) > 0);       \
    if (got != (wanted)) printf("got %d\n", got); \
  } while (0)

/* What a test program ends with. */
static inline int report_checks(void) {
  printf("%s\n", failures == 0 ? "all is well" : "FAILED");
  return failures == 0 ? 0 : 1;
}

#endif
