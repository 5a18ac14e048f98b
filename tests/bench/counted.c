/* counted: what the kernel's own programs cost, for the benchmark.
 *
 *   counted looks SOCKETS ROUNDS   at as many sockets as there must be on 127.0.0.1:15000 and the ports
 *                                  after it: prints for each round the seconds of a look by netlink, and of
 *                                  one that the kernel counts. Both must tell the same: otherwise exit
 *                                  status 1
 *   counted stats COMMAND...       executes it; while it lives the kernel takes the time of its BPF programs,
 *                                  and of one beside them that does nothing: what that takes is the clock's.
 *                                  COMMAND has it among its descriptors (/proc/self/fdinfo, prog_type 17)
 *   counted nothing COMMAND...     executes it; while it lives two programs that do nothing hear each
 *                                  transition: what --witness events needs at least
 *
 * Exit status 3: it is not allowed here. */
#include "base/clock.h"
#include "events/socket_iterator.h"

#include <errno.h>
#include <linux/bpf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { FIRST_PORT = 15000, LAST_PORT = 17000 };

static int fail(int code, const char *what, int error)
{
    fprintf(stderr, "counted: %s: %s\n", what, strerror(error));
    return code;
}

static void note_pulse(void *pulses)
{
    ++*(int64_t *)pulses;
}

static int look(struct socket_iterator *iterator, const struct look_target *target, int64_t wanted)
{
    struct histogram by_netlink[SIDE_COUNT], counted[SIDE_COUNT];
    int64_t began_us = monotonic_us();
    int rc = witness_look(&witness_netlink, target, by_netlink);
    int64_t between_us = monotonic_us();
    rc = rc != 0 ? rc : socket_iterator_look(iterator, target, counted);
    int64_t ended_us = monotonic_us();
    if (rc != 0)
        return fail(1, "a look failed", -rc);
    int64_t seen = histogram_ends(&counted[SIDE_SERVER]) + histogram_ends(&counted[SIDE_CLIENT]);
    if (seen != wanted || memcmp(by_netlink, counted, sizeof counted) != 0) {
        fprintf(stderr, "counted: %lld of %lld sockets were counted, or not as netlink has them\n",
                (long long)seen, (long long)wanted);
        return 1;
    }
    printf("%.6f %.6f\n", (double)(between_us - began_us) / 1e6, (double)(ended_us - between_us) / 1e6);
    return 0;
}

/* Whoever waits for a look must hear that it goes on. */
static int compare_looks(int64_t sockets, int rounds)
{
    int64_t pulses = 0;
    struct look_target target = {
        .ports = {FIRST_PORT, LAST_PORT}, .on_pulse = note_pulse, .pulse_context = &pulses};
    int error, code = 0;
    struct socket_iterator *iterator = socket_iterator_open(&error);
    if (iterator == NULL || !address_parse("127.0.0.1", &target.address))
        return fail(3, "a look that the kernel counts", -error);
    for (int i = 0; i < rounds && code == 0; i++)
        code = look(iterator, &target, sockets);
    socket_iterator_close(iterator);
    if (code == 0 && pulses < 2 * rounds * (sockets / PULSE_SOCKETS)) {
        fprintf(stderr, "counted: %lld pulses in %d looks of both kinds\n", (long long)pulses, rounds);
        return 1;
    }
    return code;
}

static int bpf(enum bpf_cmd command, union bpf_attr *attributes)
{
    return (int)syscall(SYS_bpf, command, attributes, sizeof *attributes);
}

/* A program at the transitions that returns 0. Returns its descriptor, or -1. */
static int attach_nothing(void)
{
    static const struct bpf_insn nothing[] = {
        {.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0, .imm = 0},
        {.code = BPF_JMP | BPF_EXIT},
    };
    union bpf_attr load = {.prog_type = BPF_PROG_TYPE_RAW_TRACEPOINT,
                           .insns = (uint64_t)(uintptr_t)nothing,
                           .insn_cnt = sizeof nothing / sizeof *nothing,
                           .license = (uint64_t)(uintptr_t) "Dual MIT/GPL"};
    int program = bpf(BPF_PROG_LOAD, &load);
    union bpf_attr attach = {.raw_tracepoint = {.name = (uint64_t)(uintptr_t) "inet_sock_set_state",
                                                .prog_fd = (uint32_t)program}};
    int link = program >= 0 ? bpf(BPF_RAW_TRACEPOINT_OPEN, &attach) : -1;
    return link >= 0 && dup(link) >= 0 ? program : -1;
}

/* The kernel takes times as long as somebody has this descriptor; copies survive exec(). */
static int with_stats(char *const words[])
{
    union bpf_attr attributes = {.enable_stats.type = BPF_STATS_RUN_TIME};
    int fd = bpf(BPF_ENABLE_STATS, &attributes);
    if (fd < 0 || dup(fd) < 0)
        return fail(3, "BPF_ENABLE_STATS", errno);
    int nothing = attach_nothing();
    if (nothing < 0 || dup(nothing) < 0)
        return fail(3, "a program that does nothing", errno);
    execvp(words[0], words);
    return fail(3, words[0], errno);
}

static int with_nothing(char *const words[])
{
    for (int i = 0; i < 2; i++)
        if (attach_nothing() < 0)
            return fail(3, "a program that does nothing", errno);
    execvp(words[0], words);
    return fail(3, words[0], errno);
}

int main(int argc, char *argv[])
{
    if (argc == 4 && strcmp(argv[1], "looks") == 0)
        return compare_looks(atoll(argv[2]), atoi(argv[3]));
    if (argc >= 3 && strcmp(argv[1], "stats") == 0)
        return with_stats(argv + 2);
    if (argc >= 3 && strcmp(argv[1], "nothing") == 0)
        return with_nothing(argv + 2);
    fputs("usage: counted looks SOCKETS ROUNDS | stats COMMAND... | nothing COMMAND...\n", stderr);
    return 2;
}
