# Embeds every engine/models/NAME.safetensors as the built-in model NAME; there may be none.
# The generated models.h holds their names as a text; models.c the files' bytes and nn/built_in.h's table.
function(vkpix_embed_models target)
  file(GLOB models CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/engine/models/*.safetensors)
  set(out ${CMAKE_BINARY_DIR}/models)
  set(names)
  set(table "/* Made by engine/models/models.cmake. */\n#include \"nn/built_in.h\"\n")
  set(rows "")
  foreach(model ${models})
    get_filename_component(name ${model} NAME_WLE)
    string(MAKE_C_IDENTIFIER ${name} symbol)
    string(PREPEND symbol vkp_built_in_)
    list(APPEND names ${name})
    string(APPEND table
      "__asm__(\".section .rodata\\n.balign 16\\n\"\n"
      "        \".globl ${symbol}, ${symbol}_end\\n.hidden ${symbol}, ${symbol}_end\\n\"\n"
      "        \"${symbol}:\\n.incbin \\\"${model}\\\"\\n${symbol}_end:\\n.previous\");\n"
      "extern const unsigned char ${symbol}[], ${symbol}_end[];\n")
    string(APPEND rows "    {\"${name}\", ${symbol}, ${symbol}_end},\n")
  endforeach()
  string(APPEND table "const vkp_built_in vkp_built_in_table[] = {\n${rows}    {0}};\n")
  list(JOIN names ", " text)
  if(NOT names)
    set(text none)
  endif()
  file(CONFIGURE OUTPUT ${out}/models.c CONTENT "${table}" @ONLY)
  file(CONFIGURE OUTPUT ${out}/models.h @ONLY
    CONTENT "/* Made by engine/models/models.cmake. */\n#define VKP_BUILT_IN_NAMES \"${text}\"\n")
  set_source_files_properties(${out}/models.c PROPERTIES OBJECT_DEPENDS "${models}")
  target_sources(${target} PRIVATE ${out}/models.c)
  target_include_directories(${target} PUBLIC ${out})
endfunction()
