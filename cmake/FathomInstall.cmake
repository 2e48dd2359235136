# cmake --install: the C library with its header, the C++ library with its headers, and how to find both. The prefix may be moved.
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

install(TARGETS fathom_capi EXPORT fathom-capi LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR})
install(FILES ${FATHOM_MERGED} DESTINATION ${CMAKE_INSTALL_LIBDIR})
install(DIRECTORY include/fathom DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
install(FILES capi/include/fathom.h DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
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
