/* Status: the one error type of the library.
 *
 * Every call that can fail returns a vkp_status, and the compiler warns when one is ignored. The code
 * says what kind of thing went wrong; the text, kept for the calling thread until its next failure,
 * says it for people in one line: "WHAT (WHY; WHAT TO DO)". */
#ifndef VKP_BASE_STATUS_H
#define VKP_BASE_STATUS_H

#include <stddef.h>

/* name, what it means */
#define VKP_STATUS_MAP(X)                                                                             \
    X(OK, "no error")                                                                                 \
    X(USAGE, "wrong usage: an option, key or value that does not exist or is out of range")           \
    X(INPUT, "a picture, folder or file of the user's cannot be used as it is")                       \
    X(IO, "the operating system refused to read or write")                                            \
    X(FORMAT, "a file's content is damaged or is not what it should be")                              \
    X(SHAPE, "shapes that do not fit together")                                                       \
    X(MEMORY, "host memory ran out")                                                                  \
    X(DEVICE_MEMORY, "device memory ran out, or would")                                               \
    X(NO_DEVICE, "no Vulkan loader, driver or device, or not the one asked for")                      \
    X(DEVICE, "a Vulkan call failed")                                                                 \
    X(DEVICE_LOST, "the device stopped answering")                                                    \
    X(SHADER, "a shader or pipeline cannot be made on this device")                                   \
    X(NOT_FINITE, "a loss or result is NaN or infinite")                                              \
    X(INTERRUPTED, "stopped by a signal")                                                             \
    X(INTERNAL, "a mistake in vkpix itself")

typedef enum vkp_status {
#define X(name, text) VKP_##name,
    VKP_STATUS_MAP(X)
#undef X
} vkp_status;

#if defined(__GNUC__)
#define VKP_MUST_USE __attribute__((warn_unused_result))
#define VKP_PRINTF(text, args) __attribute__((format(printf, text, args)))
#else
#define VKP_MUST_USE
#define VKP_PRINTF(text, args)
#endif

/* Records the text for vkp_error() and returns `code`, so that a failing function can end with
 * `return vkp_fail(VKP_IO, "cannot read %s (%s; check the path)", path, strerror(errno))`.
 * The text has no newline; a newline that arrives through an argument (a file name) becomes '?', and
 * of a text of more than 1000 bytes (a long path) a piece is left out in the middle: "...". */
VKP_MUST_USE vkp_status vkp_fail(vkp_status code, const char *format, ...) VKP_PRINTF(2, 3);

/* The text of the calling thread's latest failure; "" before any. Owned by the library, valid until
 * this thread's next vkp_fail. */
const char *vkp_error(void);

/* Its first part, WHAT, without the reason and the remedy in brackets, into `room` bytes: for errors that have
 * others of their own. */
void vkp_error_what(char *text, size_t room);

/* The code's name ("IO") and meaning, for logs and tests. Never NULL. */
const char *vkp_status_name(vkp_status code);
const char *vkp_status_meaning(vkp_status code);

/* Leaves the enclosing function with the status of `expr` unless it is VKP_OK. */
#define VKP_TRY(expr)                                                                                 \
    do {                                                                                              \
        vkp_status vkp_try_status = (expr);                                                           \
        if (vkp_try_status != VKP_OK) return vkp_try_status;                                          \
    } while (0)

#endif
