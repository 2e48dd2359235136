# FATHOM_SANITIZE_THREADS: ThreadSanitizer over everything.
# FATHOM_SANITIZE: AddressSanitizer and UndefinedBehaviorSanitizer over everything, first report ends the run.
if(FATHOM_SANITIZE_THREADS)
  add_compile_options(-fsanitize=thread -fno-omit-frame-pointer)
  add_link_options(-fsanitize=thread)
  if(CMAKE_CXX_COMPILER_ID STREQUAL Clang)
    # Tests replace operator new, which the run time defines too: theirs come first.
    add_link_options(-Wl,--allow-multiple-definition)
  endif()
endif()
if(FATHOM_SANITIZE)
  add_compile_options(-fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer)
  add_link_options(-fsanitize=address,undefined)
  if(CMAKE_CXX_COMPILER_ID STREQUAL Clang)
    # C programs link the library, whose checks need the C++ part of the sanitizers' run time.
    add_link_options(-fsanitize-link-c++-runtime)
    string(APPEND CMAKE_C_STANDARD_LIBRARIES " -lstdc++ -lm")
  endif()
endif()
