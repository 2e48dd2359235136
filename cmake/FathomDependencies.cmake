# Defines fathom_dep::eigen, ::fmt, ::simdjson, ::pcre2, ::utf8proc and, where it can be had, ::onednn; sets FATHOM_HAVE_ONEDNN.
#
# Each is looked for in FATHOM_DEPS_PREFIX, which dependencies.sh makes, and then in the system. The libraries are static and
# their symbols stay inside ours, so that a program with its own copy of one of them, perhaps of another version, does not clash.

option(FATHOM_ONEDNN "Use oneDNN's ukernels for matrix products where they can be found" ON)

# The newest finished prefix, so that a plain `cmake` works after dependencies.sh.
# Not cached: a later run of dependencies.sh with newer settings is then taken up by the next configuration.
set(FATHOM_DEPS_PREFIX "" CACHE PATH "Folder printed by cmake/dependencies.sh; empty: the newest one in the default place")
set(_fathom_prefix "${FATHOM_DEPS_PREFIX}")
if(NOT _fathom_prefix AND DEFINED ENV{FATHOM_DEPS_PREFIX})
  set(_fathom_prefix "$ENV{FATHOM_DEPS_PREFIX}")
endif()
if(NOT _fathom_prefix)
  if(DEFINED ENV{XDG_CACHE_HOME} AND NOT "$ENV{XDG_CACHE_HOME}" STREQUAL "")
    set(_fathom_cache "$ENV{XDG_CACHE_HOME}")
  else()
    set(_fathom_cache "$ENV{HOME}/.cache")
  endif()
  set(_fathom_newest "")
  file(GLOB _fathom_markers "${_fathom_cache}/fathom/deps/*/fathom-deps.txt")
  foreach(_fathom_marker IN LISTS _fathom_markers)
    file(TIMESTAMP "${_fathom_marker}" _fathom_time "%Y%m%d%H%M%S" UTC)
    if(_fathom_time STRGREATER _fathom_newest)
      set(_fathom_newest "${_fathom_time}")
      get_filename_component(_fathom_prefix "${_fathom_marker}" DIRECTORY)
    endif()
  endforeach()
elseif(NOT EXISTS "${_fathom_prefix}/fathom-deps.txt")
  message(FATAL_ERROR "FATHOM_DEPS_PREFIX is ${_fathom_prefix}, which holds no finished build of the dependencies. "
    "Run cmake/dependencies.sh and pass the folder it prints.")
endif()
if(_fathom_prefix)
  message(STATUS "fathom: dependencies from ${_fathom_prefix}")
endif()

function(_fathom_missing what)
  message(FATAL_ERROR "fathom needs ${what}, which is not here. Run cmake/dependencies.sh; it installs or builds what is missing.")
endfunction()

# _fathom_static_library(NAME ARCHIVE HEADER WHAT): fathom_dep::NAME from one archive and the folder of its header.
function(_fathom_static_library name archive header what)
  if(_fathom_prefix AND EXISTS "${_fathom_prefix}/lib/${archive}")
    set(library "${_fathom_prefix}/lib/${archive}")
    set(include "${_fathom_prefix}/include")
  else()
    find_library(library ${archive} NO_CACHE)
    find_path(include ${header} NO_CACHE)
    if(NOT library OR NOT include)
      _fathom_missing("${what}")
    endif()
  endif()
  add_library(fathom_dep::${name} STATIC IMPORTED)
  set_target_properties(fathom_dep::${name} PROPERTIES
    IMPORTED_LOCATION "${library}"
    INTERFACE_INCLUDE_DIRECTORIES "${include}")
  if(NOT APPLE AND NOT WIN32)
    target_link_options(fathom_dep::${name} INTERFACE "LINKER:--exclude-libs,${archive}")
  endif()
endfunction()

# Eigen: headers only. The define keeps out its few parts under another licence than MPL 2.
find_package(Eigen3 3.4 CONFIG QUIET)
if(NOT TARGET Eigen3::Eigen)
  _fathom_missing("Eigen 3.4")
