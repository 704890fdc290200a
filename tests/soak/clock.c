/* A wall clock that a test sets: preloaded into a program, it adds the seconds that stand in the file of DIURNAL_TEST_CLOCK to real time.
 * The monotonic clock stays as it is. A wait until a time of the wall clock looks at it again and again, as the kernel's does when it is
 * set: put back, such a wait gets longer. libfaketime does the same and more, but can't be loaded into a program with an allocator of
 * its own: glibc's dlsym, which it calls for names that are not there, then frees what another allocator gave. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <threads.h>
#include <time.h>
#include <unistd.h>

#define SECOND 1000000000LL
#define LOOK_AGAIN 20000000LL /* nanoseconds */

static long long offset(void)
{
    const char *path = getenv("DIURNAL_TEST_CLOCK");
    char text[32] = {0};
    int file = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
    if (file < 0)
        return 0;
    ssize_t got = read(file, text, sizeof text - 1);
    close(file);
    return got > 0 ? atoll(text) : 0;
}

int clock_gettime(clockid_t clock, struct timespec *now)
{
    int failed = (int)syscall(SYS_clock_gettime, clock, now);
    if (!failed && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE)) {
        int before = errno;
        now->tv_sec += offset();
        errno = before;
    }
    return failed;
}

int gettimeofday(struct timeval *restrict now, void *restrict zone)
{
    (void)zone;
    struct timespec precise;
    clock_gettime(CLOCK_REALTIME, &precise);
    now->tv_sec = precise.tv_sec;
    now->tv_usec = precise.tv_nsec / 1000;
    return 0;
}

time_t time(time_t *now)
{
    struct timespec precise;
    clock_gettime(CLOCK_REALTIME, &precise);
    if (now)
        *now = precise.tv_sec;
    return precise.tv_sec;
}

int timespec_get(struct timespec *now, int base)
{
    return base == TIME_UTC && clock_gettime(CLOCK_REALTIME, now) == 0 ? base : 0;
}

static long long nanoseconds(const struct timespec *time)
{
    return time->tv_sec * SECOND + time->tv_nsec;
}

int pthread_cond_timedwait(pthread_cond_t *restrict cond, pthread_mutex_t *restrict mutex, const struct timespec *restrict until)
{
    for (;;) {
        struct timespec now, look;
        clock_gettime(CLOCK_REALTIME, &now);
        long long left = nanoseconds(until) - nanoseconds(&now);
        long long slice = left < LOOK_AGAIN ? left : LOOK_AGAIN;
        syscall(SYS_clock_gettime, CLOCK_MONOTONIC, &look);
        long long end = nanoseconds(&look) + (slice > 0 ? slice : 0);
        look.tv_sec = end / SECOND;
        look.tv_nsec = end % SECOND;
        int ended = pthread_cond_clockwait(cond, mutex, CLOCK_MONOTONIC, &look);
        if (ended != ETIMEDOUT || left <= LOOK_AGAIN)
            return ended;
    }
}

/* glibc's C11 threads are its POSIX threads under other names. */
int cnd_timedwait(cnd_t *restrict cond, mtx_t *restrict mutex, const struct timespec *restrict until)
{
    switch (pthread_cond_timedwait((pthread_cond_t *)cond, (pthread_mutex_t *)mutex, until)) {
    case 0:
        return thrd_success;
    case ETIMEDOUT:
        return thrd_timedout;
    default:
        return thrd_error;
    }
}
