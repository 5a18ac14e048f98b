/* Real sockets in a network namespace of the test's own. There are kernels that run no tracepoint at all for
 * whole bursts of segments under load, and do not say so: what is short is tried again. */
#include "../unit.h"

#include "../namespace_child.h"

#include "events/socket_events.h"
#include "kernel/listen_socket.h"

#include <dirent.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>

enum { CONNECTIONS = 100, TRIES = 5, DEADLINE_MS = 5000 };

static struct events_refusal why;
static struct transition_counts counts;

/* ---- helpers ---- */

static struct socket_events *open_or_skip(void)
{
    struct socket_events *events = socket_events_open(&why);
    if (events == NULL)
        fprintf(stderr, "refused: %s\n", why.text), _exit(CHILD_IS_REFUSED);
    return events;
}

static uint64_t own_netns(void)
{
    struct stat about;
    CHECK(stat("/proc/self/ns/net", &about) == 0);
    return about.st_ino;
}

static int listen_on(uint16_t port)
{
    struct address address;
    CHECK(address_parse("127.0.0.1", &address));
    int fd = listen_socket_open(&address, port, CONNECTIONS);
    CHECK(fd >= 0);
    return fd;
}

static int connect_to(uint16_t port)
{
    struct sockaddr_in where = {
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    CHECK(connect(fd, (struct sockaddr *)&where, sizeof where) == 0);
    return fd;
}

static int64_t now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static int state_of_end(int fd)
{
    struct tcp_info info;
    socklen_t length = sizeof info;
    CHECK(getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &length) == 0);
    return info.tcpi_state;
}

static void await_state(int fd, int state)
{
    int64_t deadline = now_ms() + DEADLINE_MS;
    while (state_of_end(fd) != state && now_ms() < deadline)
        usleep(100);
    CHECK(state_of_end(fd) == state);
}

/* Connections that the server closes first, each step when the one before is over. */
static void play(int listener, uint16_t port)
{
    for (int i = 0; i < CONNECTIONS; i++) {
        int client = connect_to(port), server = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
        CHECK(server >= 0);
        CHECK(shutdown(server, SHUT_WR) == 0);
        await_state(client, STATE_CLOSE_WAIT);
        await_state(server, STATE_FIN_WAIT2);
        CHECK(shutdown(client, SHUT_WR) == 0);
        await_state(client, STATE_CLOSE);
        CHECK(close(client) == 0 && close(server) == 0);
    }
}

static int64_t moved(enum side side, enum tcp_state from, enum tcp_state to)
{
    return counts.side[side].moved[from][to][WHY_ORDERLY];
}

static int64_t stays(enum side side, enum tcp_state state)
{
    int64_t sum = 0;
    for (int i = 0; i < DWELL_BUCKETS; i++)
        sum += counts.side[side].dwell[state].in[i];
    return sum;
}

static int64_t all_moves(void)
{
    int64_t sum = 0;
    const int64_t *of[SIDE_COUNT] = {&counts.side[0].moved[0][0][0], &counts.side[1].moved[0][0][0]};
    for (int side = 0; side < SIDE_COUNT; side++)
        for (int i = 0; i < STATE_COUNT * STATE_COUNT * WHY_COUNT; i++)
            sum += of[side][i];
    return sum;
}

/* The server's five and the client's five. */
static bool has_all(enum events_level level)
{
    static const enum tcp_state client[] = {STATE_GONE,       STATE_SYN_SENT, STATE_ESTABLISHED,
                                            STATE_CLOSE_WAIT, STATE_LAST_ACK, STATE_GONE};
    enum tcp_state server[] = {STATE_GONE,      STATE_SYN_RECV,  STATE_ESTABLISHED,
                               STATE_FIN_WAIT1, STATE_FIN_WAIT2, STATE_GONE};
    if (level == EVENTS_ALL)
        server[5] = STATE_TIME_WAIT;
    for (size_t i = 0; i + 1 < COUNT_OF(client); i++)
        if (moved(SIDE_CLIENT, client[i], client[i + 1]) != CONNECTIONS ||
            moved(SIDE_SERVER, server[i], server[i + 1]) != CONNECTIONS)
            return false;
    return counts.unheard == 0;
}

