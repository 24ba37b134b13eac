/* What the fuzz targets share. A target is a file fuzz_NAME.c with LLVMFuzzerTestOneInput, which reads any
 * bytes as what it is about and checks what must hold of the result; what is wrong ends the program. Built
 * with libFuzzer (preset fuzz) it looks for bytes of its own, from corpus/NAME on; in every other build it
 * is a test that reads the files of corpus/NAME once (replay.c). */
#ifndef VKP_FUZZ_H
#define VKP_FUZZ_H

#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A folder in memory (or /tmp), made when first asked for and removed at the end. */
const char *fuzz_folder(void);
/* Writes a file there and returns its path, valid until the next call. */
const char *fuzz_write(const char *name, const void *data, size_t size);

/* Ends the program unless the condition holds. */
#define fuzz_check(condition) fuzz_assert(condition, #condition, __FILE__, __LINE__)
void fuzz_assert(int holds, const char *what, const char *file, int line);

/* Ends the program unless a failed call left a message of the house's form: "WHAT (WHY; WHAT TO DO)" in one
 * line. VKP_INTERNAL is a mistake of ours whatever the bytes are. */
void fuzz_check_error(vkp_status status);

#endif
