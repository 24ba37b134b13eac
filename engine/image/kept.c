/* Exif is libexif's, unpacking zlib's; finding the pieces is engine/image/jpeg.c's and format.c's. */
#include "image/kept.h"

#include <stdlib.h>
#include <string.h>

#include <libexif/exif-data.h>
#include <zlib.h>

#include "image/jpeg.h"

enum { EXIF_HEAD = 6, ICC_HEAD = 128 };

static vkp_status no_memory(void)
{
    return vkp_fail(VKP_MEMORY,
                    "no memory for a picture's profile (host memory ran out; close other programs)");
}

static uint32_t be32(const uint8_t *p)
{
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

/* `prefix` may be NULL. Blocks that fit no JPEG segment are not taken. */
static vkp_status take_exif(const char *prefix, const uint8_t *data, size_t size, vkp_kept *kept)
{
    const size_t head = prefix ? EXIF_HEAD : 0;
    if (!data || size > VKP_KEPT_MAX_EXIF - head) return VKP_OK;
    kept->exif = malloc(head + size + 1);
    if (!kept->exif) return no_memory();
    if (prefix) memcpy(kept->exif, prefix, head);
    if (size) memcpy(kept->exif + head, data, size);
    kept->exif_size = head + size;
    return VKP_OK;
}

static vkp_status join_parts(const vkp_jpeg_part *parts, size_t count, vkp_kept *kept)
{
    size_t size = 0;
    for (size_t i = 0; i < count; i++) size += parts[i].length;
    if (!size) return VKP_OK;
    kept->icc = malloc(size);
    if (!kept->icc) return no_memory();
    for (size_t i = 0; i < count; i++) {
        memcpy(kept->icc + kept->icc_size, parts[i].data, parts[i].length);
        kept->icc_size += parts[i].length;
    }
    return VKP_OK;
}

/* The profile says its size in its first bytes, so no more than that is unpacked of whatever is there. */
static vkp_status unpack_all(z_stream *z, vkp_kept *kept)
{
    uint8_t head[ICC_HEAD];
    z->next_out = head;
    z->avail_out = ICC_HEAD;
    while (z->avail_out && inflate(z, Z_SYNC_FLUSH) == Z_OK) {}
    if (z->avail_out) return VKP_OK;
    const uint32_t size = be32(head);
    if (size <= ICC_HEAD || size > VKP_KEPT_MAX_ICC) return VKP_OK;
    uint8_t *icc = malloc(size);
    if (!icc) return no_memory();
    memcpy(icc, head, ICC_HEAD);
    z->next_out = icc + ICC_HEAD;
    z->avail_out = size - ICC_HEAD;
    if (inflate(z, Z_FINISH) == Z_STREAM_END && !z->avail_out) {
        kept->icc = icc;
        kept->icc_size = size;
    } else {
        free(icc);
    }
    return VKP_OK;
}

/* iCCP: a name of 1 to 79 bytes, 0, the method 0, a zlib stream. */
static vkp_status unpack(const uint8_t *chunk, size_t size, vkp_kept *kept)
{
    const uint8_t *end = memchr(chunk, 0, size < 80 ? size : 80);
    const size_t head = end ? (size_t)(end - chunk) + 2 : size;
    if (head >= size || chunk[head - 1] != 0) return VKP_OK;
    z_stream z = {.next_in = (uint8_t *)chunk + head, .avail_in = (uInt)(size - head)};
    if (inflateInit(&z) != Z_OK) return no_memory();
    const vkp_status status = unpack_all(&z, kept);
    inflateEnd(&z);
    return status;
}

/* Leaves the profile out when it is not one for RGB. ICC.1, 7.2: size, colour space at 16, "acsp" at 36. */
static void check_profile(bool found, vkp_kept *kept)
{
    const uint8_t *icc = kept->icc;
    if (!found) return;
    if (!icc || kept->icc_size <= ICC_HEAD || be32(icc) <= ICC_HEAD || be32(icc) > kept->icc_size ||
        memcmp(icc + 36, "acsp", 4) != 0)
        kept->left_out = "is damaged";
    else if (memcmp(icc + 16, "GRAY", 4) == 0)
        kept->left_out = "is for gray pictures";
    else if (memcmp(icc + 16, "RGB ", 4) != 0)
        kept->left_out = "is not for RGB pictures";
    if (!kept->left_out) {
        kept->icc_size = be32(icc);
        return;
    }
    free(kept->icc);
    kept->icc = NULL;
    kept->icc_size = 0;
}

static vkp_status find_in_jpeg(const uint8_t *bytes, size_t size, vkp_kept *kept)
{
    size_t length = 0;
    const uint8_t *block = vkp_jpeg_exif(bytes, size, &length);
    VKP_TRY(take_exif(NULL, block, length, kept));
    vkp_jpeg_part parts[VKP_JPEG_MAX_PARTS];
    bool found;
    const size_t count = vkp_jpeg_icc(bytes, size, parts, &found);
    VKP_TRY(join_parts(parts, count, kept));
    check_profile(found, kept);
    return VKP_OK;
}

static vkp_status find_in_png(const uint8_t *bytes, size_t size, vkp_kept *kept)
{
    size_t length = 0;
    bool found;
    const uint8_t *chunk = vkp_format_png_chunk(bytes, size, "eXIf", &length, &found);
    VKP_TRY(take_exif("Exif\0", chunk, length, kept));
    chunk = vkp_format_png_chunk(bytes, size, "iCCP", &length, &found);
    if (chunk) VKP_TRY(unpack(chunk, length, kept));
    check_profile(found, kept);
    return VKP_OK;
}

vkp_status vkp_kept_find(vkp_picture_format format, const uint8_t *bytes, size_t size, vkp_kept *kept)
{
    *kept = (vkp_kept){.exif = NULL};
    vkp_status status = VKP_OK;
    if (format == VKP_PICTURE_JPEG) status = find_in_jpeg(bytes, size, kept);
    if (format == VKP_PICTURE_PNG) status = find_in_png(bytes, size, kept);
    if (status != VKP_OK) vkp_kept_free(kept);
    return status;
}

/* Everything but the thumbnail, whatever the standard says about it. NULL when there is nothing. */
static ExifData *load_exif(const vkp_kept *kept)
{
    ExifData *data = kept->exif ? exif_data_new() : NULL;
    if (!data) return NULL;
    exif_data_unset_option(data, EXIF_DATA_OPTION_IGNORE_UNKNOWN_TAGS);
    exif_data_unset_option(data, EXIF_DATA_OPTION_FOLLOW_SPECIFICATION);
    exif_data_load_data(data, kept->exif, (unsigned)kept->exif_size);
    free(data->data);
    data->data = NULL;
    data->size = 0;
    ExifContent *thumbnail = data->ifd[EXIF_IFD_1];
    while (thumbnail->count) exif_content_remove_entry(thumbnail, thumbnail->entries[0]);
    unsigned entries = 0;
    for (int i = 0; i < EXIF_IFD_COUNT; i++) entries += data->ifd[i]->count;
    if (entries) return data;
    exif_data_unref(data);
    return NULL;
}

/* Changes a number that is there. */
static void set_number(ExifData *data, ExifIfd ifd, ExifTag tag, unsigned value)
{
    ExifEntry *entry = exif_content_get_entry(data->ifd[ifd], tag);
    const ExifByteOrder order = exif_data_get_byte_order(data);
    if (!entry) return;
    if (entry->format == EXIF_FORMAT_LONG && entry->size >= 4) exif_set_long(entry->data, order, value);
    if (entry->format == EXIF_FORMAT_SHORT && entry->size >= 2 && value <= UINT16_MAX)
        exif_set_short(entry->data, order, (ExifShort)value);
}

void vkp_kept_exif(const vkp_kept *kept, int width, int height, uint8_t **block, size_t *size)
{
    *block = NULL;
    *size = 0;
    ExifData *data = load_exif(kept);
    if (!data) return;
    if (kept->turned) set_number(data, EXIF_IFD_0, EXIF_TAG_ORIENTATION, 1);
    set_number(data, EXIF_IFD_0, EXIF_TAG_IMAGE_WIDTH, (unsigned)width);
    set_number(data, EXIF_IFD_0, EXIF_TAG_IMAGE_LENGTH, (unsigned)height);
    set_number(data, EXIF_IFD_EXIF, EXIF_TAG_PIXEL_X_DIMENSION, (unsigned)width);
    set_number(data, EXIF_IFD_EXIF, EXIF_TAG_PIXEL_Y_DIMENSION, (unsigned)height);
    unsigned saved = 0;
    exif_data_save_data(data, block, &saved);
    exif_data_unref(data);
    *size = saved;
    if (*block && saved > EXIF_HEAD && saved <= VKP_KEPT_MAX_EXIF) return;
    free(*block);
    *block = NULL;
    *size = 0;
}

void vkp_kept_move(vkp_kept *from, vkp_kept *to)
{
    vkp_kept_free(to);
    *to = *from;
    *from = (vkp_kept){.exif = NULL};
}

void vkp_kept_free(vkp_kept *kept)
{
    free(kept->exif);
    free(kept->icc);
    *kept = (vkp_kept){.exif = NULL};
}