static void print_counts(void)
{
    for (int side = 0; side < SIDE_COUNT; side++)
        for (int from = 0; from < STATE_COUNT; from++)
            for (int to = 0; to < STATE_COUNT; to++)
                for (int reason = 0; reason < WHY_COUNT; reason++)
                    if (counts.side[side].moved[from][to][reason] != 0)
                        fprintf(stderr, "# %s: %s -> %s (%d): %lld\n", side_name((enum side)side),
                                tcp_state_name((enum tcp_state)from), tcp_state_name((enum tcp_state)to),
                                reason, (long long)counts.side[side].moved[from][to][reason]);
    fprintf(stderr, "# unheard %lld, holes %lld\n", (long long)counts.unheard, (long long)counts.holes);
}

/* ---- what is counted ---- */

static void count_every_transition(void)
{
    bool is_exact = false;
    for (int i = 0; i < TRIES && !is_exact; i++) {
        struct socket_events *events = open_or_skip();
        child_enter(0);
        const struct port_range ports = {20000, 20001};
        socket_events_aim(events, own_netns(), &ports);
        int listener = listen_on(20000);
        play(listener, 20000);
        socket_events_read(events, &counts);
        is_exact = has_all(socket_events_level(events));
        CHECK(counts.side[SIDE_SERVER].now[STATE_LISTEN] == 1);
        close(listener);
        enum events_level level = socket_events_level(events);
        CHECK((level == EVENTS_ALL) == (socket_events_lack(events)[0] == '\0'));
        socket_events_close(events);
        if (!is_exact)
            continue;
        CHECK(counts.holes == 0 && counts.dropped == 0);
        CHECK(moved(SIDE_SERVER, STATE_GONE, STATE_LISTEN) == 1);
        CHECK(all_moves() == 10 * CONNECTIONS + 1);
        CHECK(counts.side[SIDE_SERVER].now[STATE_TIME_WAIT] == (level == EVENTS_ALL ? CONNECTIONS : 0));
        for (int side = 0; side < SIDE_COUNT; side++)
            CHECK(counts.side[side].now[STATE_ESTABLISHED] == 0);
    }
    if (!is_exact)
        print_counts();
    CHECK(is_exact);
}

/* Of one in sixteen, by chance, on both sides; the time is what passed in that state. */
static void sample_times(void)
{
    struct socket_events *events = open_or_skip();
    child_enter(0);
    const struct port_range ports = {20000, 20000};
    socket_events_aim(events, own_netns(), &ports);
    int listener = listen_on(20000), clients[CONNECTIONS], servers[CONNECTIONS];
    for (int i = 0; i < CONNECTIONS; i++) {
        clients[i] = connect_to(20000);
        servers[i] = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
        CHECK(servers[i] >= 0);
    }
    usleep(100000);
    for (int i = 0; i < CONNECTIONS; i++)
        close(clients[i]), close(servers[i]);
    socket_events_read(events, &counts);
    for (int side = 0; side < SIDE_COUNT; side++) {
        const struct dwell *dwell = &counts.side[side].dwell[STATE_ESTABLISHED];
        int64_t sampled = stays((enum side)side, STATE_ESTABLISHED);
        CHECK(sampled > 0 && sampled < CONNECTIONS / 2);
        CHECK(dwell->longest_ns >= 100000000);
        for (int i = 0; i < 17; i++) /* 2^17 * 500 ns are 65 ms */
            CHECK(dwell->in[i] == 0);
    }
    socket_events_close(events);
}

