/* Searches folders depth first. Entries are visited in strcmp order, so that which of two ways to one folder
 * counts does not depend on the file system. */
#include "data/folder.h"

#include <dirent.h>
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

#include "base/file.h"
#include "base/random.h"

typedef struct place {
    dev_t device;
    ino_t inode;
} place;

typedef struct search {
    vkp_folder *found;
    size_t found_room;
    place *visited;
    size_t visited_count, visited_room;
    size_t entries; /* of any kind, hidden ones left out */
} search;

/* Makes room for one more item. */
static vkp_status grow(void **items, size_t count, size_t *room, size_t item_size)
{
    if (count < *room) return VKP_OK;
    size_t more = *room ? *room * 2 : 64;
    void *grown = more > SIZE_MAX / item_size ? NULL : realloc(*items, more * item_size);
    if (!grown)
        return vkp_fail(VKP_MEMORY,
                        "no memory for a list of %zu files (host memory ran out; use a smaller folder)",
                        count + 1);
    *items = grown;
    *room = more;
    return VKP_OK;
}

static bool is_picture_name(const char *name)
{
    static const char *const extensions[] = {"jpg", "jpeg", "png", "bmp", "tga", "pnm", "ppm", "pgm", "pbm"};
    const char *extension = vkp_path_extension(name);
    for (size_t i = 0; i < sizeof extensions / sizeof *extensions; i++)
        if (!strcasecmp(extension, extensions[i])) return true;
    return false;
}

/* Takes over `path`, also on failure. */
static vkp_status add_picture(search *s, char *path)
{
    void *paths = s->found->paths;
    vkp_status status = grow(&paths, s->found->count, &s->found_room, sizeof *s->found->paths);
    s->found->paths = paths;
    if (status == VKP_OK) s->found->paths[s->found->count++] = path;
    else free(path);
    return status;
}

/* *first: nobody was here before. */
static vkp_status visit(search *s, const struct stat *info, bool *first)
{
    *first = false;
    for (size_t i = 0; i < s->visited_count; i++)
        if (s->visited[i].device == info->st_dev && s->visited[i].inode == info->st_ino) return VKP_OK;
    void *visited = s->visited;
    vkp_status status = grow(&visited, s->visited_count, &s->visited_room, sizeof *s->visited);
    s->visited = visited;
    VKP_TRY(status);
    s->visited[s->visited_count++] = (place){info->st_dev, info->st_ino};
    *first = true;
    return VKP_OK;
}

static int by_bytes(const struct dirent **a, const struct dirent **b)
{
    return strcmp((*a)->d_name, (*b)->d_name);
}
static int not_hidden(const struct dirent *entry) { return entry->d_name[0] != '.'; }

static vkp_status search_folder(search *s, const char *path);

/* Takes over `path`. */
static vkp_status search_entry(search *s, char *path)
{
    struct stat info;
    s->entries++;
    bool there = stat(path, &info) == 0;
    if (there && S_ISDIR(info.st_mode)) {
        bool first;
        vkp_status status = visit(s, &info, &first);
        if (status == VKP_OK && first) status = search_folder(s, path);
        free(path);
        return status;
    }
    if ((!there || S_ISREG(info.st_mode)) && is_picture_name(path)) return add_picture(s, path);
    free(path);
    return VKP_OK;
}

static vkp_status search_folder(search *s, const char *path)
{
    struct dirent **entries;
    int count = scandir(path, &entries, not_hidden, by_bytes);
    /* One that went away meanwhile is as if it had never been there. */
    if (count < 0 && (errno == ENOENT || errno == ENOTDIR)) return VKP_OK;
    if (count < 0) return vkp_fail_errno("search the folder", path, errno);
    vkp_status status = VKP_OK;
    for (int i = 0; i < count; i++) {
        char *child = NULL;
        if (status == VKP_OK) status = vkp_path_join(path, entries[i]->d_name, &child);
        if (status == VKP_OK) status = search_entry(s, child);
        free(entries[i]);
    }
    free(entries);
    return status;
}

