#include "trace/call_events.h"

#include "base/array.h"
#include "trace/tracepoints.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/perf_event.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/sysinfo.h>
#include <time.h>
#include <unistd.h>

#if defined(__x86_64__) || defined(__aarch64__)
#include <asm/perf_regs.h>
#endif

enum {
    RINGS_SIZE = 64 << 20, /* bytes of all rings: with less, a burst is lost in part */
    RING_LEAST = 512 << 10,
    RING_MOST = 32 << 20,
    STACK_COPIED = 8192,  /* a function that reads has a buffer of 4096 bytes often */
    SETTLED_NS = 2000000, /* what is older than that is in all rings */
    LISTED_AGAIN = 8,     /* times, while threads come */
};

struct call_ring {
    int fd, processor;
    struct perf_event_mmap_page *page;
    const uint8_t *data;
};

/* A record that is not handed on yet. */
struct pending_event {
    uint64_t time;
    size_t order; /* in which they were read: of one ring, its own */
    const uint8_t *bytes;
    uint8_t *owned; /* one that goes round the ring's end is copied */
};

/* ---- which registers, and where the kernel puts them ---- */

#if defined(__x86_64__)
/* By DWARF's numbers. */
static const uint8_t perf_register[] = {
    PERF_REG_X86_AX,  PERF_REG_X86_DX,  PERF_REG_X86_CX,  PERF_REG_X86_BX,  PERF_REG_X86_SI,
    PERF_REG_X86_DI,  PERF_REG_X86_BP,  PERF_REG_X86_SP,  PERF_REG_X86_R8,  PERF_REG_X86_R9,
    PERF_REG_X86_R10, PERF_REG_X86_R11, PERF_REG_X86_R12, PERF_REG_X86_R13, PERF_REG_X86_R14,
    PERF_REG_X86_R15, PERF_REG_X86_IP};
enum { PC_REGISTER = PERF_REG_X86_IP, SP_REGISTER = PERF_REG_X86_SP };
#elif defined(__aarch64__)
static const uint8_t perf_register[] = {0,  1,  2,  3,  4,  5,  6,  7,  8,  9,  10, 11, 12, 13, 14, 15,
                                        16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31};
enum { PC_REGISTER = PERF_REG_ARM64_PC, SP_REGISTER = PERF_REG_ARM64_SP };
#else
static const uint8_t perf_register[] = {0};
enum { PC_REGISTER = 0, SP_REGISTER = 0 };
#define WITHOUT_REGISTERS
#endif

enum { REGISTERS = sizeof perf_register / sizeof *perf_register };

static uint64_t register_mask(void)
{
    uint64_t mask = UINT64_C(1) << PC_REGISTER;
    for (int i = 0; i < REGISTERS; i++)
        mask |= UINT64_C(1) << perf_register[i];
    return mask;
}

/* They come in the order of the kernel's numbers. */
static uint64_t register_in(const uint64_t *values, int number)
{
    return values[__builtin_popcountll(register_mask() & ((UINT64_C(1) << number) - 1))];
}

static void take_registers(const uint64_t *values, struct thread_registers *registers)
{
    memset(registers, 0, sizeof *registers);
    for (int i = 0; i < REGISTERS; i++) {
        registers->each[i] = register_in(values, perf_register[i]);
        registers->known |= UINT64_C(1) << i;
    }
    registers->pc = register_in(values, PC_REGISTER);
    registers->sp = register_in(values, SP_REGISTER);
}

/* ---- events ---- */

static struct perf_event_attr attributes(const struct call_events *events, bool begins)
{
    struct perf_event_attr attr = {
        .type = PERF_TYPE_TRACEPOINT,
        .size = sizeof attr,
        .config = (uint64_t)(begins ? events->begins : events->returns),
        .sample_period = 1,
        .sample_type = PERF_SAMPLE_TID | PERF_SAMPLE_TIME | PERF_SAMPLE_RAW,
        .disabled = 1,
        .inherit = 1,
        .sample_id_all = 1,
        .use_clockid = 1,
        .clockid = CLOCK_MONOTONIC,
        .watermark = 1,
        .wakeup_watermark = (uint32_t)events->ring_size / 32,
    };
    if (!begins)
        return attr;
    attr.task = attr.comm = attr.comm_exec = 1;
    attr.sample_type |= PERF_SAMPLE_REGS_USER | PERF_SAMPLE_STACK_USER;
    attr.sample_regs_user = register_mask();
    attr.sample_stack_user = STACK_COPIED;
    return attr;
}

