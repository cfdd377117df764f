"""A disk that fails on demand: a small library, compiled here and loaded before the server's own.

While the control file exists, calls on files named *.db fail as it says: `write` refuses every other write with no space
left, `short` writes a part and refuses the rest, `sync` fails every other fsync and fdatasync with an I/O error.
"""
import os
import shutil
import subprocess

SOURCE = r"""
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

static unsigned calls;

/* The first letter of the control file if the call on `fd` is to fail, else 0. */
static char fault(int fd) {
    char link[64], path[512], mode = 0;
    const char *control = getenv("FAULTS");
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t n = readlink(link, path, sizeof path - 1);
    if (!control || n < 3 || memcmp(path + n - 3, ".db", 3)) return 0;
    FILE *f = fopen(control, "r");
    if (!f) return 0;
    if (fread(&mode, 1, 1, f) != 1) mode = 0;
    fclose(f);
    return mode;
}

static int odd(void) { return __atomic_fetch_add(&calls, 1, __ATOMIC_RELAXED) & 1; }

#define REAL(name) static __typeof__(&name) real; if (!real) real = (__typeof__(&name)) dlsym(RTLD_NEXT, #name)

ssize_t write(int fd, const void *b, size_t n) {
    REAL(write);
    char m = fault(fd);
    if (m == 'w' && odd()) { errno = ENOSPC; return -1; }
    if (m == 's') { if (n < 2 || odd()) { errno = ENOSPC; return -1; } return real(fd, b, n / 2); }
    return real(fd, b, n);
}

ssize_t writev(int fd, const struct iovec *v, int n) {
    REAL(writev);
    char m = fault(fd);
    if ((m == 'w' || m == 's') && odd()) { errno = ENOSPC; return -1; }
    return real(fd, v, n);
}

ssize_t pwrite64(int fd, const void *b, size_t n, off64_t at) {
    REAL(pwrite64);
    char m = fault(fd);
    if (m == 'w' && odd()) { errno = ENOSPC; return -1; }
    if (m == 's') { if (n < 2 || odd()) { errno = ENOSPC; return -1; } return real(fd, b, n / 2, at); }
    return real(fd, b, n, at);
}

int fdatasync(int fd) { REAL(fdatasync); if (fault(fd) == 'y' && odd()) { errno = EIO; return -1; } return real(fd); }
int fsync(int fd) { REAL(fsync); if (fault(fd) == 'y' && odd()) { errno = EIO; return -1; } return real(fd); }
"""
LETTER = {"write": "w", "short": "s", "sync": "y"}


class Faults:
    """The library in `dir`, and its switch."""

    def __init__(self, dir):
        self.library, self.control = dir + "/faults.so", dir + "/faults"
        with open(dir + "/faults.c", "w") as f:
            f.write(SOURCE)
        subprocess.run(["cc", "-O1", "-shared", "-fPIC", "-o", self.library, dir + "/faults.c", "-ldl"], check=True)

    def env(self):
        return {"LD_PRELOAD": self.library, "FAULTS": self.control}

    def on(self, mode):
        with open(self.control + ".new", "w") as f:
            f.write(LETTER[mode])
        os.rename(self.control + ".new", self.control)

    def off(self):
        if os.path.exists(self.control):
            os.unlink(self.control)


def compiler():
    return shutil.which("cc")
