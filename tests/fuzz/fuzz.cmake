# Each tests/fuzz/fuzz_NAME.c is a test fuzz_NAME here, which reads the files of corpus/NAME once, and with
# VKPIX_FUZZ (preset fuzz, clang) a libFuzzer program of that name. `sh tests/fuzz/run.sh` runs those.
option(VKPIX_FUZZ "Build the libFuzzer programs (preset fuzz: clang and sanitizers)" OFF)
set(fuzz ${CMAKE_CURRENT_SOURCE_DIR}/fuzz)
file(GLOB targets CONFIGURE_DEPENDS ${fuzz}/fuzz_*.c)
foreach(source ${targets})
  get_filename_component(name ${source} NAME_WE)
  string(REPLACE fuzz_ "" subject ${name})
  if(NOT VKPIX_FUZZ)
    add_executable(replay_${subject} ${source} ${fuzz}/replay.c ${fuzz}/common.c)
    target_link_libraries(replay_${subject} PRIVATE vkpix_engine)
    add_test(NAME ${name} COMMAND replay_${subject} ${fuzz}/corpus/${subject})
  endif()
endforeach()
if(NOT VKPIX_FUZZ)
  return()
endif()

# Of the engine only what reads files: no shader has to be compiled for that.
set(parts formats/pickle formats/torch_file image/crop image/deep image/fit image/format image/gamut image/jpeg
  image/kept image/picture image/picture_png image/picture_png_read image/picture_write image/pnm image/sink
  image/stb image/stb_resize nn/config nn/model_file nn/run_log nn/run_split nn/run_state nn/safetensors
  tune/choices vk/cache_file)
list(TRANSFORM parts PREPEND ${CMAKE_SOURCE_DIR}/engine/)
list(TRANSFORM parts APPEND .c)
file(GLOB base CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/engine/base/*.c)
list(FILTER base EXCLUDE REGEX "/version[.]c$") # in no_device.c
list(APPEND parts ${base})
add_library(fuzzed STATIC EXCLUDE_FROM_ALL ${parts} ${fuzz}/common.c ${fuzz}/no_device.c)
set_source_files_properties(${CMAKE_SOURCE_DIR}/engine/image/stb.c PROPERTIES
  COMPILE_OPTIONS -fno-sanitize=shift)
target_include_directories(fuzzed PUBLIC ${CMAKE_SOURCE_DIR}/engine ${CMAKE_BINARY_DIR}/shaders)
target_link_libraries(fuzzed PUBLIC vkpix_parts)
add_custom_target(fuzzers)
foreach(source ${targets})
  get_filename_component(name ${source} NAME_WE)
  add_executable(${name} EXCLUDE_FROM_ALL ${source})
  target_link_libraries(${name} PRIVATE fuzzed)
  target_link_options(${name} PRIVATE -fsanitize=fuzzer)
  add_dependencies(fuzzers ${name})
endforeach()
