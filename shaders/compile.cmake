# cmake -DSOURCE=x.comp -DOUT=dir/x ... -P compile.cmake: one shader from GLSL to OUT.inc (its words in hexadecimal).
include(${CMAKE_CURRENT_LIST_DIR}/words.cmake)
run(${GLSLANG} --target-env vulkan1.1 -V ${SOURCE} -o ${OUT}.spv)
run(${SPIRV_VAL} --target-env vulkan1.1 ${OUT}.spv)
write_words(${OUT})
