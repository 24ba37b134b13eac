/* The page's files, which are a part of the library itself (engine/serve/page.cmake). */
#ifndef VKP_SERVE_PAGE_H
#define VKP_SERVE_PAGE_H

typedef struct vkp_page_file {
    const char *path, *type; /* in the address; of its content */
    const unsigned char *bytes, *end;
} vkp_page_file;

/* All of them, up to a row without a path. */
extern const vkp_page_file vkp_page_files[];

#endif
