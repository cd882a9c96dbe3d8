# One static library per folder under src/ (docs/architecture.md, "The house").
#
#   stillframe_module(NAME SOURCES a.cc b.cc [DEPENDS base sys ...] [LIBRARIES imported targets ...])
#
# DEPENDS names the modules that this one may include; a test holds it against the table in the docs.
function(stillframe_module NAME)
  cmake_parse_arguments(ARG "" "" "SOURCES;DEPENDS;LIBRARIES" ${ARGN})
  add_library(stillframe_${NAME} STATIC ${ARG_SOURCES})
  target_include_directories(stillframe_${NAME} PUBLIC
    ${PROJECT_SOURCE_DIR}/include ${PROJECT_SOURCE_DIR}/src ${PROJECT_BINARY_DIR}/include)
  target_link_libraries(stillframe_${NAME} PUBLIC Threads::Threads ${ARG_LIBRARIES})
  foreach(module IN LISTS ARG_DEPENDS)
    target_link_libraries(stillframe_${NAME} PUBLIC stillframe_${module})
  endforeach()
  if(STILLFRAME_FAIL_POINTS)
    target_compile_definitions(stillframe_${NAME} PUBLIC STILLFRAME_FAIL_POINTS=1)
  endif()
  stillframe_precompiled(stillframe_${NAME} library)
endfunction()

# One executable per test file, so that each test names what it needs and nothing else breaks it.
#
#   stillframe_test(NAME LABEL unit|kernel|e2e SOURCES x_test.cc LIBRARIES ...)
function(stillframe_test NAME)
  cmake_parse_arguments(ARG "" "LABEL;TIMEOUT" "SOURCES;LIBRARIES" ${ARGN})
  if(NOT ARG_TIMEOUT)
    set(ARG_TIMEOUT 300)
  endif()
  add_executable(${NAME} ${ARG_SOURCES})
  target_link_libraries(${NAME} PRIVATE ${ARG_LIBRARIES} GTest::gtest GTest::gtest_main)
  set_target_properties(${NAME} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tests)
  stillframe_precompiled(${NAME} test)
  add_test(NAME ${ARG_LABEL}.${NAME} COMMAND ${NAME})
  set_tests_properties(${ARG_LABEL}.${NAME} PROPERTIES LABELS ${ARG_LABEL} TIMEOUT ${ARG_TIMEOUT})
  # Beside another, a test that needs the kernel would lose the cores its targets need.
  if(NOT ARG_LABEL STREQUAL unit)
    set_tests_properties(${ARG_LABEL}.${NAME} PROPERTIES RUN_SERIAL TRUE)
  endif()
  # All tests of one kind: tests_unit, tests_kernel, tests_e2e. What a sanitizer doesn't run it need not build.
  if(NOT TARGET tests_${ARG_LABEL})
    add_custom_target(tests_${ARG_LABEL})
  endif()
  add_dependencies(tests_${ARG_LABEL} ${NAME})
endfunction()
