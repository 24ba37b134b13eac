/* Whole files read and written through the POSIX calls; see file.h for the promise about final names. */
#include "base/file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct vkp_file_writer {
    char *path;      /* the final name */
    char *temporary; /* the name until commit; in the same folder, since rename cannot cross file systems */
    int fd;
};

static const char *remedy(int error)
{
    switch (error) {
    case ENOSPC:
    case EDQUOT: return "free some disk space or choose another folder";
    case EROFS: return "choose a folder that can be written";
    case EACCES:
    case EPERM: return "check the permissions";
    case ENOENT: return "check the path";
    case ENOTDIR: return "a part of the path is not a folder; check the path";
    case EISDIR: return "name a file, not a folder";
    case ENAMETOOLONG: return "choose a shorter name";
    case ELOOP: return "remove the circle of links";
    case EMFILE:
    case ENFILE: return "raise the limit of open files, ulimit -n";
    case EFBIG: return "raise the limit of file size, ulimit -f";
    case ENOMEM: return "free some memory";
    default: return "check the disk";
    }
}

vkp_status vkp_fail_errno(const char *action, const char *path, int error)
{
    char reason[128];
    if (strerror_r(error, reason, sizeof reason) != 0) snprintf(reason, sizeof reason, "error %d", error);
    const vkp_status code = error == ENOMEM                           ? VKP_MEMORY
                            : error == ENAMETOOLONG || error == ELOOP ? VKP_INPUT
                                                                      : VKP_IO;
    return vkp_fail(code, "cannot %s %s (%s; %s)", action, path, reason,
                    remedy(error));
}

/* Reads up to `bytes` bytes; *got is less only at the end of the file. */
static int read_fully(int fd, char *data, size_t bytes, size_t *got)
{
    *got = 0;
    while (*got < bytes) {
        ssize_t n = read(fd, data + *got, bytes - *got);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) return errno;
        if (n == 0) break;
        *got += (size_t)n;
    }
    return 0;
}

static vkp_status read_open_file(const char *path, int fd, size_t limit, void **data, size_t *bytes)
{
    struct stat info;
    if (fstat(fd, &info) != 0) return vkp_fail_errno("read", path, errno);
    if (!S_ISREG(info.st_mode)) return vkp_fail(VKP_INPUT, "cannot read %s (not a file; name a file)", path);
    if ((uintmax_t)info.st_size > limit || (uintmax_t)info.st_size >= SIZE_MAX) {
        return vkp_fail(VKP_INPUT, "cannot read %s (%ju bytes, and at most %zu are read; use a smaller file)",
                        path, (uintmax_t)info.st_size, limit);
    }
    char *content = malloc((size_t)info.st_size + 1);
    if (!content) return vkp_fail_errno("read", path, ENOMEM);
    size_t got;
    int error = read_fully(fd, content, (size_t)info.st_size, &got);
    if (error) {
        free(content);
        return vkp_fail_errno("read", path, error);
    }
    content[got] = 0;
    *data = content;
    *bytes = got;
    return VKP_OK;
}

vkp_status vkp_file_read(const char *path, size_t limit, void **data, size_t *bytes)
{
    *data = NULL;
    *bytes = 0;
    /* Without O_NONBLOCK, opening a named pipe would wait for a writer. */
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0) return vkp_fail_errno("read", path, errno);
    vkp_status status = read_open_file(path, fd, limit, data, bytes);
    close(fd);
    return status;
}

/* Whose writer it is, and its count. */
#define TEMPORARY ".vkpix-%ld-%u.tmp"

/* The length of the folder part of `path`, its last '/' included; 0 for a bare name. */
static size_t folder_length(const char *path) { return (size_t)(vkp_path_base(path) - path); }

/* Creates the temporary file. Its name is short and its own, so that a long final name still fits; mode 0666
 * lets the user's umask decide, which mkstemp would not. */
static int create_temporary(vkp_file_writer *writer)
{
    size_t folder = folder_length(writer->path);
    size_t room = folder + 64;
    writer->temporary = malloc(room);
    if (!writer->temporary) return ENOMEM;
    for (unsigned n = 0;; n++) {
        snprintf(writer->temporary, room, "%.*s" TEMPORARY, (int)folder, writer->path, (long)getpid(), n);
        writer->fd = open(writer->temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
        if (writer->fd >= 0) return 0;
        if (errno != EEXIST || n == 9999) return errno;
    }
}

vkp_status vkp_file_writer_open(const char *path, vkp_file_writer **writer)
{
    *writer = NULL;
    struct stat info;
    if (!*vkp_path_base(path)) {
        return vkp_fail(VKP_INPUT, "cannot write '%s' (no file name; name a file, not a folder)", path);
    }
    /* Renaming onto a device would replace the device itself (/dev/null, for a superuser). */
    if (stat(path, &info) == 0 && !S_ISREG(info.st_mode)) {
        return vkp_fail(VKP_INPUT, "cannot write %s (not a file; choose another name)", path);
    }
    vkp_file_writer *made = calloc(1, sizeof *made);
    if (!made) return vkp_fail_errno("write", path, ENOMEM);
    made->fd = -1;
    made->path = strdup(path);
    int error = made->path ? create_temporary(made) : ENOMEM;
    if (error) {
        vkp_file_writer_abandon(made);
        return vkp_fail_errno("write", path, error);
    }
    *writer = made;
    return VKP_OK;
}

vkp_status vkp_file_writer_write(vkp_file_writer *writer, const void *data, size_t bytes)
{
    for (const char *at = data; bytes;) {
        ssize_t n = write(writer->fd, at, bytes);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) return vkp_fail_errno("write", writer->path, errno);
        at += n;
        bytes -= (size_t)n;
    }
    return VKP_OK;
}