/* All that may be other reasons of a short sum would fail here too. */
static void tell_resets(void)
{
    struct socket_events *events = open_or_skip();
    child_enter(0);
    socket_events_aim(events, own_netns(), NULL);
    int listener = listen_on(20000);
    bool is_exact = false;
    for (int i = 0; i < TRIES && !is_exact; i++) {
        int client = connect_to(20000), server = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
        const struct linger at_once = {.l_onoff = 1};
        CHECK(server >= 0 && setsockopt(client, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once) == 0);
        CHECK(close(client) == 0);
        await_state(server, STATE_CLOSE);
        close(server);
        socket_events_read(events, &counts);
        is_exact = counts.side[SIDE_SERVER].moved[STATE_ESTABLISHED][STATE_GONE][WHY_RESET] > 0 &&
                   counts.side[SIDE_CLIENT].moved[STATE_ESTABLISHED][STATE_GONE][WHY_ORDERLY] > 0 &&
                   counts.resets_sent > 0 && counts.resets_received > 0;
    }
    CHECK(is_exact);
    socket_events_close(events);
}

static void count_own_ports_only(void)
{
    struct socket_events *one = open_or_skip(), *other = open_or_skip(), *elsewhere = open_or_skip();
    child_enter(0);
    const struct port_range its = {20001, 20001}, others = {20000, 20000};
    socket_events_aim(elsewhere, 1, NULL); /* none has that number; the next one may be another test's */
    socket_events_aim(one, own_netns(), &its);
    socket_events_aim(other, own_netns(), &others);
    int listener = listen_on(20000);
    play(listener, 20000);
    socket_events_read(one, &counts);
    CHECK(all_moves() == 0);
    socket_events_read(elsewhere, &counts);
    CHECK(all_moves() == 0);
    socket_events_read(other, &counts);
    CHECK(all_moves() > 5 * CONNECTIONS);
    socket_events_close(one);
    socket_events_close(other);
    socket_events_close(elsewhere);
}

/* Of a port whose listener was there before only this says it. */
static void tell_sides_on_all_ports(void)
{
    struct socket_events *events = open_or_skip();
    child_enter(0);
    int before = listen_on(20000);
    socket_events_aim_by_port(events, own_netns(), (const uint16_t[]){20000}, 1, true);
    int after = listen_on(20001);
    for (int i = 0; i < 2; i++) {
        int client = connect_to((uint16_t)(20000 + i)),
            server = accept4(i == 0 ? before : after, NULL, NULL, SOCK_CLOEXEC);
        CHECK(server >= 0);
        close(server);
        close(client);
    }
    socket_events_read(events, &counts);
    CHECK(moved(SIDE_CLIENT, STATE_GONE, STATE_SYN_SENT) == 2);
    CHECK(moved(SIDE_SERVER, STATE_ESTABLISHED, STATE_FIN_WAIT1) == 2);
    CHECK(moved(SIDE_CLIENT, STATE_ESTABLISHED, STATE_FIN_WAIT1) == 0);
    CHECK(moved(SIDE_SERVER, STATE_GONE, STATE_SYN_SENT) == 0);
    socket_events_close(events);
}

static struct transition_counts of_port(const struct socket_events *events, uint16_t port)
{
    struct transition_counts it;
    socket_events_read_port(events, port, &it);
    return it;
}

static int64_t served(const struct transition_counts *of)
{
    return of->side[SIDE_SERVER].moved[STATE_ESTABLISHED][STATE_FIN_WAIT1][WHY_ORDERLY];
}

