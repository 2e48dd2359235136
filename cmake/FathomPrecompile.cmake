# fathom_precompile(target headers...): with FATHOM_PRECOMPILE these headers are compiled once for the target, with the standard
# headers that most files include. The presets with sanitizers use it, as half of their time goes into headers. Ordinary builds
# do without, so that a file that misses an include does not compile there.
option(FATHOM_PRECOMPILE "Precompile common headers" OFF)

function(fathom_precompile target)
  if(NOT FATHOM_PRECOMPILE)
    return()
  endif()
  target_precompile_headers(${target} PRIVATE <algorithm> <array> <cmath> <cstdint> <cstring> <functional> <memory> <optional> <span>
    <string> <string_view> <utility> <vector> ${ARGN})
  # What ccache needs to know precompiled headers by their contents (with CCACHE_SLOPPINESS=pch_defines,time_macros).
  if(CMAKE_CXX_COMPILER_ID STREQUAL Clang)
    target_compile_options(${target} PRIVATE "SHELL:-Xclang -fno-pch-timestamp")
  else()
    target_compile_options(${target} PRIVATE -fpch-preprocess)
  endif()
endfunction()