static int compare_paths(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* All paths begin with the same folder, so their order is that of the names. */
static vkp_status finish(vkp_folder *folder, size_t prefix)
{
    qsort(folder->paths, folder->count, sizeof *folder->paths, compare_paths);
    folder->names = malloc(folder->count * sizeof *folder->names);
    if (!folder->names)
        return vkp_fail(VKP_MEMORY,
                        "no memory for a list of %zu files (host memory ran out; use a smaller folder)",
                        folder->count);
    for (size_t i = 0; i < folder->count; i++) {
        folder->names[i] = folder->paths[i] + prefix;
        while (*folder->names[i] == '/') folder->names[i]++;
    }
    return VKP_OK;
}

static vkp_status list_file(const char *path, vkp_folder *folder)
{
    search s = {.found = folder};
    char *copy = strdup(path);
    if (!copy) return vkp_fail_errno("list", path, ENOMEM);
    VKP_TRY(add_picture(&s, copy));
    return finish(folder, (size_t)(vkp_path_base(path) - path));
}

static vkp_status list_folder(const char *path, const struct stat *info, vkp_folder *folder)
{
    search s = {.found = folder};
    bool first;
    vkp_status status = visit(&s, info, &first);
    if (status == VKP_OK) status = search_folder(&s, path);
    free(s.visited);
    VKP_TRY(status);
    if (s.entries == 0)
        return vkp_fail(VKP_INPUT,
                        "no pictures in %s (the folder is empty; put pictures there or name another "
                        "folder)",
                        path);
    if (folder->count == 0)
        return vkp_fail(VKP_INPUT,
                        "no pictures in %s (no file there ends in .jpg, .jpeg, .png, .bmp, .tga, .pnm, "
                        ".ppm, .pgm or .pbm; name another folder)",
                        path);
    return finish(folder, strlen(path));
}

vkp_status vkp_folder_list(const char *path, vkp_folder *folder)
{
    *folder = (vkp_folder){.count = 0};
    struct stat info;
    if (stat(path, &info) != 0) {
        if (errno != ENOENT && errno != ENOTDIR) return vkp_fail_errno("open", path, errno);
        return vkp_fail(VKP_INPUT, "cannot find '%s' (no such file or folder; check the path)", path);
    }
    if (!S_ISDIR(info.st_mode) && !S_ISREG(info.st_mode))
        return vkp_fail(VKP_INPUT, "cannot use %s (neither a file nor a folder; name one of these)", path);
    vkp_status status = S_ISDIR(info.st_mode) ? list_folder(path, &info, folder) : list_file(path, folder);
    if (status != VKP_OK) vkp_folder_free(folder);
    return status;
}

void vkp_folder_free(vkp_folder *folder)
{
    for (size_t i = 0; i < folder->count; i++) free(folder->paths[i]);
    free(folder->paths);
    free(folder->names);
    *folder = (vkp_folder){.count = 0};
}

static int compare_indices(const void *a, const void *b)
{
    size_t x = *(const size_t *)a, y = *(const size_t *)b;
    return (x > y) - (x < y);
}

vkp_status vkp_folds(size_t count, size_t folds, size_t fold, uint64_t seed, vkp_split *split)
{
    *split = (vkp_split){.train = NULL};
    if (folds < 2 || fold >= folds)
        return vkp_fail(VKP_USAGE, "no fold %zu of %zu (folds are 2 or more, counted from 0; choose others)",
                        fold, folds);
    if (count < folds)
        return vkp_fail(VKP_INPUT,
                        "cannot split %zu pictures into %zu folds (a fold needs one at least; add pictures "
                        "or use fewer folds)",
                        count, folds);
    size_t *all = count > SIZE_MAX / sizeof *all / 2 ? NULL : malloc(count * 2 * sizeof *all);
    if (!all)
        return vkp_fail(VKP_MEMORY,
                        "no memory to split %zu pictures (host memory ran out; use fewer pictures)", count);
    size_t *dealt = all + count, size = count / folds, longer = count % folds;
    size_t start = fold * size + (fold < longer ? fold : longer), held = size + (fold < longer);
    for (size_t i = 0; i < count; i++) dealt[i] = i;
    vkp_random_shuffle(dealt, count, seed, vkp_random_stream(VKP_RANDOM_FOLDS, 0));
    *split =
        (vkp_split){.train_count = count - held, .val_count = held, .train = all, .val = all + count - held};
    memcpy(split->train, dealt, start * sizeof *all);
    memcpy(split->train + start, dealt + start + held, (count - held - start) * sizeof *all);
    memcpy(split->val, dealt + start, held * sizeof *all);
    qsort(split->train, split->train_count, sizeof *all, compare_indices);
    qsort(split->val, split->val_count, sizeof *all, compare_indices);
    return VKP_OK;
}

void vkp_split_free(vkp_split *split)
{
    free(split->train);
    *split = (vkp_split){.train = NULL};
}
