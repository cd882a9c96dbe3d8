# The library's own headers cost a file of ours more than its own lines: compiled once for all where STILLFRAME_PRECOMPILED
# is on. The preset that builds all with clang for its warnings has it on. g++ 12 warns of its own headers where they were
# compiled before (array-bounds in std::string, with a sanitizer), and takes most of its time for the code anyway.
#
#   stillframe_precompiled(TARGET library|test)
set(standard_headers <algorithm> <array> <atomic> <chrono> <cstdint> <cstring> <filesystem> <functional> <map> <memory>
  <mutex> <optional> <random> <span> <string> <string_view> <thread> <utility> <vector>)

function(stillframe_precompiled TARGET KIND)
  if(NOT STILLFRAME_PRECOMPILED)
    return()
  endif()
  set(holder stillframe_precompiled_${KIND})
  if(NOT TARGET ${holder})
    file(CONFIGURE OUTPUT ${CMAKE_BINARY_DIR}/${holder}.cc CONTENT "")
    # What stands in the command line has to be the same as in the files that use it.
    if(KIND STREQUAL test)
      find_package(GTest REQUIRED)
      add_executable(${holder} EXCLUDE_FROM_ALL ${CMAKE_BINARY_DIR}/${holder}.cc)
      target_link_libraries(${holder} PRIVATE Threads::Threads GTest::gtest GTest::gtest_main)
      target_precompile_headers(${holder} PRIVATE ${standard_headers} <gtest/gtest.h>)
    else()
      add_library(${holder} STATIC EXCLUDE_FROM_ALL ${CMAKE_BINARY_DIR}/${holder}.cc)
      target_link_libraries(${holder} PRIVATE Threads::Threads)
      target_precompile_headers(${holder} PRIVATE ${standard_headers})
    endif()
    if(STILLFRAME_FAIL_POINTS)
      target_compile_definitions(${holder} PRIVATE STILLFRAME_FAIL_POINTS=1)
    endif()
  endif()
  target_precompile_headers(${TARGET} REUSE_FROM ${holder})
endfunction()
