/* An archive of results: a zip file in memory. */
#ifndef VKP_SERVE_ARCHIVE_H
#define VKP_SERVE_ARCHIVE_H

#include "serve/queue.h"

/* The name under which a picture's result is saved: "old.jpg" gives "old-coloured.jpg"; what is not written
 * as JPEG gets .png. At most VKP_NAME_ROOM - 1 bytes. */
void vkp_result_name(const char *name, const vkp_blob *result, char text[VKP_NAME_ROOM]);

/* *zip = the results of a session's pictures that have one, not compressed again, counted against `bank`; of
 * several with one name all but the first get a number. VKP_USAGE: no such session; VKP_INPUT: it has no
 * results; VKP_MEMORY. vkp_blob_drop afterwards; NULL on failure. */
VKP_MUST_USE vkp_status vkp_archive_make(vkp_queue *queue, const char *session, vkp_bank *bank,
                                         vkp_blob **zip);

#endif
