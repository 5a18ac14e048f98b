#include "kernel/system_call.h"

#include <stddef.h>
#include <string.h>
#include <sys/syscall.h>

#define CALL(name, ...)                                                                                      \
    {                                                                                                        \
        SYS_##name, #name, __VA_ARGS__                                                                       \
    }

/* A machine that came late has only the newer of two calls. */
static const struct system_call calls[] = {
#ifdef SYS_epoll_wait
    CALL(epoll_wait, IN_EPOLL_WAIT, 0),
#endif
    CALL(epoll_pwait, IN_EPOLL_WAIT, 0),
#ifdef SYS_epoll_pwait2
    CALL(epoll_pwait2, IN_EPOLL_WAIT, 0),
#endif
#ifdef SYS_poll
    CALL(poll, IN_POLL, -1),
#endif
    CALL(ppoll, IN_POLL, -1),
#ifdef SYS_select
    CALL(select, IN_SELECT, -1),
#endif
    CALL(pselect6, IN_SELECT, -1),
    CALL(accept, IN_ACCEPT, 0),
    CALL(accept4, IN_ACCEPT, 0),
#ifdef SYS_io_uring_enter
    CALL(io_uring_enter, IN_IO_URING, 0),
#endif
    CALL(read, IN_READ, 0),
    CALL(readv, IN_READ, 0),
    CALL(recvfrom, IN_READ, 0),
    CALL(recvmsg, IN_READ, 0),
    CALL(recvmmsg, IN_READ, 0),
    CALL(write, IN_WRITE, 0),
    CALL(writev, IN_WRITE, 0),
    CALL(sendto, IN_WRITE, 0),
    CALL(sendmsg, IN_WRITE, 0),
    CALL(sendmmsg, IN_WRITE, 0),
    CALL(sendfile, IN_WRITE, 0),
    CALL(connect, IN_CONNECT, 0),
    CALL(futex, IN_FUTEX, -1),
#ifdef SYS_futex_waitv
    CALL(futex_waitv, IN_FUTEX, -1),
#endif
#ifdef SYS_futex_wait
    CALL(futex_wait, IN_FUTEX, -1),
#endif
    CALL(nanosleep, IN_SLEEP, -1),
    CALL(clock_nanosleep, IN_SLEEP, -1),
    CALL(wait4, IN_CHILD, -1),
    CALL(waitid, IN_CHILD, -1),
#ifdef SYS_pause
    CALL(pause, IN_SIGNAL, -1),
#endif
    CALL(rt_sigtimedwait, IN_SIGNAL, -1),
    CALL(rt_sigsuspend, IN_SIGNAL, -1),
#ifdef SYS_open
    CALL(open, IN_FILE, -1),
#endif
    CALL(openat, IN_FILE, -1),
    CALL(close, IN_FILE, 0),
    CALL(pread64, IN_FILE, 0),
    CALL(pwrite64, IN_FILE, 0),
    CALL(preadv, IN_FILE, 0),
    CALL(pwritev, IN_FILE, 0),
    CALL(fsync, IN_FILE, 0),
    CALL(fdatasync, IN_FILE, 0),
    CALL(flock, IN_FILE, 0),
    CALL(fcntl, IN_FILE, 0),
    CALL(fallocate, IN_FILE, 0),
    CALL(ioctl, IN_OTHER, 0),
    CALL(shutdown, IN_OTHER, 0),
    CALL(splice, IN_SOCKET, -1), /* of its two descriptors either may be it */
    CALL(tee, IN_SOCKET, -1),
    CALL(io_getevents, IN_UNKNOWN, -1), /* of what, only its requests know */
#ifdef SYS_io_pgetevents
    CALL(io_pgetevents, IN_UNKNOWN, -1),
#endif
    CALL(msgrcv, IN_OTHER, -1),
    CALL(msgsnd, IN_OTHER, -1),
    CALL(semop, IN_OTHER, -1),
    CALL(semtimedop, IN_OTHER, -1),
    CALL(mq_timedreceive, IN_OTHER, -1),
    CALL(mq_timedsend, IN_OTHER, -1),
    CALL(clone, IN_OTHER, -1),
#ifdef SYS_vfork
    CALL(vfork, IN_OTHER, -1),
#endif
    CALL(restart_syscall, IN_UNKNOWN, -1), /* see thread_call.c */
};

