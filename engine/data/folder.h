/* Folder: which pictures there are below a folder, and how they fall into training and validation. */
#ifndef VKP_DATA_FOLDER_H
#define VKP_DATA_FOLDER_H

#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

/* paths[i] opens picture i; names[i], a part of paths[i], is its path below the folder ('/' separates). */
typedef struct vkp_folder {
    size_t count;
    char **paths;
    const char **names;
} vkp_folder;

/* Lists all pictures at any depth below `path`: regular files that end in jpg, jpeg, png, bmp, tga, pnm,
 * ppm, pgm or pbm in upper or lower case. Order: strcmp of the names, the same on every machine and in
 * every locale. Hidden files and folders (names beginning with a dot) are left out. Links are followed; a
 * folder that is reached twice, as in a circle of links, is searched once. A link to nothing is listed if
 * its name is a picture's, so that it gets reported when read. If `path` is a file, the list is that file,
 * whatever its name. vkp_folder_free afterwards. Folders that go away while they are searched are passed
 * over. VKP_INPUT: nothing at `path`, an empty folder, one without pictures; VKP_IO: a folder that cannot
 * be searched; VKP_MEMORY. */
VKP_MUST_USE vkp_status vkp_folder_list(const char *path, vkp_folder *folder);

/* Frees the list; a zeroed one is fine. */
void vkp_folder_free(vkp_folder *folder);

/* Indices into a list, each in ascending order. */
typedef struct vkp_split {
    size_t train_count, val_count;
    size_t *train;
    size_t *val; /* in the same memory as train */
} vkp_split;

/* Deals 0..count-1, shuffled by `seed`, out to `folds` folds and holds out number `fold` (from 0) for
 * validation. Every index is in exactly one fold; the first count % folds folds have one more, as in
 * scikit-learn's KFold(shuffle=True). vkp_split_free afterwards. VKP_USAGE: folds below 2, fold not below
 * folds; VKP_INPUT: fewer pictures than folds; VKP_MEMORY. */
VKP_MUST_USE vkp_status vkp_folds(size_t count, size_t folds, size_t fold, uint64_t seed, vkp_split *split);

/* Frees the indices; a zeroed split is fine. */
void vkp_split_free(vkp_split *split);

#endif
