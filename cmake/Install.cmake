# What `cmake --install` puts where: the command, its man page, one static library with the public headers, a CMake package
# and a pkg-config file.
include(CMakePackageConfigHelpers)

# The modules that make the library, merged into one archive. What only the command needs (report, cli) and the workload
# (evaluate) stay out.
set(library_modules base sys region throttle store fault target image track save peer)
add_library(stillframe_library STATIC ${PROJECT_SOURCE_DIR}/cmake/library.cc)
set_target_properties(stillframe_library PROPERTIES OUTPUT_NAME stillframe EXPORT_NAME stillframe)
target_compile_features(stillframe_library PUBLIC cxx_std_20)
target_include_directories(stillframe_library
  PRIVATE ${PROJECT_BINARY_DIR}/include
  PUBLIC $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>)
target_link_libraries(stillframe_library PUBLIC
  Threads::Threads PkgConfig::URCU PkgConfig::XXHASH PkgConfig::LZ4 PkgConfig::LIBURING PkgConfig::ZSTD PkgConfig::GLIB)
foreach(module IN LISTS library_modules)
  target_sources(stillframe_library PRIVATE $<TARGET_OBJECTS:stillframe_${module}>)
endforeach()

if(TARGET stillframe)
  install(TARGETS stillframe RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
endif()
install(TARGETS stillframe_library EXPORT StillframeTargets ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR})
install(DIRECTORY include/stillframe DESTINATION ${CMAKE_INSTALL_INCLUDEDIR} FILES_MATCHING PATTERN "*.h")
install(FILES ${PROJECT_BINARY_DIR}/include/stillframe/version.h
        DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/stillframe)
install(FILES LICENSE THIRD-PARTY.md DESTINATION ${CMAKE_INSTALL_DOCDIR})
install(FILES docs/stillframe.1 DESTINATION ${CMAKE_INSTALL_MANDIR}/man1)

set(package_dir ${CMAKE_INSTALL_LIBDIR}/cmake/Stillframe)
install(EXPORT StillframeTargets NAMESPACE Stillframe:: DESTINATION ${package_dir})
configure_package_config_file(cmake/StillframeConfig.cmake.in
                              ${PROJECT_BINARY_DIR}/StillframeConfig.cmake
                              INSTALL_DESTINATION ${package_dir})
# Before 1.0 any minor version may break the API.
write_basic_package_version_file(${PROJECT_BINARY_DIR}/StillframeConfigVersion.cmake
                                 COMPATIBILITY SameMinorVersion)
install(FILES ${PROJECT_BINARY_DIR}/StillframeConfig.cmake
              ${PROJECT_BINARY_DIR}/StillframeConfigVersion.cmake
        DESTINATION ${package_dir})

# The prefix as seen from the file, so that a moved installation still works.
file(RELATIVE_PATH STILLFRAME_PC_PREFIX /prefix/${CMAKE_INSTALL_LIBDIR}/pkgconfig /prefix)
configure_file(cmake/stillframe.pc.in ${PROJECT_BINARY_DIR}/stillframe.pc @ONLY)
install(FILES ${PROJECT_BINARY_DIR}/stillframe.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)

if(STILLFRAME_TESTS AND EXISTS ${PROJECT_SOURCE_DIR}/tests/install/CMakeLists.txt)
  add_subdirectory(tests/install)
endif()
