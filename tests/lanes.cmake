# Lanes: the same test programs under other circumstances. A test of a lane is called LANE.SUBJECT and
# labelled with the lane's name (ctest -L swiftshader). Every lane names the device that must have run, and
# the programs fail unless it did, with dispatches (tests/support/device_fixture.c).
#
#   default      every test, on the device that VKPIX_TEST_DEVICE names: lavapipe unless told otherwise
#   swiftshader  every shader on a second, independent driver
#   validation   the validation layer with synchronization checks, no message allowed
#   minimum      the smallest limits of Vulkan 1.1 and no optional feature
#   storage      no texel buffers: the forms of shaders that large tensors take on devices with small ones
#   variant      every way to compute a convolution, forced one after the other
set(VKPIX_TEST_DEVICE llvmpipe CACHE STRING "Part of the name of the device that the tests run on")
find_file(VKPIX_SWIFTSHADER vk_swiftshader_icd.json PATHS /usr/lib/chromium /usr/lib/chromium-browser
  /snap/chromium/current/usr/lib/chromium-browser NO_DEFAULT_PATH DOC "SwiftShader's driver file")
# Most of these lanes' time goes into compiling: lavapipe then leaves out LLVM's optimizations, which the default
# lane has (Mesa's GALLIVM_PERF).
set(plainly GALLIVM_PERF=nopt)
set(used ${CMAKE_CURRENT_BINARY_DIR}/shaders_used)
file(MAKE_DIRECTORY ${used})

# What every test gets, by the device it must run on. Caches lie in the build folder, not in the user's.
function(test_environment test device)
  set_property(TEST ${test} APPEND PROPERTY ENVIRONMENT VKPIX_DEVICE=${device} VKPIX_TEST_DEVICE=${device}
    VKPIX_TEST_SHADERS=${used}/${test}.txt XDG_CACHE_HOME=${CMAKE_CURRENT_BINARY_DIR}/cache ${ARGN})
endfunction()
foreach(test ${all_tests})
  test_environment(${test} ${VKPIX_TEST_DEVICE})
endforeach()
# Sanitizers watch the host's code, which is the same in every lane.
if(VKPIX_SANITIZE)
  return()
endif()

# add_lane(LANE DEVICE PROGRAMS "PROGRAM ARGUMENT..."... [ENVIRONMENT ...] [SUFFIX .text]): a test for each
# program. lane_tests holds their names afterwards.
function(add_lane lane device)
  cmake_parse_arguments(PARSE_ARGV 2 arg "" SUFFIX "ENVIRONMENT;PROGRAMS")
  set(names)
  foreach(program ${arg_PROGRAMS})
    string(REGEX MATCH "^test_[a-z_]+" name "${program}")
    string(REPLACE test_ ${lane}. name ${name}${arg_SUFFIX})
    separate_arguments(program)
    add_test(NAME ${name} COMMAND ${program})
    set_property(TEST ${name} PROPERTY LABELS ${lane})
    test_environment(${name} ${device} ${arg_ENVIRONMENT})
    list(APPEND names ${name})
  endforeach()
  set(lane_tests ${names} PARENT_SCOPE)
endfunction()

# shaders_covered(TEST EXCEPT USERS...): every shaders/*.comp, but for EXCEPT, was used by these tests.
function(shaders_covered test except)
  list(TRANSFORM ARGN PREPEND ${used}/ OUTPUT_VARIABLE lists)
  list(TRANSFORM lists APPEND .txt)
  list(JOIN lists "," lists)
  add_test(NAME ${test} COMMAND ${CMAKE_COMMAND} -DSHADERS=${CMAKE_SOURCE_DIR}/shaders -DUSED=${lists}
    -DEXCEPT=${except} -P ${CMAKE_CURRENT_SOURCE_DIR}/shaders_covered.cmake)
  set_property(TEST ${test} PROPERTY DEPENDS ${ARGN})
endfunction()

set(programs test_ops test_gemm test_device_picture test_joiner test_loss test_norm test_parameters test_bench
  test_tuner)
