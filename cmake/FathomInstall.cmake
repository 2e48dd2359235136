# cmake --install: the C library with its header, the C++ library with its headers, how to find both, the tool, and the license. The
# prefix may be moved.
#
# The static library's own dependencies go into the archive that is installed: whoever links it needs nothing else, and no file of
# ours names a path of the machine that built it.
include(GNUInstallDirs)
include(CMakePackageConfigHelpers)

set(FATHOM_MERGED ${PROJECT_BINARY_DIR}/merged/libfathom.a)
set(script "CREATE ${FATHOM_MERGED}\nADDLIB $<TARGET_FILE:fathom>\n")
foreach(name IN ITEMS fmt simdjson pcre2 utf8proc onednn)
  if(TARGET fathom_dep::${name})
    get_target_property(archive fathom_dep::${name} IMPORTED_LOCATION)
    if(archive MATCHES "\\.a$")
      string(APPEND script "ADDLIB ${archive}\n")
    endif()
  endif()
endforeach()
string(APPEND script "SAVE\nEND\n")
file(GENERATE OUTPUT ${PROJECT_BINARY_DIR}/merged/merge.mri CONTENT "${script}")
add_custom_command(OUTPUT ${FATHOM_MERGED}
  COMMAND ${CMAKE_AR} -M < ${PROJECT_BINARY_DIR}/merged/merge.mri
  DEPENDS fathom ${PROJECT_BINARY_DIR}/merged/merge.mri VERBATIM)
add_custom_target(fathom_merged ALL DEPENDS ${FATHOM_MERGED})

# A build of some targets only, as the quickstart makes one, lacks files. Whoever installs it is told once what to do.
set(FATHOM_INSTALLED_TARGETS fathom_capi)
if(TARGET fathom_capi_experimental)
  list(APPEND FATHOM_INSTALLED_TARGETS fathom_capi_experimental)
endif()
if(TARGET fathom_cli)
  list(APPEND FATHOM_INSTALLED_TARGETS fathom_cli)
endif()
set(built ${FATHOM_MERGED})
foreach(target IN LISTS FATHOM_INSTALLED_TARGETS)
  list(APPEND built $<TARGET_FILE:${target}>)
endforeach()
install(CODE "
  foreach(file IN ITEMS ${built})
    if(NOT EXISTS \"\${file}\")
      message(FATAL_ERROR \"\${file} is not built yet: run `cmake --build ${PROJECT_BINARY_DIR}`, then install again.\")
    endif()
  endforeach()")

install(TARGETS fathom_capi EXPORT fathom-capi LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR})
install(FILES ${FATHOM_MERGED} DESTINATION ${CMAKE_INSTALL_LIBDIR})
install(DIRECTORY include/fathom DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
install(FILES capi/include/fathom.h DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
if(TARGET fathom_capi_experimental)
  install(TARGETS fathom_capi_experimental EXPORT fathom-capi LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR})
  install(FILES capi/include/fathom_experimental.h DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
endif()
install(FILES LICENSE CHANGELOG.md DESTINATION ${CMAKE_INSTALL_DOCDIR})
install(FILES capi/README.md DESTINATION ${CMAKE_INSTALL_DOCDIR} RENAME c-interface.md)
install(FILES capi/CHANGES.md DESTINATION ${CMAKE_INSTALL_DOCDIR} RENAME c-interface-changes.md)
if(TARGET fathom_cli)
  install(TARGETS fathom_cli RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
endif()

set(package_dir ${CMAKE_INSTALL_LIBDIR}/cmake/fathom)
configure_package_config_file(cmake/fathom-config.cmake.in ${PROJECT_BINARY_DIR}/fathom-config.cmake
  INSTALL_DESTINATION ${package_dir} PATH_VARS CMAKE_INSTALL_LIBDIR CMAKE_INSTALL_INCLUDEDIR)
write_basic_package_version_file(${PROJECT_BINARY_DIR}/fathom-config-version.cmake COMPATIBILITY SameMajorVersion)
install(FILES ${PROJECT_BINARY_DIR}/fathom-config.cmake ${PROJECT_BINARY_DIR}/fathom-config-version.cmake DESTINATION ${package_dir})
install(EXPORT fathom-capi DESTINATION ${package_dir} NAMESPACE fathom:: FILE fathom-capi.cmake)

file(RELATIVE_PATH prefix_from_pkgconfig /${CMAKE_INSTALL_LIBDIR}/pkgconfig /)
configure_file(cmake/fathom.pc.in ${PROJECT_BINARY_DIR}/fathom.pc @ONLY)
install(FILES ${PROJECT_BINARY_DIR}/fathom.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