/* One of a thread on a processor, into that processor's ring. */
static int open_event(struct call_events *events, const struct call_ring *ring, pid_t tid, bool begins)
{
    struct perf_event_attr attr = attributes(events, begins);
    if (ARRAY_RESERVE(events->fds, events->fd_room, events->fd_count + 1) < 0)
        return -ENOMEM;
    int fd = (int)syscall(SYS_perf_event_open, &attr, tid, ring->processor, -1, PERF_FLAG_FD_CLOEXEC);
    if (fd < 0)
        return errno == EPERM ? -EACCES : -errno;
    if (ioctl(fd, PERF_EVENT_IOC_SET_FILTER, events->filters[begins]) != 0 ||
        (ring->fd >= 0 && ioctl(fd, PERF_EVENT_IOC_SET_OUTPUT, ring->fd) != 0)) {
        int error = errno;
        close(fd);
        return -error;
    }
    events->fds[events->fd_count++] = fd;
    return fd;
}

static int open_ring(struct call_events *events, struct call_ring *ring, pid_t tid)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    int fd = open_event(events, ring, tid, true);
    if (fd < 0)
        return fd;
    void *memory;
    for (;;) {
        memory = mmap(NULL, page + events->ring_size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
        bool is_too_much = memory == MAP_FAILED && (errno == EPERM || errno == ENOMEM); /* for this user */
        if (!is_too_much || events->fd_count > 1 || events->ring_size <= RING_LEAST)
            break;
        events->ring_size /= 2;
    }
    if (memory == MAP_FAILED)
        return errno == EPERM ? -EACCES : -errno;
    ring->fd = fd;
    ring->page = memory;
    ring->data = (const uint8_t *)memory + page;
    return 0;
}

static int follow_thread(struct call_events *events, pid_t tid)
{
    for (int i = 0; i < events->ring_count; i++) {
        struct call_ring *ring = &events->rings[i];
        int rc = ring->fd < 0 ? open_ring(events, ring, tid) : open_event(events, ring, tid, true);
        if (rc >= 0)
            rc = open_event(events, ring, tid, false);
        if (rc == -ENODEV) /* this processor is not there */
            continue;
        if (rc < 0)
            return rc;
    }
    return 0;
}

static bool is_followed(const struct call_events *events, pid_t tid)
{
    for (size_t i = 0; i < events->thread_count; i++)
        if (events->threads[i].tid == tid)
            return true;
    return false;
}

static int add_followed(struct call_events *events, pid_t pid, pid_t tid)
{
    if (ARRAY_RESERVE(events->threads, events->thread_room, events->thread_count + 1) < 0)
        return -ENOMEM;
    events->threads[events->thread_count++] = (struct followed_thread){pid, tid};
    return 0;
}

/* Returns how many threads are new, or a negative errno. */
static int follow_process(struct call_events *events, pid_t pid)
{
    char path[64];
    int rc = 0, count = 0;
    snprintf(path, sizeof path, "/proc/%d/task", (int)pid);
    DIR *tasks = opendir(path);
    if (tasks == NULL)
        return errno == ENOENT ? -ESRCH : -errno;
    for (struct dirent *entry; rc == 0 && (entry = readdir(tasks)) != NULL;) {
        pid_t tid = (pid_t)atoi(entry->d_name);
        if (tid <= 0 || is_followed(events, tid))
            continue;
        rc = follow_thread(events, tid);
        if (rc == -ESRCH) { /* it has ended */
            rc = 0;
            continue;
        }
        count++;
        if (rc == 0)
            rc = add_followed(events, pid, tid);
    }
    closedir(tasks);
    return rc < 0 ? rc : count;
}