/* The first listened before, the second listens later, and for the third there is no room. */
static bool each_port_is_counted_for_itself(struct socket_events *events)
{
    int listeners[3] = {listen_on(20000)};
    uint16_t ports[EVENT_PORTS_MAX];
    socket_events_aim_by_port(events, own_netns(), (const uint16_t[]){20000}, 1, true);
    listeners[1] = listen_on(20001);
    listeners[2] = listen_on(20002);
    for (int i = 0; i < 3; i++)
        for (int times = 0; times <= i; times++) {
            int client = connect_to((uint16_t)(20000 + i)),
                server = accept4(listeners[i], NULL, NULL, SOCK_CLOEXEC);
            CHECK(server >= 0);
            close(server);
            close(client);
        }
    for (int i = 0; i < 3; i++)
        close(listeners[i]);
    CHECK(socket_events_ports(events, ports) == 2 && ports[0] == 20000 && ports[1] == 20001);
    const struct transition_counts first = of_port(events, 20000), second = of_port(events, 20001),
                                   others = of_port(events, 0);
    socket_events_read(events, &counts);
    return served(&first) == 1 && served(&second) == 2 && served(&others) == 3 && served(&counts) == 6;
}

static void count_by_port(void)
{
    bool is_exact = false;
    child_enter(0);
    for (int i = 0; i < TRIES && !is_exact; i++) {
        struct socket_events *events = socket_events_open_by_port(2, &why);
        if (events == NULL)
            fprintf(stderr, "refused: %s\n", why.text), _exit(CHILD_IS_REFUSED);
        is_exact = each_port_is_counted_for_itself(events);
        socket_events_close(events);
    }
    CHECK(is_exact);
}

/* With the most ports: the others are none of it. */
static void count_only_these_ports(void)
{
    static uint16_t ports[EVENT_PORTS_MAX];
    for (int i = 0; i < EVENT_PORTS_MAX; i++)
        ports[i] = (uint16_t)(20001 + i);
    struct socket_events *events = socket_events_open_by_port(EVENT_PORTS_MAX, &why);
    if (events == NULL)
        fprintf(stderr, "refused: %s\n", why.text), _exit(CHILD_IS_REFUSED);
    child_enter(0);
    socket_events_aim_by_port(events, own_netns(), ports, EVENT_PORTS_MAX, false);
    close(listen_on(20000));
    socket_events_read(events, &counts);
    CHECK(all_moves() == 0);
    const int last = 20000 + EVENT_PORTS_MAX;
    close(listen_on((uint16_t)last));
    socket_events_read_port(events, (uint16_t)last, &counts);
    CHECK(all_moves() == 2);
    socket_events_close(events);
}

static void nothing_before_it_is_aimed(void)
{
    struct socket_events *events = open_or_skip();
    child_enter(0);
    int listener = listen_on(20000);
    play(listener, 20000);
    socket_events_read(events, &counts);
    CHECK(all_moves() == 0);
    socket_events_close(events);
}

/* ---- rights ---- */

static void go_on_without_rights(void)
{
    struct socket_events *events = open_or_skip();
    child_become_nobody();
    child_enter(0);
    const struct port_range ports = {20000, 20000};
    socket_events_aim(events, own_netns(), &ports);
    int listener = listen_on(20000);
    play(listener, 20000);
    socket_events_read(events, &counts);
    CHECK(all_moves() > 5 * CONNECTIONS);
    socket_events_close(events);
}

static void refuse_nobody(void)
{
    child_become_nobody();
    CHECK(socket_events_open(&why) == NULL);
    CHECK(strstr(why.text, "CAP_BPF") != NULL || strstr(why.text, "this build") != NULL ||
          strstr(why.text, "too old") != NULL);
    CHECK(socket_events_probe(&why) == EVENTS_NONE);
}

/* Root there is not root here. */
static void refuse_root_of_a_user_namespace(void)
{
    child_become_nobody();
    if (unshare(CLONE_NEWUSER) != 0)
        child_is_refused("a user namespace", errno);
    CHECK(socket_events_open(&why) == NULL);
    CHECK(strstr(why.text, "user namespace") != NULL || strstr(why.text, "this build") != NULL ||
          strstr(why.text, "too old") != NULL);
}

static void open_often(void)
{
    enum events_level level = socket_events_probe(&why);
    for (int i = 0; i < 3; i++)
        CHECK(socket_events_probe(&why) == level);
    if (level == EVENTS_NONE)
        fprintf(stderr, "refused: %s\n", why.text), _exit(CHILD_IS_REFUSED);
    CHECK(open("/dev/null", O_RDONLY) < 10); /* no descriptor is left */
}