const struct system_call *system_call_of(long number)
{
    for (size_t i = 0; i < sizeof calls / sizeof calls[0]; i++)
        if (calls[i].number == number)
            return &calls[i];
    return NULL;
}

/* Linux 4.19 to 6.18. A compiler's suffix may follow (".constprop.0"). */
static const struct {
    const char *function;
    enum call_kind kind;
} sleeps[] = {
    {"do_epoll_wait", IN_EPOLL_WAIT},
    {"ep_poll", IN_EPOLL_WAIT},
    {"poll_schedule_timeout", IN_POLL_OR_SELECT},
    {"do_sys_poll", IN_POLL},
    {"do_poll", IN_POLL},
    {"do_select", IN_SELECT},
    {"inet_csk_accept", IN_ACCEPT},
    {"inet_csk_wait_for_connect", IN_ACCEPT},
    {"io_cqring_wait", IN_IO_URING},
    {"io_cqring_schedule_timeout", IN_IO_URING},
    {"__io_cqring_wait_schedule", IN_IO_URING},
    {"wait_woken", IN_SOCKET},
    {"sk_wait_data", IN_SOCKET},
    {"sk_stream_wait_memory", IN_SOCKET},
    {"sk_stream_wait_connect", IN_SOCKET},
    {"inet_wait_for_connect", IN_SOCKET},
    {"inet_stream_connect", IN_SOCKET},
    {"__inet_stream_connect", IN_SOCKET},
    {"tcp_recvmsg", IN_SOCKET},
    {"tcp_recvmsg_locked", IN_SOCKET},
    {"unix_stream_data_wait", IN_SOCKET},
    {"unix_stream_read_generic", IN_SOCKET},
    {"unix_wait_for_peer", IN_SOCKET},
    {"__skb_wait_for_more_packets", IN_SOCKET},
    {"futex_do_wait", IN_FUTEX},
    {"futex_wait_queue", IN_FUTEX},
    {"futex_wait_queue_me", IN_FUTEX},
    {"futex_wait_multiple", IN_FUTEX},
    {"hrtimer_nanosleep", IN_SLEEP},
    {"do_nanosleep", IN_SLEEP},
    {"do_wait", IN_CHILD},
    {"kernel_wait4", IN_CHILD},
    {"kernel_waitid", IN_CHILD},
    {"do_sigtimedwait", IN_SIGNAL},
    {"sigsuspend", IN_SIGNAL},
    {"__x64_sys_pause", IN_SIGNAL},
    {"sys_pause", IN_SIGNAL},
    {"pipe_read", IN_FILE},
    {"pipe_write", IN_FILE},
    {"pipe_wait", IN_FILE},
    {"pipe_wait_readable", IN_FILE},
    {"anon_pipe_read", IN_FILE},
    {"anon_pipe_write", IN_FILE},
    {"eventfd_read", IN_FILE},
    {"n_tty_read", IN_FILE},
    {"folio_wait_bit_common", IN_FILE},
    {"flock_lock_inode_wait", IN_FILE},
    {"locks_lock_inode_wait", IN_FILE},
    {"read_events", IN_UNKNOWN},
    {"io_wq_worker", IN_NOTHING}, /* a ring's own threads, with nothing to do */
    {"io_wqe_worker", IN_NOTHING},
    {"io_sq_thread", IN_NOTHING},
};

enum call_kind call_kind_of_wchan(const char *function)
{
    size_t length = strcspn(function, ".\n");
    for (size_t i = 0; i < sizeof sleeps / sizeof sleeps[0]; i++)
        if (strlen(sleeps[i].function) == length && strncmp(sleeps[i].function, function, length) == 0)
            return sleeps[i].kind;
    return IN_UNKNOWN;
}
