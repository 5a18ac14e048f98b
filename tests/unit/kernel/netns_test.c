#include "../unit.h"

#include "../loopback.h"
#include "../namespace_child.h"
#include "kernel/packet_drop.h"
#include "kernel/sysctl.h"

#include <arpa/inet.h>
#include <sched.h>

/* Which one this process is in. */
static uint64_t namespace_of_network(void)
{
    struct stat about;
    return stat("/proc/self/ns/net", &about) == 0 ? about.st_ino : 0;
}

static int64_t number_in(const char *name)
{
    char value[64] = "";
    return sysctl_read(name, value, sizeof value) == 0 ? strtoll(value, NULL, 10) : -1;
}

static void check_that_it_is_another(void)
{
    uint64_t before = namespace_of_network();
    child_enter(0);
    CHECK(before != 0 && namespace_of_network() != before);
}

static void it_is_another_namespace(void **state)
{
    (void)state;
    uint64_t before = namespace_of_network();
    in_child(check_that_it_is_another);
    assert_true(namespace_of_network() == before);
}

static int tcp_sockets(void)
{
    static const char *const tables[] = {"/proc/net/tcp", "/proc/net/tcp6"};
    char line[512];
    int sockets = 0;
    for (size_t i = 0; i < COUNT_OF(tables); i++) {
        FILE *table = fopen(tables[i], "re");
        for (int n = 0; table != NULL && fgets(line, sizeof line, table) != NULL; n++)
            sockets += n > 0;
        if (table != NULL)
            fclose(table);
    }
    return sockets;
}

static void check_that_it_is_empty(void)
{
    child_enter(0);
    CHECK(tcp_sockets() == 0);
}

static void it_has_no_sockets(void **state)
{
    (void)state;
    struct loopback loopback = loopback_pair(); /* there is one outside for certain */
    assert_true(tcp_sockets() > 0);
    in_child(check_that_it_is_empty);
    loopback_close(&loopback);
}

/* Within it: a listener, a connection to it; the client's descriptor. */
static int connect_within(void)
{
    struct sockaddr_in where = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof where;
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    CHECK(bind(listener, (struct sockaddr *)&where, length) == 0 && listen(listener, 1) == 0);
    CHECK(getsockname(listener, (struct sockaddr *)&where, &length) == 0);
    int client = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    CHECK(connect(client, (struct sockaddr *)&where, length) == 0);
    return client;
}

static void check_loopback(void)
{
    child_enter(0);
    connect_within();
}

static void its_loopback_is_up(void **state)
{
    (void)state;
    in_child(check_loopback);
}

static void check_port_range(void)
{
    child_enter(0);
    CHECK(sysctl_write("net.ipv4.ip_local_port_range", "23456 23457") == 0);
    struct sockaddr_in own;
    socklen_t length = sizeof own;
    CHECK(getsockname(connect_within(), (struct sockaddr *)&own, &length) == 0);
    CHECK(ntohs(own.sin_port) == 23456 || ntohs(own.sin_port) == 23457);
}

static void it_has_a_port_range_of_its_own(void **state)
{
    (void)state;
    char before[64], after[64];
    assert_int_equal(sysctl_read("net.ipv4.ip_local_port_range", before, sizeof before), 0);
    in_child(check_port_range);
    assert_int_equal(sysctl_read("net.ipv4.ip_local_port_range", after, sizeof after), 0);
    assert_string_equal(before, after);
}

/* A table that is shared reads negative. */
static void check_own_table(void)
{
    char unused[32];
    if (sysctl_read("net.ipv4.tcp_child_ehash_entries", unused, sizeof unused) == -ENOENT)
        child_is_refused("a table of sockets of its own", ENOSYS);
    child_enter(4096);
    CHECK(number_in("net.ipv4.tcp_ehash_entries") == 4096);
    connect_within();
}

static void it_gets_a_table_of_sockets_of_its_own_when_asked(void **state)
{
    (void)state;
    in_child(check_own_table);
}

static void check_shared_table(void)
{
    int64_t outside = number_in("net.ipv4.tcp_ehash_entries");
    if (outside == -1)
        child_is_refused("to see the size of the table", ENOSYS);
    child_enter(0);
    CHECK(number_in("net.ipv4.tcp_ehash_entries") == -llabs(outside));
}

static void else_it_shares_that_of_the_machine(void **state)
{
    (void)state;
    in_child(check_shared_table);
}

static void check_as_root(void)
{
    uint64_t before = namespace_of_network();
    if (unshare(CLONE_NEWNET) != 0)
        child_is_refused("to be root", errno);
    CHECK(namespace_of_network() != before);
    CHECK(!child_enter(0));
}

static void root_needs_no_user_namespace(void **state)
{
    (void)state;
    in_child(check_as_root);
}

static void check_as_nobody(void)
{
    child_become_nobody();
    CHECK(unshare(CLONE_NEWNET) != 0 && errno == EPERM);
    CHECK(child_enter(0));
    CHECK(geteuid() == 0 && getegid() == 0);
    CHECK(packet_drop_probe() == 0);
    CHECK(sysctl_write("net.core.somaxconn", "65535") == 0);
    connect_within();
}

static void an_ordinary_user_is_its_root(void **state)
{
    (void)state;
    in_child(check_as_nobody);
}

static void check_own_table_as_nobody(void)
{
    child_become_nobody();
    check_own_table();
}

static void an_ordinary_user_gets_a_table_of_sockets_too(void **state)
{
    (void)state;
    in_child(check_own_table_as_nobody);
}

static void check_refusal(void)
{
    bool has_own_user;
    child_become_nobody();
    child_enter(0);
    if (sysctl_write("user.max_net_namespaces", "0") != 0)
        child_is_refused("to limit namespaces", errno);
    CHECK(netns_enter(0, &has_own_user) == -ENOSPC);
}

static void a_machine_that_allows_none_says_so(void **state)
{
    (void)state;
    in_child(check_refusal);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_is_another_namespace),
        cmocka_unit_test(it_has_no_sockets),
        cmocka_unit_test(its_loopback_is_up),
        cmocka_unit_test(it_has_a_port_range_of_its_own),
        cmocka_unit_test(it_gets_a_table_of_sockets_of_its_own_when_asked),
        cmocka_unit_test(else_it_shares_that_of_the_machine),
        cmocka_unit_test(root_needs_no_user_namespace),
        cmocka_unit_test(an_ordinary_user_is_its_root),
        cmocka_unit_test(an_ordinary_user_gets_a_table_of_sockets_too),
        cmocka_unit_test(a_machine_that_allows_none_says_so),
    };
    return cmocka_run_group_tests_name("netns", tests, NULL, NULL);
}
