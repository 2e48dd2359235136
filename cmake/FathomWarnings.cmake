# fathom_warnings(target): the warnings every file of ours is clean under.
function(fathom_warnings target)
  target_compile_options(${target} PRIVATE
    -Wall -Wextra -Wshadow $<$<COMPILE_LANGUAGE:CXX>:-Wnon-virtual-dtor> $<$<COMPILE_LANGUAGE:CXX>:-Woverloaded-virtual> -Wimplicit-fallthrough
    $<$<BOOL:${FATHOM_WERROR}>:-Werror>)
endfunction()
