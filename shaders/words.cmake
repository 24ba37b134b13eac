# What the scripts share that make an embedded shader.
function(run)
  execute_process(COMMAND ${ARGV} RESULT_VARIABLE status OUTPUT_VARIABLE text ERROR_VARIABLE text)
  if(status)
    message(FATAL_ERROR "${SOURCE}${SPV}: ${text}")
  endif()
endfunction()

# write_words(OUT): the words of OUT.spv in hexadecimal, as OUT.inc.
function(write_words out)
  file(READ ${out}.spv bytes HEX)
  string(REGEX REPLACE "(..)(..)(..)(..)" "0x\\4\\3\\2\\1," words "${bytes}")
  string(REGEX REPLACE "(0x........,0x........,0x........,0x........,0x........,0x........,0x........,0x........,)" "\\1\n" words "${words}")
  file(WRITE ${out}.inc "${words}\n")
endfunction()
