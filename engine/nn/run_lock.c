#include "nn/run_lock.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/file.h"

static vkp_status refuse(const char *run, int fd)
{
    struct flock holder = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    if (fcntl(fd, F_GETLK, &holder) == 0 && holder.l_type != F_UNLCK && holder.l_pid > 0)
        return vkp_fail(VKP_INPUT,
                        "cannot train in %s (process %ld trains there already; wait for its end or give "
                        "another --out)",
                        run, (long)holder.l_pid);
    return vkp_fail(VKP_INPUT,
                    "cannot train in %s (another process trains there already; wait for its end or give "
                    "another --out)",
                    run);
}

static vkp_status lock_file(const char *run, const char *path, int *lock)
{
    const int fd = *lock = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0666);
    if (fd < 0) return vkp_fail_errno("write", path, errno);
    const struct flock whole = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    if (fcntl(fd, F_SETLK, &whole) == 0) return VKP_OK;
    const int error = errno;
    if (error == EACCES || error == EAGAIN) return refuse(run, fd);
    const bool no_locks = error == ENOLCK || error == ENOSYS || error == EINVAL || error == EOPNOTSUPP;
    return no_locks ? VKP_OK : vkp_fail_errno("lock", path, error);
}

vkp_status vkp_run_lock_take(const char *run, int *lock)
{
    char *path;
    *lock = -1;
    VKP_TRY(vkp_path_join(run, "lock", &path));
    const vkp_status status = lock_file(run, path, lock);
    free(path);
    return status;
}

void vkp_run_lock_release(int lock)
{
    if (lock >= 0) close(lock);
}
