# Embeds the files of engine/serve/page, and Chart.js, which the page draws its curves with. The generated page.c
# holds their bytes and serve/page.h's table.
find_file(VKPIX_CHART_JS chart.min.js PATHS /usr/share/javascript/chart.js /usr/share/nodejs/chart.js/dist
  NO_DEFAULT_PATH REQUIRED DOC "Chart.js in one file (package libjs-chart.js)")
set(VKPIX_PAGE_TYPES "html=text/html" "css=text/css" "js=text/javascript" "svg=image/svg+xml")

function(vkpix_embed_page target)
  file(GLOB files CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/engine/serve/page/*)
  list(APPEND files ${VKPIX_CHART_JS})
  set(table "/* Made by engine/serve/page.cmake. */\n#include \"serve/page.h\"\n")
  set(rows "")
  foreach(file ${files})
    get_filename_component(name ${file} NAME)
    get_filename_component(kind ${file} LAST_EXT)
    string(SUBSTRING ${kind} 1 -1 kind)
    set(types ${VKPIX_PAGE_TYPES})
    list(FILTER types INCLUDE REGEX "^${kind}=")
    string(REPLACE "${kind}=" "" type "${types}")
    string(MAKE_C_IDENTIFIER ${name} symbol)
    string(PREPEND symbol vkp_page_)
    string(APPEND table
      "__asm__(\".section .rodata\\n\"\n"
      "        \".globl ${symbol}, ${symbol}_end\\n.hidden ${symbol}, ${symbol}_end\\n\"\n"
      "        \"${symbol}:\\n.incbin \\\"${file}\\\"\\n${symbol}_end:\\n.previous\");\n"
      "extern const unsigned char ${symbol}[], ${symbol}_end[];\n")
    if(name STREQUAL "index.html")
      set(name "")
    endif()
    string(APPEND rows "    {\"/${name}\", \"${type}; charset=utf-8\", ${symbol}, ${symbol}_end},\n")
  endforeach()
  string(APPEND table "const vkp_page_file vkp_page_files[] = {\n${rows}    {0}};\n")
  set(out ${CMAKE_BINARY_DIR}/page/page.c)
  file(CONFIGURE OUTPUT ${out} CONTENT "${table}" @ONLY)
  set_source_files_properties(${out} PROPERTIES OBJECT_DEPENDS "${files}")
  target_sources(${target} PRIVATE ${out})
endfunction()