/* A thread that one of those that are followed has made is followed already. */
static void on_early_event(void *context, const struct call_event *event)
{
    if (event->kind == THREAD_BEGINS)
        add_followed(context, event->pid, event->tid);
}

static int follow_all(struct call_events *events, const pid_t *pids, int pid_count)
{
    int any = -ESRCH;
    for (int times = 0; times < LISTED_AGAIN; times++) {
        int more = 0;
        for (int i = 0; i < pid_count; i++) {
            int count = follow_process(events, pids[i]);
            if (count < 0 && count != -ESRCH)
                return count;
            more += count > 0 ? count : 0;
            any = count >= 0 ? 0 : any;
        }
        if (more == 0)
            break;
        for (size_t i = 0; i < events->fd_count; i++)
            ioctl(events->fds[i], PERF_EVENT_IOC_ENABLE, 0);
        nanosleep(&(struct timespec){.tv_nsec = 2 * SETTLED_NS}, NULL);
        call_events_read(events, on_early_event, events);
    }
    return any;
}

/* "id == 0 || id == 3"; NULL: out of memory. */
static char *make_filter(const long *numbers, int count)
{
    char *filter = calloc((size_t)count + 1, 32);
    for (int i = 0; i < count && filter != NULL; i++)
        sprintf(filter + strlen(filter), "%sid == %ld", i > 0 ? " || " : "", numbers[i]);
    return filter;
}

static int make_rings(struct call_events *events)
{
    int processors = get_nprocs_conf();
    events->rings = calloc((size_t)processors, sizeof *events->rings);
    if (events->rings == NULL)
        return -ENOMEM;
    events->ring_count = processors;
    events->ring_size = RING_MOST;
    while (events->ring_size > RING_LEAST && events->ring_size * (size_t)processors > RINGS_SIZE)
        events->ring_size /= 2;
    for (int i = 0; i < processors; i++)
        events->rings[i] = (struct call_ring){.fd = -1, .processor = i};
    return 0;
}

static void allow_many_files(void)
{
    struct rlimit files;
    if (getrlimit(RLIMIT_NOFILE, &files) == 0 && files.rlim_cur < files.rlim_max) {
        files.rlim_cur = files.rlim_max;
        setrlimit(RLIMIT_NOFILE, &files);
    }
}

int call_events_open(struct call_events *events, const pid_t *pids, int pid_count, const long *numbers,
                     int count, const long *returning, int returning_count)
{
    *events = (struct call_events){0};
#ifdef WITHOUT_REGISTERS
    return -ENOTSUP;
#endif
    allow_many_files();
    events->begins = tracepoint_id("raw_syscalls/sys_enter");
    events->returns = tracepoint_id("raw_syscalls/sys_exit");
    int rc = events->begins < 0 ? events->begins : events->returns < 0 ? events->returns : make_rings(events);
    events->filters[true] = make_filter(numbers, count);
    events->filters[false] = make_filter(returning, returning_count);
    if (rc == 0 && (events->filters[0] == NULL || events->filters[1] == NULL))
        rc = -ENOMEM;
    if (rc == 0)
        rc = follow_all(events, pids, pid_count);
    if (rc < 0)
        call_events_close(events);
    return rc < 0 ? rc : 0;
}

void call_events_close(struct call_events *events)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    for (int i = 0; i < events->ring_count; i++)
        if (events->rings[i].page != NULL)
            munmap(events->rings[i].page, page + events->ring_size);
    for (size_t i = 0; i < events->fd_count; i++)
        close(events->fds[i]);
    free(events->rings);
    free(events->fds);
    free(events->threads);
    free(events->pending);
    free(events->filters[0]);
    free(events->filters[1]);
    *events = (struct call_events){0};
}

void call_events_wait(const struct call_events *events, int64_t most_ms)
{
    enum { MOST = 256 };
    struct pollfd waits[MOST];
    nfds_t count = 0;
    for (int i = 0; i < events->ring_count && count < MOST; i++)
        if (events->rings[i].fd >= 0)
            waits[count++] = (struct pollfd){.fd = events->rings[i].fd, .events = POLLIN};
    poll(waits, count, (int)most_ms);
}

