# Headers, shared library, command, pkg-config and CMake package.
include(CMakePackageConfigHelpers)

install(TARGETS kd2m EXPORT kd2m-targets
        LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR})
install(TARGETS kd2m_command RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
install(DIRECTORY include/kd2m DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
install(EXPORT kd2m-targets NAMESPACE kd2m:: DESTINATION ${CMAKE_INSTALL_LIBDIR}/cmake/kd2m)

file(WRITE ${CMAKE_BINARY_DIR}/kd2m-config.cmake
     "include(\"\${CMAKE_CURRENT_LIST_DIR}/kd2m-targets.cmake\")\n")
write_basic_package_version_file(${CMAKE_BINARY_DIR}/kd2m-config-version.cmake
                                 COMPATIBILITY SameMinorVersion)
install(FILES ${CMAKE_BINARY_DIR}/kd2m-config.cmake ${CMAKE_BINARY_DIR}/kd2m-config-version.cmake
        DESTINATION ${CMAKE_INSTALL_LIBDIR}/cmake/kd2m)

configure_file(cmake/kd2m.pc.in ${CMAKE_BINARY_DIR}/kd2m.pc @ONLY)
install(FILES ${CMAKE_BINARY_DIR}/kd2m.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
