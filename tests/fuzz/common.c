#define _XOPEN_SOURCE 700 /* nftw */
#include "fuzz.h"

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char folder[64];

static int remove_entry(const char *path, const struct stat *info, int type, struct FTW *place)
{
    (void)info, (void)type, (void)place;
    return remove(path);
}

static void remove_folder(void) { nftw(folder, remove_entry, 8, FTW_DEPTH | FTW_PHYS); }

const char *fuzz_folder(void)
{
    if (*folder) return folder;
    static const char *const parents[] = {"/dev/shm", "/tmp"};
    for (int i = 0; i < 2; i++) {
        snprintf(folder, sizeof folder, "%s/vkpix-fuzz-XXXXXX", parents[i]);
        if (!mkdtemp(folder)) continue;
        atexit(remove_folder);
        return folder;
    }
    perror("no folder for files");
    exit(1);
}

/* Not by base/file.h: that waits for the disk. */
const char *fuzz_write(const char *name, const void *data, size_t size)
{
    static char path[128];
    snprintf(path, sizeof path, "%s/%s", fuzz_folder(), name);
    FILE *file = fopen(path, "wb");
    fuzz_check(file && fwrite(data, 1, size, file) == size && fclose(file) == 0);
    return path;
}

void fuzz_assert(int holds, const char *what, const char *file, int line)
{
    if (holds) return;
    fprintf(stderr, "%s:%d: not true: %s (latest error: %s)\n", file, line, what, vkp_error());
    abort();
}

void fuzz_check_error(vkp_status status)
{
    const char *text = vkp_error(), *open = strchr(text, '('), *semicolon = strrchr(text, ';');
    const size_t length = strlen(text);
    fuzz_check(status != VKP_OK && status != VKP_INTERNAL && length > 0);
    fuzz_check(open && semicolon && open < semicolon && text[length - 1] == ')' && !strchr(text, '\n'));
}