/* ---- the end ---- */

static int program_ids(pid_t pid, uint32_t *ids, int most)
{
    char path[300], line[128];
    int count = 0;
    snprintf(path, sizeof path, "/proc/%d/fdinfo", (int)pid);
    DIR *folder = opendir(path);
    assert_non_null(folder);
    for (struct dirent *entry; (entry = readdir(folder)) != NULL;) {
        snprintf(path, sizeof path, "/proc/%d/fdinfo/%s", (int)pid, entry->d_name);
        FILE *file = fopen(path, "r");
        while (file != NULL && fgets(line, sizeof line, file) != NULL)
            if (count < most && sscanf(line, "prog_id: %u", &ids[count]) == 1)
                count++;
        if (file != NULL)
            fclose(file);
    }
    closedir(folder);
    return count;
}

static bool is_loaded(uint32_t id)
{
    union bpf_attr attributes = {.prog_id = id};
    int fd = (int)syscall(SYS_bpf, BPF_PROG_GET_FD_BY_ID, &attributes, sizeof attributes);
    if (fd >= 0)
        close(fd);
    return fd >= 0;
}

static void nothing_stays_when_it_is_killed(void **state)
{
    (void)state;
    int ready[2];
    assert_int_equal(pipe(ready), 0);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        char is_open = socket_events_open(&why) != NULL;
        if (!is_open)
            fprintf(stderr, "refused: %s\n", why.text);
        if (write(ready[1], &is_open, 1) == 1)
            pause();
        _exit(0);
    }
    char is_open = 0;
    assert_int_equal(read(ready[0], &is_open, 1), 1);
    uint32_t ids[64];
    int count = is_open ? program_ids(pid, ids, 64) : 0;
    if (is_open) {
        assert_true(count >= 2);
        assert_true(is_loaded(ids[0]));
    }
    kill(pid, SIGKILL);
    assert_int_equal(waitpid(pid, NULL, 0), pid);
    close(ready[0]);
    close(ready[1]);
    if (!is_open)
        skip();
    int64_t deadline = now_ms() + DEADLINE_MS;
    for (int i = 0; i < count; i++)
        while (is_loaded(ids[i]) && now_ms() < deadline)
            usleep(1000);
    for (int i = 0; i < count; i++)
        assert_false(is_loaded(ids[i]));
}

#define IN_CHILD(body)                                                                                       \
    static void test_##body(void **state)                                                                    \
    {                                                                                                        \
        (void)state;                                                                                         \
        in_child(body);                                                                                      \
    }

IN_CHILD(count_every_transition)
IN_CHILD(sample_times)
IN_CHILD(tell_resets)
IN_CHILD(count_own_ports_only)
IN_CHILD(tell_sides_on_all_ports)
IN_CHILD(count_by_port)
IN_CHILD(count_only_these_ports)
IN_CHILD(nothing_before_it_is_aimed)
IN_CHILD(go_on_without_rights)
IN_CHILD(refuse_nobody)
IN_CHILD(refuse_root_of_a_user_namespace)
IN_CHILD(open_often)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_count_every_transition),
        cmocka_unit_test(test_sample_times),
        cmocka_unit_test(test_tell_resets),
        cmocka_unit_test(test_count_own_ports_only),
        cmocka_unit_test(test_tell_sides_on_all_ports),
        cmocka_unit_test(test_count_by_port),
        cmocka_unit_test(test_count_only_these_ports),
        cmocka_unit_test(test_nothing_before_it_is_aimed),
        cmocka_unit_test(test_go_on_without_rights),
        cmocka_unit_test(test_refuse_nobody),
        cmocka_unit_test(test_refuse_root_of_a_user_namespace),
        cmocka_unit_test(test_open_often),
        cmocka_unit_test(nothing_stays_when_it_is_killed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
