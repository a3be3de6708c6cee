/* A clock that runs fast, is stepped or leaps, for whole processes: LD_PRELOAD, made and steered by clock.py.
 *
 * What Python, libuv and our own calls of libc read of the time, and how long they wait, goes through here. Not
 * through here: CPU time, the times of files, and waits that are given to the kernel without libc. The file that
 * TTFTOP_FAULT_CLOCK names holds what the clock is told, and is shared by all processes of a run, so that their
 * CLOCK_MONOTONIC stays one.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

struct told {
    int64_t rate;     /* seconds of this clock in a true one */
    int64_t mono_ns;  /* the true CLOCK_MONOTONIC and CLOCK_REALTIME from which on it runs so */
    int64_t wall_ns;
    int64_t step_ns;  /* added to the wall clock only: somebody set it, or the machine was suspended */
    int64_t leap_ns;  /* added to all clocks: the machine stood still, and its time did not */
};

static const struct told *told;

__attribute__((constructor)) static void begin(void) {
    const char *path = getenv("TTFTOP_FAULT_CLOCK");
    int fd = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
    if (fd < 0)
        return;
    void *page = mmap(NULL, sizeof *told, PROT_READ, MAP_SHARED, fd, 0);
    close(fd);
    if (page != MAP_FAILED)
        told = page;
}

static int64_t ns(const struct timespec *t) { return t->tv_sec * 1000000000LL + t->tv_nsec; }

static struct timespec spec(int64_t at_ns) {
    if (at_ns < 0)
        at_ns = 0;
    return (struct timespec){at_ns / 1000000000, at_ns % 1000000000};
}

static int moved(clockid_t id) {
    return told && (id == CLOCK_REALTIME || id == CLOCK_REALTIME_COARSE || id == CLOCK_MONOTONIC
                    || id == CLOCK_MONOTONIC_COARSE || id == CLOCK_MONOTONIC_RAW || id == CLOCK_BOOTTIME);
}

static int is_wall(clockid_t id) { return id == CLOCK_REALTIME || id == CLOCK_REALTIME_COARSE; }

static int64_t shown(int64_t true_ns, int wall) {
    int64_t from = wall ? told->wall_ns : told->mono_ns;
    return from + (true_ns - from) * told->rate + told->leap_ns + (wall ? told->step_ns : 0);
}

static int64_t true_of(int64_t shown_ns, int wall) {
    int64_t from = wall ? told->wall_ns : told->mono_ns;
    return from + (shown_ns - told->leap_ns - (wall ? told->step_ns : 0) - from) / told->rate;
}

/* Rounded up: a wait that ends too early is waited anew, over and over. */
static struct timespec shorter(const struct timespec *t) {
    return spec((ns(t) + (told ? told->rate : 1) - 1) / (told ? told->rate : 1));
}

static struct timespec sooner(const struct timespec *t, int wall) {
    return told ? spec(true_of(ns(t), wall) + 1) : *t;
}

int clock_gettime(clockid_t id, struct timespec *out) {
    static int (*libc)(clockid_t, struct timespec *);
    if (!libc)
        libc = dlsym(RTLD_NEXT, "clock_gettime");
    int done = libc(id, out);
    if (done == 0 && moved(id))
        *out = spec(shown(ns(out), is_wall(id)));
    return done;
}

int gettimeofday(struct timeval *restrict out, void *restrict zone) {
    (void)zone;
    struct timespec now;
    int done = clock_gettime(CLOCK_REALTIME, &now);
    *out = (struct timeval){now.tv_sec, now.tv_nsec / 1000};
    return done;
}

time_t time(time_t *out) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    if (out)
        *out = now.tv_sec;
    return now.tv_sec;
}

/* What is left of a wait that a signal ended is told in true time: Python asks the clock instead. */
int clock_nanosleep(clockid_t id, int flags, const struct timespec *t, struct timespec *left) {
    struct timespec for_true = *t;
    if (moved(id))
        for_true = flags & TIMER_ABSTIME ? sooner(t, is_wall(id)) : shorter(t);
    return syscall(SYS_clock_nanosleep, id, flags, &for_true, left) ? errno : 0;
}

int nanosleep(const struct timespec *t, struct timespec *left) {
    int error = clock_nanosleep(CLOCK_MONOTONIC, 0, t, left);
    errno = error;
    return error ? -1 : 0;
}

int ppoll(struct pollfd *fds, nfds_t many, const struct timespec *t, const sigset_t *mask) {
    static int (*libc)(struct pollfd *, nfds_t, const struct timespec *, const sigset_t *);
    if (!libc)
        libc = dlsym(RTLD_NEXT, "ppoll");
    struct timespec for_true = t ? shorter(t) : (struct timespec){0, 0};
    return libc(fds, many, t ? &for_true : NULL, mask);
}

int poll(struct pollfd *fds, nfds_t many, int ms) {
    struct timespec t = spec(ms * 1000000LL);
    return ppoll(fds, many, ms < 0 ? NULL : &t, NULL);
}

