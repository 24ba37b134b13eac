#define _XOPEN_SOURCE 700 /* nftw */
#include "scratch.h"

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static char folder[4096];

int scratch_enter(void **state)
{
    (void)state;
    const char *parent = getenv("TMPDIR");
    int n = snprintf(folder, sizeof folder, "%s/vkpix-test-XXXXXX", parent && *parent ? parent : "/tmp");
    return n < (int)sizeof folder && mkdtemp(folder) && chdir(folder) == 0 ? 0 : -1;
}

static int remove_entry(const char *path, const struct stat *info, int type, struct FTW *place)
{
    (void)info, (void)type, (void)place;
    return remove(path);
}

int scratch_remove(const char *path) { return nftw(path, remove_entry, 32, FTW_DEPTH | FTW_PHYS); }

int scratch_leave(void **state)
{
    (void)state;
    return chdir("/") == 0 ? scratch_remove(folder) : -1;
}
