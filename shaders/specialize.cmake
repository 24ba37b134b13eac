# cmake -DSPV=x.spv -DVALUES="8 2 true" -DOUT=dir/y ... -P specialize.cmake: a shader with its specialization
# constants (0, 1, ... have these values) worked in and what follows from them: functions inlined, loops
# marked [[unroll]] unrolled, arrays taken apart, dead code left out. OUT.inc holds its words in hexadecimal.
include(${CMAKE_CURRENT_LIST_DIR}/words.cmake)
separate_arguments(VALUES)
set(constants)
set(id 0)
foreach(value ${VALUES})
  list(APPEND constants ${id}:${value})
  math(EXPR id "${id} + 1")
endforeach()
list(JOIN constants " " constants)
# Nothing that would change the arithmetic: --simplify-instructions makes fused multiplications and additions.
set(fold --ccp --eliminate-dead-branches --merge-blocks)
run(${SPIRV_OPT} --set-spec-const-default-value=${constants} --freeze-spec-const
  --fold-spec-const-op-composite --unify-const --eliminate-dead-branches --merge-return
  --inline-entry-points-exhaustive --eliminate-dead-functions --private-to-local --ssa-rewrite ${fold}
  # Counters that an unrolled loop has only passed on stand between the loops around it and their ends.
  --eliminate-dead-code-aggressive --loop-unroll ${fold} --redundancy-elimination --loop-unroll ${fold}
  # No limit on the length of an array: all that loops went over is indexed by constants now.
  --scalar-replacement=0 --convert-local-access-chains --eliminate-local-single-block
  --eliminate-local-single-store --ssa-rewrite ${fold} --redundancy-elimination
  --eliminate-dead-code-aggressive --strip-debug
  --compact-ids ${SPV} -o ${OUT}.spv)
run(${SPIRV_VAL} --target-env vulkan1.1 ${OUT}.spv)
write_words(${OUT})