int __poll_chk(struct pollfd *fds, nfds_t many, int ms, size_t size) {
    (void)size;
    return poll(fds, many, ms);
}

int pselect(int many, fd_set *in, fd_set *out, fd_set *odd, const struct timespec *t, const sigset_t *mask) {
    static int (*libc)(int, fd_set *, fd_set *, fd_set *, const struct timespec *, const sigset_t *);
    if (!libc)
        libc = dlsym(RTLD_NEXT, "pselect");
    struct timespec for_true = t ? shorter(t) : (struct timespec){0, 0};
    return libc(many, in, out, odd, t ? &for_true : NULL, mask);
}

int select(int many, fd_set *in, fd_set *out, fd_set *odd, struct timeval *t) {
    struct timespec wait = t ? spec(t->tv_sec * 1000000000LL + t->tv_usec * 1000LL) : (struct timespec){0, 0};
    return pselect(many, in, out, odd, t ? &wait : NULL, NULL);
}

int epoll_pwait(int fd, struct epoll_event *events, int most, int ms, const sigset_t *mask) {
    static int (*libc)(int, struct epoll_event *, int, int, const sigset_t *);
    if (!libc)
        libc = dlsym(RTLD_NEXT, "epoll_pwait");
    if (ms <= 0 || !told || told->rate == 1)
        return libc(fd, events, most, ms, mask);
    struct timespec t = spec(ms * 1000000LL), for_true = shorter(&t);
    int done = syscall(SYS_epoll_pwait2, fd, events, most, &for_true, mask, _NSIG / 8);
    if (done < 0 && errno == ENOSYS)
        done = libc(fd, events, most, (ms + told->rate - 1) / told->rate, mask);
    return done;
}

int epoll_wait(int fd, struct epoll_event *events, int most, int ms) {
    return epoll_pwait(fd, events, most, ms, NULL);
}

int sem_clockwait(sem_t *sem, clockid_t id, const struct timespec *t) {
    static int (*libc)(sem_t *, clockid_t, const struct timespec *);
    if (!libc)
        libc = dlsym(RTLD_NEXT, "sem_clockwait");
    struct timespec for_true = sooner(t, is_wall(id));
    return libc(sem, id, &for_true);
}

int sem_timedwait(sem_t *sem, const struct timespec *t) { return sem_clockwait(sem, CLOCK_REALTIME, t); }

int pthread_cond_clockwait(pthread_cond_t *cond, pthread_mutex_t *mutex, clockid_t id, const struct timespec *t) {
    static int (*libc)(pthread_cond_t *, pthread_mutex_t *, clockid_t, const struct timespec *);
    if (!libc)
        libc = dlsym(RTLD_NEXT, "pthread_cond_clockwait");
    struct timespec for_true = sooner(t, is_wall(id));
    return libc(cond, mutex, id, &for_true);
}

/* Which clock a condition goes by only libc knows; no machine has been up for so long as the epoch is past. */
int pthread_cond_timedwait(pthread_cond_t *cond, pthread_mutex_t *mutex, const struct timespec *t) {
    return pthread_cond_clockwait(cond, mutex, t->tv_sec > 1000000000 ? CLOCK_REALTIME : CLOCK_MONOTONIC, t);
}

int timerfd_settime(int fd, int flags, const struct itimerspec *new, struct itimerspec *old) {
    static int (*libc)(int, int, const struct itimerspec *, struct itimerspec *);
    if (!libc)
        libc = dlsym(RTLD_NEXT, "timerfd_settime");
    struct itimerspec for_true = *new;
    if (told && ns(&new->it_value)) {
        int wall = new->it_value.tv_sec > 1000000000;
        for_true.it_interval = shorter(&new->it_interval);
        for_true.it_value = flags & TFD_TIMER_ABSTIME ? sooner(&new->it_value, wall) : shorter(&new->it_value);
        if (!ns(&for_true.it_value))
            for_true.it_value.tv_nsec = 1;
    }
    return libc(fd, flags, &for_true, old);
}

/* The kernel stamps by its own wall clock. */
ssize_t recvmsg(int fd, struct msghdr *message, int flags) {
    static ssize_t (*libc)(int, struct msghdr *, int);
    if (!libc)
        libc = dlsym(RTLD_NEXT, "recvmsg");
    ssize_t got = libc(fd, message, flags);
    if (got < 0 || !told)
        return got;
    for (struct cmsghdr *part = CMSG_FIRSTHDR(message); part; part = CMSG_NXTHDR(message, part)) {
        if (part->cmsg_level != SOL_SOCKET || part->cmsg_type != SO_TIMESTAMPNS)
            continue;
        struct timespec stamp;
        memcpy(&stamp, CMSG_DATA(part), sizeof stamp);
        stamp = spec(shown(ns(&stamp), 1));
        memcpy(CMSG_DATA(part), &stamp, sizeof stamp);
    }
    return got;
}
