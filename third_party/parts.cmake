# The parts that vkpix is made with, all from system packages (third_party/packages.txt names them).
# One interface target, vkpix_parts, carries them to everything that links the library.
find_package(PkgConfig REQUIRED)
find_package(Threads REQUIRED)
find_path(VULKAN_INCLUDE_DIR vulkan/vulkan.h REQUIRED)
find_path(VOLK_INCLUDE_DIR volk.h REQUIRED)
find_path(STB_INCLUDE_DIR stb_image.h PATH_SUFFIXES stb REQUIRED)
find_program(GLSLANG NAMES glslangValidator glslang REQUIRED)
find_program(SPIRV_VAL spirv-val REQUIRED)
find_program(SPIRV_OPT spirv-opt REQUIRED)
pkg_check_modules(CYAML REQUIRED IMPORTED_TARGET libcyaml)
pkg_check_modules(CJSON REQUIRED IMPORTED_TARGET libcjson)
pkg_check_modules(EXIF REQUIRED IMPORTED_TARGET libexif)
pkg_check_modules(PNG REQUIRED IMPORTED_TARGET libpng zlib)
pkg_check_modules(PLPLOT REQUIRED IMPORTED_TARGET plplot)
pkg_check_modules(MICROHTTPD REQUIRED IMPORTED_TARGET libmicrohttpd)
pkg_check_modules(XXHASH REQUIRED IMPORTED_TARGET libxxhash)
pkg_check_modules(ZIP REQUIRED IMPORTED_TARGET libzip)

add_library(vkpix_parts INTERFACE)
target_include_directories(vkpix_parts SYSTEM INTERFACE ${VULKAN_INCLUDE_DIR} ${VOLK_INCLUDE_DIR} ${STB_INCLUDE_DIR})
target_compile_definitions(vkpix_parts INTERFACE VK_NO_PROTOTYPES)
target_link_libraries(vkpix_parts INTERFACE PkgConfig::CYAML PkgConfig::CJSON PkgConfig::EXIF PkgConfig::PNG
  PkgConfig::PLPLOT PkgConfig::XXHASH PkgConfig::MICROHTTPD PkgConfig::ZIP Threads::Threads ${CMAKE_DL_LIBS} m)