endif()
add_library(fathom_dep::eigen INTERFACE IMPORTED)
target_link_libraries(fathom_dep::eigen INTERFACE Eigen3::Eigen)
target_compile_definitions(fathom_dep::eigen INTERFACE EIGEN_MPL2_ONLY)

# fmt: compiled once, as its headers alone would be compiled into every file; what Debian has compiled is a shared library
if(_fathom_prefix AND EXISTS "${_fathom_prefix}/lib/libfmt.a")
  _fathom_static_library(fmt libfmt.a fmt/core.h "fmt 9")
else()
  find_package(fmt CONFIG QUIET)
  if(NOT TARGET fmt::fmt)
    _fathom_missing("fmt")
  endif()
  add_library(fathom_dep::fmt INTERFACE IMPORTED)
  target_link_libraries(fathom_dep::fmt INTERFACE fmt::fmt)
endif()

# simdjson: what the system may have is a shared library, good enough where there is no prefix
if(_fathom_prefix AND EXISTS "${_fathom_prefix}/lib/libsimdjson.a")
  _fathom_static_library(simdjson libsimdjson.a simdjson.h "simdjson 3")
else()
  find_package(simdjson 3 CONFIG QUIET)
  if(NOT TARGET simdjson::simdjson)
    _fathom_missing("simdjson 3")
  endif()
  add_library(fathom_dep::simdjson INTERFACE IMPORTED)
  target_link_libraries(fathom_dep::simdjson INTERFACE simdjson::simdjson)
endif()

_fathom_static_library(pcre2 libpcre2-8.a pcre2.h "PCRE2 (8 bit, static)")
target_compile_definitions(fathom_dep::pcre2 INTERFACE PCRE2_CODE_UNIT_WIDTH=8 PCRE2_STATIC)

_fathom_static_library(utf8proc libutf8proc.a utf8proc.h "utf8proc (static)")
target_compile_definitions(fathom_dep::utf8proc INTERFACE UTF8PROC_STATIC)

# oneDNN: only its ukernel C functions are used (oneapi/dnnl/dnnl_ukernel.h); without it, fathom's own kernels do all the work
set(FATHOM_HAVE_ONEDNN OFF)
if(FATHOM_ONEDNN)
  if(_fathom_prefix AND EXISTS "${_fathom_prefix}/lib/libdnnl_ukernel.a")
    _fathom_static_library(onednn libdnnl_ukernel.a oneapi/dnnl/dnnl_ukernel.h "oneDNN 3.7")
    # most of the archive is post-operations for cases that are never asked for
    target_link_options(fathom_dep::onednn INTERFACE LINKER:--gc-sections)
    find_package(Threads REQUIRED)
    # the archive is C++ also where a C program links it
    target_link_libraries(fathom_dep::onednn INTERFACE Threads::Threads stdc++ m)
    set(FATHOM_HAVE_ONEDNN ON)
  else()
    find_package(dnnl 3.7 CONFIG QUIET)
    if(TARGET DNNL::dnnl)
      # the functions are marked experimental and many builds of oneDNN leave them out
      include(CheckCXXSourceCompiles)
      set(CMAKE_REQUIRED_LIBRARIES DNNL::dnnl)
      check_cxx_source_compiles("#include <oneapi/dnnl/dnnl_ukernel.h>
        int main() { dnnl_transform_t t; return dnnl_transform_create(&t, 16, 16, dnnl_pack_type_trans, 16, 16, dnnl_f32, dnnl_f32); }"
        FATHOM_SYSTEM_ONEDNN_HAS_UKERNELS)
      unset(CMAKE_REQUIRED_LIBRARIES)
      if(FATHOM_SYSTEM_ONEDNN_HAS_UKERNELS)
        add_library(fathom_dep::onednn INTERFACE IMPORTED)
        target_link_libraries(fathom_dep::onednn INTERFACE DNNL::dnnl)
        set(FATHOM_HAVE_ONEDNN ON)
      endif()
    endif()
  endif()
  if(NOT FATHOM_HAVE_ONEDNN)
    message(STATUS "fathom: no oneDNN with ukernels found; building without it")
  endif()
endif()