set(shader_users ${all_tests})
add_lane(validation ${VKPIX_TEST_DEVICE} ENVIRONMENT VKPIX_VALIDATE=1 ${plainly}
  PROGRAMS ${programs} test_program test_faults "test_train_step train04 ${torch_data}")
set_property(TEST validation.train_step PROPERTY FIXTURES_REQUIRED torch_train04)
add_lane(minimum ${VKPIX_TEST_DEVICE} PROGRAMS ${programs} ENVIRONMENT VKPIX_LIMITS=minimum ${plainly})
list(APPEND shader_users ${lane_tests})
add_lane(storage ${VKPIX_TEST_DEVICE} PROGRAMS test_ops ENVIRONMENT VKPIX_LIMITS=storage ${plainly})
list(APPEND shader_users ${lane_tests})

# The variants' names are those of the lists in conv2d.c; the storage lane goes through the rest.
set(conv2d ${CMAKE_SOURCE_DIR}/engine/ops/conv2d.c)
set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${conv2d})
set(row "^    (VKP_VARIANT[(]|VKP_PLAIN[(]|{[.]name = )\"([a-z0-9_]+)\".*")
file(STRINGS ${conv2d} variants REGEX "${row}")
list(TRANSFORM variants REPLACE "${row}" "\\2")
list(FILTER variants EXCLUDE REGEX "_storage$")
list(REMOVE_DUPLICATES variants)
foreach(variant ${variants})
  add_lane(variant ${VKPIX_TEST_DEVICE} PROGRAMS "test_ops conv2d" SUFFIX .conv2d.${variant} ENVIRONMENT
    VKPIX_VARIANT=conv2d=${variant} ${plainly})
  list(APPEND shader_users ${lane_tests})
endforeach()
# 16-bit floats take asking for, and have a tolerance of their own.
add_lane(variant ${VKPIX_TEST_DEVICE} PROGRAMS "test_ops conv2d" SUFFIX .conv2d.gemm_f16
  ENVIRONMENT VKPIX_VARIANT=conv2d=gemm_f16 VKPIX_PRECISION=half ${plainly})
list(APPEND shader_users ${lane_tests})
# Cooperative matrices too, and devices that have them; here loops stand in for them.
add_lane(variant ${VKPIX_TEST_DEVICE} PROGRAMS "test_ops conv2d" SUFFIX .conv2d.gemm_matrix
  ENVIRONMENT VKPIX_VARIANT=conv2d=gemm_matrix VKPIX_PRECISION=half VKPIX_LIMITS=matrix ${plainly})
list(APPEND shader_users ${lane_tests})
set(coopmat conv2d_gemm_pixels_coopmat,conv2d_gemm_weight_grad_coopmat)
shaders_covered(shaders_covered "${coopmat}" ${shader_users})

if(VKPIX_SWIFTSHADER)
  set(driver VK_DRIVER_FILES=${VKPIX_SWIFTSHADER} VK_ICD_FILENAMES=${VKPIX_SWIFTSHADER})
  add_lane(swiftshader SwiftShader PROGRAMS ${programs} ENVIRONMENT ${driver})
  set(swiftshader_tests ${lane_tests})
  add_lane(swiftshader SwiftShader PROGRAMS test_ops SUFFIX .storage
    ENVIRONMENT ${driver} VKPIX_LIMITS=storage)
  # peak_copy, of the benchmarks, needs larger texel buffers than SwiftShader has.
  shaders_covered(swiftshader.shaders_covered peak_copy,${coopmat} ${swiftshader_tests} ${lane_tests})
  set_property(TEST swiftshader.shaders_covered PROPERTY LABELS swiftshader)
else()
  # Skipped, so that ctest's closing lines name it.
  add_test(NAME swiftshader.missing COMMAND ${CMAKE_COMMAND} -E echo "vk_swiftshader_icd.json was not found")
  set_tests_properties(swiftshader.missing PROPERTIES LABELS swiftshader
    SKIP_REGULAR_EXPRESSION "was not found")
endif()
