#include "serve/archive.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <zip.h>

#include "base/file.h"
#include "base/utf8.h"
#include "image/format.h"

static vkp_status no_memory(void)
{
    return vkp_fail(VKP_MEMORY, "no memory for the zip file (host memory ran out; download fewer at once)");
}

void vkp_result_name(const char *name, const vkp_blob *result, char text[VKP_NAME_ROOM])
{
    enum { ADDED = 32 };
    const bool jpeg = vkp_format_of(result->bytes, result->size) == VKP_PICTURE_JPEG;
    const char *extension = vkp_path_extension(name);
    size_t stem = strlen(name) - (*extension ? strlen(extension) + 1 : 0);
    if (stem > VKP_NAME_ROOM - ADDED) stem = VKP_NAME_ROOM - ADDED;
    snprintf(text, VKP_NAME_ROOM, "%.*s", (int)stem, name);
    vkp_utf8_mend(text); /* a letter may have been cut */
    strcat(text, jpeg ? "-coloured.jpg" : "-coloured.png");
}

/* Adds the blob, which must live until the archive is closed. False: memory ran out. */
static bool add(zip_t *zip, const char *name, const vkp_blob *blob)
{
    zip_source_t *source = zip_source_buffer(zip, blob->bytes, blob->size, 0);
    const zip_int64_t index = source ? zip_file_add(zip, name, source, ZIP_FL_ENC_UTF_8) : -1;
    if (source && index < 0) zip_source_free(source);
    return index >= 0 && zip_set_file_compression(zip, (zip_uint64_t)index, ZIP_CM_STORE, 0) == 0;
}

/* The same under a name that the archive does not have yet. */
static bool add_once(zip_t *zip, const char *name, const vkp_blob *blob)
{
    char text[VKP_NAME_ROOM];
    const char *extension = vkp_path_extension(name);
    const int stem = (int)(extension - name) - 1;
    snprintf(text, sizeof text, "%s", name);
    for (unsigned n = 2; zip_name_locate(zip, text, 0) >= 0; n++)
        snprintf(text, sizeof text, "%.*s (%u).%s", stem, name, n, extension);
    return add(zip, text, blob);
}

/* Fills `file` from the results; all of them are held until it is written. */
static vkp_status fill(zip_source_t *file, vkp_queue *queue, const vkp_look *looks, size_t count)
{
    char name[VKP_NAME_ROOM];
    size_t added = 0;
    vkp_blob **blobs = calloc(count + 1, sizeof *blobs);
    zip_t *zip = blobs ? zip_open_from_source(file, ZIP_CREATE | ZIP_TRUNCATE, NULL) : NULL;
    bool whole = zip;
    if (zip) zip_source_keep(file);
    for (size_t i = 0; i < count && whole; i++) {
        blobs[i] = vkp_queue_part(queue, looks[i].id, VKP_PART_RESULT);
        if (!blobs[i]) continue;
        vkp_result_name(looks[i].name, blobs[i], name);
        whole = add_once(zip, name, blobs[i]);
        added++;
    }
    if (zip && (!whole || !added))
        zip_discard(zip);
    else if (zip && zip_close(zip) != 0)
        whole = false;
    for (size_t i = 0; i < count && blobs; i++) vkp_blob_drop(blobs[i]);
    free(blobs);
    if (!whole) return no_memory();
    if (added) return VKP_OK;
    return vkp_fail(VKP_INPUT, "there is nothing to download (no picture is coloured yet; wait for one)");
}

static vkp_status read_back(zip_source_t *file, vkp_bank *bank, vkp_blob **zip)
{
    zip_stat_t info;
    if (zip_source_stat(file, &info) != 0 || zip_source_open(file) != 0) return no_memory();
    vkp_status status = vkp_blob_make(bank, info.size, zip);
    if (status == VKP_OK && zip_source_read(file, (*zip)->bytes, info.size) != (zip_int64_t)info.size)
        status = no_memory();
    zip_source_close(file);
    return status;
}

vkp_status vkp_archive_make(vkp_queue *queue, const char *session, vkp_bank *bank, vkp_blob **zip)
{
    vkp_look *looks;
    size_t count;
    *zip = NULL;
    VKP_TRY(vkp_queue_list(queue, session, &looks, &count));
    zip_source_t *file = zip_source_buffer_create(NULL, 0, 0, NULL);
    vkp_status status = file ? fill(file, queue, looks, count) : no_memory();
    free(looks);
    if (status == VKP_OK) status = read_back(file, bank, zip);
    if (file) zip_source_free(file);
    if (status != VKP_OK) {
        vkp_blob_drop(*zip);
        *zip = NULL;
    }
    return status;
}
