# Compiles every shaders/*.comp to SPIR-V (Vulkan 1.1), validates it, and embeds the result, and beside it the
# rows of specialized.txt, with their specialization constants worked in.
# The generated shaders.h holds an enum with one VKP_SHADER_<file name> each; shaders.c the words. Those called
# *_coopmat.comp have none where the tools are too old for them.

# Whether compiler and validator know cooperative matrices, by a shader that has one.
function(find_cooperative_matrix found)
  set(probe ${CMAKE_BINARY_DIR}/shaders/probe)
  file(WRITE ${probe}.comp "#version 450\n#extension GL_KHR_cooperative_matrix : require\n"
    "#extension GL_KHR_memory_scope_semantics : require\n"
    "void main() { coopmat<float, gl_ScopeSubgroup, 8, 8, gl_MatrixUseAccumulator> c;"
    " c = coopmat<float, gl_ScopeSubgroup, 8, 8, gl_MatrixUseAccumulator>(0.0); }\n")
  set(command ${CMAKE_COMMAND} -DGLSLANG=${GLSLANG} -DSPIRV_VAL=${SPIRV_VAL} -DSOURCE=${probe}.comp
    -DOUT=${probe} -P ${CMAKE_SOURCE_DIR}/shaders/compile.cmake)
  execute_process(COMMAND ${command} RESULT_VARIABLE status OUTPUT_QUIET ERROR_QUIET)
  if(status)
    message(STATUS "No shaders for cooperative matrices: ${GLSLANG} or ${SPIRV_VAL} does not know them")
    set(${found} FALSE PARENT_SCOPE)
  else()
    set(${found} TRUE PARENT_SCOPE)
  endif()
endfunction()

function(vkpix_embed_shaders target)
  set(folder ${CMAKE_SOURCE_DIR}/shaders)
  file(GLOB sources CONFIGURE_DEPENDS ${folder}/*.comp)
  file(GLOB includes CONFIGURE_DEPENDS ${folder}/*.glsl)
  set(out ${CMAKE_BINARY_DIR}/shaders)
  file(MAKE_DIRECTORY ${out})
  find_cooperative_matrix(matrices)
  set(names)
  set(words)
  set(left_out)
  foreach(source ${sources})
    get_filename_component(name ${source} NAME_WE)
    list(APPEND names ${name})
    if(name MATCHES "_coopmat$" AND NOT matrices)
      list(APPEND left_out ${name})
      continue()
    endif()
    list(APPEND words ${out}/${name}.inc)
    add_custom_command(OUTPUT ${out}/${name}.inc BYPRODUCTS ${out}/${name}.spv
      COMMAND ${CMAKE_COMMAND} -DGLSLANG=${GLSLANG} -DSPIRV_VAL=${SPIRV_VAL}
              -DSOURCE=${source} -DOUT=${out}/${name} -P ${folder}/compile.cmake
      DEPENDS ${source} ${includes} ${folder}/compile.cmake ${folder}/words.cmake
      COMMENT "Shader ${name}" VERBATIM)
  endforeach()
  set(enum "/* Made by shaders/shaders.cmake: one name for each shader file. */\n#ifndef VKP_SHADERS_H\n#define VKP_SHADERS_H\n#include <stddef.h>\n#include <stdint.h>\ntypedef enum vkp_shader {\n")
  set(table "#include \"shaders.h\"\n")
  set(rows "")
  foreach(name ${names})
    string(APPEND enum "    VKP_SHADER_${name},\n")
    if(name IN_LIST left_out)
      string(APPEND rows "    {\"${name}\", NULL, 0},\n")
      continue()
    endif()
    string(APPEND table "static const uint32_t words_${name}[] = {\n#include \"${name}.inc\"\n};\n")
    string(APPEND rows "    {\"${name}\", words_${name}, sizeof words_${name}},\n")
  endforeach()

  set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${folder}/specialized.txt)
  file(STRINGS ${folder}/specialized.txt lines REGEX "^[^#]")
  set(special_rows "")
  foreach(line ${lines})
    separate_arguments(values UNIX_COMMAND "${line}")
    list(POP_FRONT values name)
    list(LENGTH values count)
    list(JOIN values " " text)
    string(REGEX REPLACE "[^a-z0-9_]" "_" special "${line}")
    list(APPEND words ${out}/${special}.inc)
    add_custom_command(OUTPUT ${out}/${special}.inc BYPRODUCTS ${out}/${special}.spv
      COMMAND ${CMAKE_COMMAND} -DSPIRV_OPT=${SPIRV_OPT} -DSPIRV_VAL=${SPIRV_VAL} -DSPV=${out}/${name}.spv
              -DVALUES=${text} -DOUT=${out}/${special} -P ${folder}/specialize.cmake
      DEPENDS ${out}/${name}.inc ${folder}/specialize.cmake ${folder}/words.cmake
      COMMENT "Shader ${line}" VERBATIM)
    # true and false are words too; what has a point is a float.
    list(TRANSFORM values REPLACE "^true$" "1")
    list(TRANSFORM values REPLACE "^false$" "0")
    list(TRANSFORM values REPLACE "^([0-9]+)$" "{.word = \\1}")
    list(TRANSFORM values REPLACE "^([0-9]+[.].*)$" "{.real = \\1f}")
    list(JOIN values ", " values)
    string(APPEND table "static const uint32_t special_${special}[] = {\n#include \"${special}.inc\"\n};\n")
    string(APPEND special_rows "    {{\"${name}\", special_${special}, sizeof special_${special}}, VKP_SHADER_${name}, ${count}, {${values}}},\n")
  endforeach()

  string(APPEND enum "    VKP_SHADER_COUNT\n} vkp_shader;\ntypedef struct vkp_shader_code { const char *name; const uint32_t *words; size_t bytes; } vkp_shader_code;\n/* By vkp_shader; words is NULL where the compiler was too old. */\nextern const vkp_shader_code vkp_shader_table[VKP_SHADER_COUNT];\n")
  string(APPEND enum "/* The rows of shaders/specialized.txt; the last has no words. */\ntypedef union vkp_shader_constant { uint32_t word; float real; } vkp_shader_constant;\ntypedef struct vkp_specialized_code { vkp_shader_code code; vkp_shader shader; uint32_t spec_count; vkp_shader_constant spec[16]; } vkp_specialized_code;\nextern const vkp_specialized_code vkp_specialized_table[];\n#endif\n")
  string(APPEND table "const vkp_shader_code vkp_shader_table[VKP_SHADER_COUNT] = {\n${rows}};\n")
  string(APPEND table "const vkp_specialized_code vkp_specialized_table[] = {\n${special_rows}    {{0}, VKP_SHADER_COUNT, 0, {{0}}}};\n")
  file(CONFIGURE OUTPUT ${out}/shaders.h CONTENT "${enum}" @ONLY)
  file(CONFIGURE OUTPUT ${out}/shaders.c CONTENT "${table}" @ONLY)
  set_source_files_properties(${out}/shaders.c PROPERTIES OBJECT_DEPENDS "${words}")
  add_custom_target(vkpix_shaders DEPENDS ${words})
  add_dependencies(${target} vkpix_shaders)
  target_sources(${target} PRIVATE ${out}/shaders.c)
  target_include_directories(${target} PUBLIC ${out})
endfunction()
