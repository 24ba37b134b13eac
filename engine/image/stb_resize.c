/* The one place where stb_image_resize is compiled. */
/* What the assertions are about, image/crop.c sees to; a mistake must not abort the program. */
#define STBIR_ASSERT(condition) ((void)sizeof(condition))
#define STB_IMAGE_RESIZE_IMPLEMENTATION
#include <stb_image_resize.h>
