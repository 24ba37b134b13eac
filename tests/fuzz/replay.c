/* A fuzz target as an ordinary test: every file of the folder named on the command line is read once. */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "fuzz.h"

/* The bytes as a block of their own, so that reading past its end is noticed. */
static void replay(const char *folder, const char *name)
{
    char path[4096];
    void *data;
    size_t size;
    snprintf(path, sizeof path, "%s/%s", folder, name);
    printf("%s\n", path);
    fflush(stdout); /* the last line is the one to look at */
    if (vkp_file_read(path, 1 << 24, &data, &size) != VKP_OK) {
        fprintf(stderr, "%s\n", vkp_error());
        exit(1);
    }
    uint8_t *exact = malloc(size ? size : 1);
    if (!exact) exit(1);
    memcpy(exact, data, size);
    free(data);
    LLVMFuzzerTestOneInput(exact, size);
    free(exact);
}

static int not_hidden(const struct dirent *entry) { return entry->d_name[0] != '.'; }

int main(int count, char **words)
{
    struct dirent **entries;
    const int files = count == 2 ? scandir(words[1], &entries, not_hidden, alphasort) : 0;
    if (files < 1) {
        fputs("usage: replay FOLDER, with files in it\n", stderr);
        return 2;
    }
    for (int i = 0; i < files; i++) {
        replay(words[1], entries[i]->d_name);
        free(entries[i]);
    }
    free(entries);
    return 0;
}
