# FATHOM_SANITIZE_THREADS: ThreadSanitizer over everything.
# FATHOM_SANITIZE: AddressSanitizer and UndefinedBehaviorSanitizer over everything, first report ends the run.
if(FATHOM_SANITIZE_THREADS)
  add_compile_options(-fsanitize=thread -fno-omit-frame-pointer)
  add_link_options(-fsanitize=thread)
endif()
if(FATHOM_SANITIZE)
  add_compile_options(-fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer)
  add_link_options(-fsanitize=address,undefined)
endif()
