# FATHOM_SANITIZE: AddressSanitizer and UndefinedBehaviorSanitizer over everything, first report ends the run.
if(FATHOM_SANITIZE)
  add_compile_options(-fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer)
  add_link_options(-fsanitize=address,undefined)
endif()
