/* Preloaded into a child of tests/faults.rs: while the file $PUMICE_SHIM/NAME exists, the calls of
   that name fail on files called data.mdb, and each failure adds a byte to $PUMICE_SHIM/NAME.count.
   sync: fdatasync, fsync, msync with EIO. space: writes with ENOSPC. meta: writes to descriptors
   opened with O_DSYNC, which LMDB uses for its meta page alone, with EIO. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/uio.h>
#include <unistd.h>

static int fails(const char *name, int fd) {
    const char *dir = getenv("PUMICE_SHIM");
    char path[4096], link[64], file[4096];
    if (!dir) return 0;
    if (fd >= 0) {
        snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
        ssize_t n = readlink(link, file, sizeof file - 1);
        if (n < 8 || memcmp(file + n - 8, "data.mdb", 8) != 0) return 0;
    }
    snprintf(path, sizeof path, "%s/%s", dir, name);
    if (access(path, F_OK) != 0) return 0;
    strncat(path, ".count", sizeof path - strlen(path) - 1);
    FILE *count = fopen(path, "a");
    if (count) { fputc('x', count); fclose(count); }
    return 1;
}

static int write_fails(int fd) {
    if (fails("space", fd)) { errno = ENOSPC; return 1; }
    if ((fcntl(fd, F_GETFL) & O_DSYNC) && fails("meta", fd)) { errno = EIO; return 1; }
    return 0;
}

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

int fdatasync(int fd) {
    if (fails("sync", fd)) { errno = EIO; return -1; }
    return REAL(fdatasync)(fd);
}
int fsync(int fd) {
    if (fails("sync", fd)) { errno = EIO; return -1; }
    return REAL(fsync)(fd);
}
int msync(void *at, size_t len, int flags) {
    if (fails("sync", -1)) { errno = EIO; return -1; }
    return REAL(msync)(at, len, flags);
}
ssize_t pwrite(int fd, const void *buf, size_t len, off_t at) {
    return write_fails(fd) ? -1 : REAL(pwrite)(fd, buf, len, at);
}
ssize_t pwrite64(int fd, const void *buf, size_t len, off64_t at) {
    return write_fails(fd) ? -1 : REAL(pwrite64)(fd, buf, len, at);
}
ssize_t writev(int fd, const struct iovec *iov, int n) {
    return write_fails(fd) ? -1 : REAL(writev)(fd, iov, n);
}
ssize_t pwritev(int fd, const struct iovec *iov, int n, off_t at) {
    return write_fails(fd) ? -1 : REAL(pwritev)(fd, iov, n, at);
}
ssize_t write(int fd, const void *buf, size_t len) {
    return write_fails(fd) ? -1 : REAL(write)(fd, buf, len);
}
