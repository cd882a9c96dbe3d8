# Turns files into a C++ source: for each NAME=FILE a function `std::string_view stillframe::NAME()` with the file's bytes.
# Numbers and no string literal, which compilers bound in length.
#
#   stillframe_embed(OUTPUT HEADER NAME=FILE...)     in a CMakeLists.txt; HEADER declares the functions
#
# The same file is run by the build itself, in script mode.
function(stillframe_embed OUTPUT HEADER)
  set(files)
  foreach(pair IN LISTS ARGN)
    string(REGEX REPLACE "^[^=]*=" "" file "${pair}")
    list(APPEND files "${file}")
  endforeach()
  add_custom_command(OUTPUT ${OUTPUT}
    COMMAND ${CMAKE_COMMAND} -DOUTPUT=${OUTPUT} -DHEADER=${HEADER} "-DPAIRS=${ARGN}"
            -P ${PROJECT_SOURCE_DIR}/cmake/EmbedFiles.cmake
    DEPENDS ${files} ${PROJECT_SOURCE_DIR}/cmake/EmbedFiles.cmake
    VERBATIM)
endfunction()

if(CMAKE_SCRIPT_MODE_FILE STREQUAL CMAKE_CURRENT_LIST_FILE)
  set(code "// Made by cmake/EmbedFiles.cmake.\n#include \"${HEADER}\"\n\nnamespace stillframe {\n")
  foreach(pair IN LISTS PAIRS)
    string(REGEX MATCH "^([^=]*)=(.*)$" matched "${pair}")
    set(name "${CMAKE_MATCH_1}")
    file(READ "${CMAKE_MATCH_2}" hex HEX)
    string(REGEX REPLACE "(..)" "0x\\1," bytes "${hex}")
    string(APPEND code
      "\nnamespace {\nconstexpr unsigned char k${name}[] = {${bytes}0};\n}  // namespace\n"
      "std::string_view ${name}() {\n"
      "  return {reinterpret_cast<const char*>(k${name}), sizeof(k${name}) - 1};\n}\n")
  endforeach()
  string(APPEND code "\n}  // namespace stillframe\n")
  file(WRITE "${OUTPUT}" "${code}")
endif()
