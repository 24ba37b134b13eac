# ONNX's schema as it is published (onnx.proto, of a system package), compiled to C by protobuf-c.
find_file(ONNX_PROTO NAMES onnx/onnx.proto onnx/onnx-ml.proto DOC "ONNX's published schema")
find_program(PROTOC_C protoc-c DOC "protobuf-c's compiler")
pkg_check_modules(PROTOBUF_C IMPORTED_TARGET libprotobuf-c)
foreach(part "ONNX_PROTO;onnx/onnx.proto;libonnx-dev" "PROTOC_C;protoc-c;protobuf-c-compiler"
    "PROTOBUF_C_FOUND;libprotobuf-c;libprotobuf-c-dev")
  list(GET part 0 variable)
  list(GET part 1 what)
  list(GET part 2 package)
  if(NOT ${variable})
    message(FATAL_ERROR "${what} is missing (ONNX files are written with it; install ${package})")
  endif()
endforeach()
target_link_libraries(vkpix_parts INTERFACE PkgConfig::PROTOBUF_C)

# Makes "onnx.pb-c.h" for the target's own sources.
function(vkpix_onnx_schema target)
  set(folder ${CMAKE_BINARY_DIR}/onnx)
  configure_file(${ONNX_PROTO} ${folder}/onnx.proto COPYONLY) # the name of what is made of it
  add_custom_command(OUTPUT ${folder}/onnx.pb-c.c ${folder}/onnx.pb-c.h
    COMMAND ${PROTOC_C} --proto_path=${folder} --c_out=${folder} ${folder}/onnx.proto
    DEPENDS ${folder}/onnx.proto COMMENT "Compiling ONNX's schema")
  target_sources(${target} PRIVATE ${folder}/onnx.pb-c.c ${folder}/onnx.pb-c.h)
  set_source_files_properties(${folder}/onnx.pb-c.c PROPERTIES COMPILE_OPTIONS -w)
  target_include_directories(${target} SYSTEM PUBLIC $<BUILD_INTERFACE:${folder}>)
endfunction()
