/* The fair write lock. See write_lock.h. Nothing is ever written to the file; deleting it while the database is in use
 * would give two processes two locks, so it stays. */
#include "db/write_lock.h"
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

enum { TURNSTILE_BYTE, LOCK_BYTE };

static int set_byte(int fd, int command, short type, int byte)
{
    struct flock range = {.l_type = type, .l_whence = SEEK_SET, .l_start = byte, .l_len = 1};
    int rc;
    do
        rc = fcntl(fd, command, &range);
    while (rc == -1 && errno == EINTR);
    return rc;
}

int write_lock_open(const char *path, int *ret_fd, struct error *e)
{
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (fd == -1)
        return error_set(e, ERR_DATABASE, "cannot open %s: %s", path, strerror(errno));
    *ret_fd = fd;
    return 0;
}

int write_lock_take(int fd, struct error *e)
{
    if (set_byte(fd, F_OFD_SETLKW, F_WRLCK, TURNSTILE_BYTE) == -1)
        return error_set(e, ERR_DATABASE, "cannot take the write lock: %s", strerror(errno));
    int rc = set_byte(fd, F_OFD_SETLKW, F_WRLCK, LOCK_BYTE);
    int saved = errno;
    set_byte(fd, F_OFD_SETLK, F_UNLCK, TURNSTILE_BYTE);
    return rc == -1 ? error_set(e, ERR_DATABASE, "cannot take the write lock: %s", strerror(saved)) : 0;
}

void write_lock_drop(int fd)
{
    set_byte(fd, F_OFD_SETLK, F_UNLCK, LOCK_BYTE);
}