static int sync_fully(int fd)
{
    while (fsync(fd) != 0) {
        if (errno != EINTR) return errno;
    }
    return 0;
}

vkp_status vkp_file_sync_parent(const char *path)
{
    size_t length = folder_length(path);
    char *folder = length ? strndup(path, length) : strdup(".");
    if (!folder) return vkp_fail_errno("write", path, ENOMEM);
    /* A folder may allow new entries and yet not be readable, and some file systems cannot flush folders:
     * in both cases there is nothing more to be done. */
    int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    free(folder);
    int error = fd < 0 ? errno : sync_fully(fd);
    if (fd >= 0) close(fd);
    if (!error || error == EACCES || error == EINVAL || error == ENOTSUP) return VKP_OK;
    return vkp_fail_errno("write", path, error);
}

vkp_status vkp_file_writer_commit(vkp_file_writer *writer)
{
    vkp_status status = VKP_OK;
    int error = sync_fully(writer->fd);
    /* Network file systems report a full disk only at close. */
    if (close(writer->fd) != 0 && !error) error = errno;
    writer->fd = -1;
    if (!error && rename(writer->temporary, writer->path) != 0) error = errno;
    if (error) {
        status = vkp_fail_errno("write", writer->path, error);
    } else {
        free(writer->temporary);
        writer->temporary = NULL;
        status = vkp_file_sync_parent(writer->path);
    }
    vkp_file_writer_abandon(writer);
    return status;
}

void vkp_file_writer_abandon(vkp_file_writer *writer)
{
    if (!writer) return;
    if (writer->fd >= 0) close(writer->fd);
    if (writer->temporary) unlink(writer->temporary);
    free(writer->temporary);
    free(writer->path);
    free(writer);
}

vkp_status vkp_file_write(const char *path, const void *data, size_t bytes)
{
    vkp_file_writer *writer;
    VKP_TRY(vkp_file_writer_open(path, &writer));
    vkp_status status = vkp_file_writer_write(writer, data, bytes);
    if (status == VKP_OK) return vkp_file_writer_commit(writer);
    vkp_file_writer_abandon(writer);
    return status;
}

static bool is_left_over(const char *name, bool all)
{
    long writer;
    unsigned n;
    char again[64];
    if (sscanf(name, TEMPORARY, &writer, &n) != 2 || writer <= 0) return false;
    snprintf(again, sizeof again, TEMPORARY, writer, n);
    if (strcmp(name, again) != 0) return false;
    return all || writer == (long)getpid() || (kill((pid_t)writer, 0) != 0 && errno == ESRCH);
}

void vkp_file_sweep(const char *folder, bool all)
{
    DIR *dir = opendir(folder);
    for (struct dirent *e; dir && (e = readdir(dir));) {
        char *path;
        if (!is_left_over(e->d_name, all) || vkp_path_join(folder, e->d_name, &path) != VKP_OK) continue;
        unlink(path);
        free(path);
    }
    if (dir) closedir(dir);
}

/* Makes each prefix of `path` that ends before a '/', then the whole. `path` is changed meanwhile. */
static int make_each_folder(char *path)
{
    for (char *at = path + 1;; at++) {
        if (*at && *at != '/') continue;
        char end = *at;
        *at = 0;
        int error = mkdir(path, 0777) == 0 ? 0 : errno;
        /* Of an existing part only the kind matters: mkdir may answer EROFS or EACCES for it. */
        if (error && vkp_folder_exists(path)) error = 0;
        if (error == EEXIST) error = ENOTDIR;
        *at = end;
        if (error || !end) return error;
    }
}

vkp_status vkp_folder_make(const char *path)
{
    if (!*path) return vkp_fail(VKP_INPUT, "cannot make a folder without a name (empty path; name one)");
    char *copy = strdup(path);
    int error = copy ? make_each_folder(copy) : ENOMEM;
    free(copy);
    if (error == ENOTDIR) {
        return vkp_fail(VKP_INPUT, "cannot make folder %s (a file is in the way; choose another name)", path);
    }
    return error ? vkp_fail_errno("make folder", path, error) : VKP_OK;
}

bool vkp_file_exists(const char *path)
{
    struct stat info;
    return stat(path, &info) == 0 && S_ISREG(info.st_mode);
}

bool vkp_folder_exists(const char *path)
{
    struct stat info;
    return stat(path, &info) == 0 && S_ISDIR(info.st_mode);
}

vkp_status vkp_path_join(const char *folder, const char *name, char **joined)
{
    size_t length = strlen(folder);
    const char *between = length && folder[length - 1] != '/' ? "/" : "";
    size_t room = length + strlen(name) + 2;
    *joined = malloc(room);
    if (!*joined) return vkp_fail(VKP_MEMORY, "cannot make a path (host memory ran out; free some memory)");
    snprintf(*joined, room, "%s%s%s", folder, between, name);
    return VKP_OK;
}

const char *vkp_path_base(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

const char *vkp_path_extension(const char *path)
{
    const char *base = vkp_path_base(path);
    const char *dot = strrchr(base, '.');
    return dot && dot != base ? dot + 1 : "";
}