/* ---- records (linux/perf_event.h, enum perf_event_type) ---- */

struct sample_head {
    struct perf_event_header header;
    uint32_t pid, tid;
    uint64_t time;
    uint32_t raw_size;
    uint8_t raw[];
};

/* What a tracepoint has written: the common fields, then its own. */
struct raw_call {
    uint16_t type;
    uint8_t flags, preempt_count;
    int32_t pid;
    int64_t number;
    union {
        uint64_t arguments[CALL_EVENT_ARGUMENTS];
        int64_t result;
    };
};

struct task_record {
    struct perf_event_header header;
    uint32_t pid, parent_pid, tid, parent_tid;
    uint64_t time;
};

struct trailer {
    uint32_t pid, tid;
    uint64_t time;
};

static struct perf_event_header header_of(const uint8_t *bytes)
{
    struct perf_event_header header;
    memcpy(&header, bytes, sizeof header);
    return header;
}

/* Of records other than samples, at their end. */
static struct trailer trailer_of(const uint8_t *bytes)
{
    struct trailer trailer = {0};
    struct perf_event_header header = header_of(bytes);
    if (header.size >= sizeof header + sizeof trailer)
        memcpy(&trailer, bytes + header.size - sizeof trailer, sizeof trailer);
    return trailer;
}

static uint64_t time_of(const uint8_t *bytes)
{
    struct sample_head sample;
    if (header_of(bytes).type != PERF_RECORD_SAMPLE)
        return trailer_of(bytes).time;
    memcpy(&sample, bytes, sizeof sample);
    return sample.time;
}

/* Behind the raw part: the registers' ABI, the registers, the stack's size, the stack, and how much of it
 * there was. */
static void take_stack(const uint8_t *at, const uint8_t *end, struct call_event *event)
{
    uint64_t abi, values[64], size, there;
    int count = __builtin_popcountll(register_mask());
    if (end - at < (ptrdiff_t)sizeof abi)
        return;
    memcpy(&abi, at, sizeof abi);
    at += sizeof abi;
    event->is_foreign = abi == PERF_SAMPLE_REGS_ABI_32;
    if (abi == PERF_SAMPLE_REGS_ABI_NONE || end - at < count * (ptrdiff_t)sizeof values[0])
        return;
    memcpy(values, at, (size_t)count * sizeof values[0]);
    at += (size_t)count * sizeof values[0];
    take_registers(values, &event->registers);
    if (end - at < (ptrdiff_t)sizeof size)
        return;
    memcpy(&size, at, sizeof size);
    at += sizeof size;
    if (size == 0 || (uint64_t)(end - at) < size + sizeof there)
        return;
    memcpy(&there, at + size, sizeof there);
    event->stack = at;
    event->stack_size = there < size ? there : size;
}

static bool read_sample(const struct call_events *events, const uint8_t *bytes, struct call_event *event)
{
    struct sample_head sample;
    struct raw_call raw = {.type = 0};
    const uint8_t *end = bytes + header_of(bytes).size;
    memcpy(&sample, bytes, sizeof sample);
    const uint8_t *from = bytes + offsetof(struct sample_head, raw);
    if (sample.raw_size > (size_t)(end - from))
        return false;
    memcpy(&raw, from, sample.raw_size < sizeof raw ? sample.raw_size : sizeof raw);
    event->pid = (pid_t)sample.pid;
    event->tid = (pid_t)sample.tid;
    event->number = (long)raw.number;
    if (raw.type == events->returns) {
        event->kind = CALL_RETURNS;
        event->result = raw.result;
        return true;
    }
    event->kind = CALL_BEGINS;
    memcpy(event->arguments, raw.arguments, sizeof event->arguments);
    take_stack(from + sample.raw_size, end, event);
    return raw.type == events->begins;
}

