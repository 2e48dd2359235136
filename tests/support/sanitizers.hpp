// Which sanitizer instruments this build, for gcc and clang alike: FATHOM_ADDRESS_SANITIZER, FATHOM_THREAD_SANITIZER.
#pragma once

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define FATHOM_ADDRESS_SANITIZER
#endif
#if __has_feature(thread_sanitizer)
#define FATHOM_THREAD_SANITIZER
#endif
#endif
#ifdef __SANITIZE_ADDRESS__
#define FATHOM_ADDRESS_SANITIZER
#endif
#ifdef __SANITIZE_THREAD__
#define FATHOM_THREAD_SANITIZER
#endif
