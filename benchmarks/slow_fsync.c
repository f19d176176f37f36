/* For LD_PRELOAD: an fsync takes TUNER_SLOW_FSYNC_MS longer, as on a disk that really waits for its platter or flash. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdlib.h>
#include <unistd.h>

static int slowly(const char *name, int descriptor) {
    const char *milliseconds = getenv("TUNER_SLOW_FSYNC_MS");
    int (*real)(int) = dlsym(RTLD_NEXT, name);
    if (milliseconds) usleep((useconds_t)(atof(milliseconds) * 1000));
    return real(descriptor);
}

int fsync(int descriptor) { return slowly("fsync", descriptor); }
int fdatasync(int descriptor) { return slowly("fdatasync", descriptor); }