static bool read_record(struct call_events *events, const uint8_t *bytes, struct call_event *event)
{
    struct perf_event_header header = header_of(bytes);
    struct task_record task;
    uint64_t lost[2];
    switch (header.type) {
    case PERF_RECORD_SAMPLE:
        return read_sample(events, bytes, event);
    case PERF_RECORD_FORK:
    case PERF_RECORD_EXIT:
        memcpy(&task, bytes, sizeof task);
        event->kind = header.type == PERF_RECORD_FORK ? THREAD_BEGINS : THREAD_ENDS;
        event->pid = (pid_t)task.pid;
        event->tid = (pid_t)task.tid;
        event->parent = (pid_t)task.parent_pid;
        event->parent_tid = (pid_t)task.parent_tid;
        return true;
    case PERF_RECORD_COMM:
        event->kind = PROGRAM_BEGINS;
        event->pid = (pid_t)trailer_of(bytes).pid;
        event->tid = (pid_t)trailer_of(bytes).tid;
        return (header.misc & PERF_RECORD_MISC_COMM_EXEC) != 0;
    case PERF_RECORD_LOST:
        memcpy(lost, bytes + sizeof header, sizeof lost);
        events->lost += (int64_t)lost[1];
        return false;
    default:
        return false;
    }
}

/* ---- reading ---- */

static int by_time(const void *one, const void *other)
{
    const struct pending_event *a = one, *b = other;
    if (a->time != b->time)
        return a->time < b->time ? -1 : 1;
    return a->order < b->order ? -1 : 1;
}

/* Puts the settled records of a ring to those that are handed on; `*tail` is moved behind them. */
static int collect(struct call_events *events, int number, uint64_t until, size_t *count, uint64_t *tail)
{
    const struct call_ring *ring = &events->rings[number];
    uint64_t head = __atomic_load_n(&ring->page->data_head, __ATOMIC_ACQUIRE);
    while (*tail < head) {
        size_t at = *tail % events->ring_size;
        struct perf_event_header header = header_of(ring->data + at); /* records are aligned: it is whole */
        if (header.size < sizeof header ||
            ARRAY_RESERVE(events->pending, events->pending_room, *count + 1) < 0)
            return -ENOMEM;
        struct pending_event pending = {.order = *count, .bytes = ring->data + at};
        if (at + header.size > events->ring_size) {
            pending.owned = malloc(header.size);
            if (pending.owned == NULL)
                return -ENOMEM;
            memcpy(pending.owned, ring->data + at, events->ring_size - at);
            memcpy(pending.owned + (events->ring_size - at), ring->data,
                   header.size - (events->ring_size - at));
            pending.bytes = pending.owned;
        }
        pending.time = time_of(pending.bytes);
        if (pending.time > until) {
            free(pending.owned);
            return 0;
        }
        events->pending[(*count)++] = pending;
        *tail += header.size;
    }
    return 0;
}

int call_events_read(struct call_events *events, on_call_event *each, void *context)
{
    struct timespec now;
    uint64_t *tails = calloc((size_t)events->ring_count + 1, sizeof *tails);
    size_t count = 0;
    int rc = tails == NULL ? -ENOMEM : 0;
    clock_gettime(CLOCK_MONOTONIC, &now);
    uint64_t until = (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec - SETTLED_NS;
    for (int i = 0; i < events->ring_count && rc == 0; i++) {
        if (events->rings[i].page == NULL)
            continue;
        tails[i] = events->rings[i].page->data_tail;
        rc = collect(events, i, until, &count, &tails[i]);
    }
    if (count > 0)
        qsort(events->pending, count, sizeof *events->pending, by_time);
    for (size_t i = 0; i < count; i++) {
        struct call_event event = {.time_ns = (int64_t)events->pending[i].time};
        if (read_record(events, events->pending[i].bytes, &event))
            each(context, &event);
        free(events->pending[i].owned);
    }
    for (int i = 0; i < events->ring_count && tails != NULL; i++)
        if (events->rings[i].page != NULL)
            __atomic_store_n(&events->rings[i].page->data_tail, tails[i], __ATOMIC_RELEASE);
    free(tails);
    return rc < 0 ? rc : (int)count;
}
