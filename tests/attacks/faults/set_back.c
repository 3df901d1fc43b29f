/* The time of day, some seconds earlier, for one process that has this library loaded before all others; what counts
   time from an arbitrary start (CLOCK_MONOTONIC) goes on as it is, as on a machine whose clock is set. */
#define _GNU_SOURCE
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static time_t earlier(void) {
    const char *seconds = getenv("RADZOO_CLOCK_EARLIER_S");
    return seconds ? (time_t)atoll(seconds) : 0;
}

int clock_gettime(clockid_t clock, struct timespec *now) {
    int failed = (int)syscall(SYS_clock_gettime, clock, now);
    if (!failed && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE)) now->tv_sec -= earlier();
    return failed;
}

int gettimeofday(struct timeval *now, void *zone) {
    struct timespec real;
    (void)zone;
    clock_gettime(CLOCK_REALTIME, &real);
    now->tv_sec = real.tv_sec;
    now->tv_usec = real.tv_nsec / 1000;
    return 0;
}

time_t time(time_t *there) {
    struct timespec real;
    clock_gettime(CLOCK_REALTIME, &real);
    if (there) *there = real.tv_sec;
    return real.tv_sec;
}
