#include "../unit.h"

#include "../namespace_child.h"

#include "../namespace_dweller.h"
#include "kernel/netns_tables.h"
#include "kernel/proc_net_tcp.h"

#include <fcntl.h>

enum { PORT = 15000 };

struct found {
    int listeners, on_port, with_cgroup;
    uint64_t inode;
};

static int note(void *context, const struct socket_entry *entry)
{
    struct found *found = context;
    found->listeners += entry->state == STATE_LISTEN;
    found->on_port += entry->local_port == PORT;
    found->with_cgroup += entry->cgroup != 0;
    found->inode = entry->inode;
    return 0;
}

static const struct net_namespace *find(struct net_namespaces *namespaces, const struct dweller *dweller)
{
    CHECK(net_namespaces_find(namespaces, false) == 0);
    const struct net_namespace *one = net_namespaces_with(namespaces, proc_net_tcp_inode(dweller->pid));
    CHECK(one != NULL);
    return one;
}

static struct found look(const struct net_namespace *one, bool detailed, enum netns_sight expected)
{
    struct found found = {0};
    enum netns_sight sight;
    int rc = netns_tables_each(one, detailed, NULL, note, &found, &sight);
    errno = -rc;
    CHECK(rc == 0);
    CHECK(sight == expected);
    return found;
}

static uint64_t own_namespace(void)
{
    return netns_inode();
}

/* Two that have the same port: each shows its own socket. */
static void check_two(void)
{
    struct net_namespaces namespaces = {.count = 0};
    const struct dweller first = dweller_begin(PORT), second = dweller_begin(PORT);
    const uint64_t before = own_namespace();
    const struct found one = look(find(&namespaces, &first), false, NETNS_ENTERED);
    const struct found other = look(find(&namespaces, &second), true, NETNS_ENTERED);
    CHECK(one.listeners == 1 && one.on_port == 1 && other.listeners == 1 && other.on_port == 1);
    CHECK(one.inode != 0 && other.inode != 0 && one.inode != other.inode);
    CHECK(own_namespace() == before);
    struct port_range ports = {0, 0};
    CHECK(netns_tables_ports(find(&namespaces, &first), &ports) == 0);
    CHECK(ports.first == 32768 && ports.last == 60999);
    dweller_end(&first);
    dweller_end(&second);
    net_namespaces_free(&namespaces);
}

static void two_that_have_the_same_port_are_told_apart(void **state)
{
    (void)state;
    in_child(check_two);
}

static void check_two_as_nobody(void)
{
    child_become_nobody();
    check_two();
}

static void an_ordinary_user_enters_those_of_own_user_namespaces(void **state)
{
    (void)state;
    in_child(check_two_as_nobody);
}

static void check_what_nobody_reads(const struct dweller *dweller)
{
    struct net_namespaces namespaces = {.count = 0};
    struct port_range ports;
    const struct net_namespace *one = find(&namespaces, dweller);
    const struct found found = look(one, true, NETNS_READ);
    CHECK(found.listeners == 1 && found.on_port == 1 && found.inode != 0);
    CHECK(netns_tables_ports(one, &ports) == -EPERM);
    net_namespaces_free(&namespaces);
}

static void check_another_users(void)
{
    if (geteuid() != 0)
        child_is_refused("to be root", EPERM);
    const struct dweller dweller = dweller_begin(PORT);
    as_nobody(check_what_nobody_reads, &dweller);
}

static void what_may_not_be_entered_is_read(void **state)
{
    (void)state;
    in_child(check_another_users);
}

static void check_that_one_ends(void)
{
    struct net_namespaces namespaces = {.count = 0};
    const struct dweller dweller = dweller_begin(PORT);
    const struct net_namespace *one = find(&namespaces, &dweller);
    dweller_end(&dweller);
    const struct found found = look(one, false, NETNS_GONE);
    CHECK(found.listeners == 0);
    net_namespaces_free(&namespaces);
}

static void one_that_goes_in_the_middle_is_told(void **state)
{
    (void)state;
    in_child(check_that_one_ends);
}

/* No descriptor is left, and none is kept there. */
static void check_that_nothing_is_kept(void)
{
    struct net_namespaces namespaces = {.count = 0};
    const struct dweller dweller = dweller_begin(PORT);
    const struct net_namespace *one = find(&namespaces, &dweller);
    look(one, false, NETNS_ENTERED);
    int before = open("/dev/null", O_RDONLY | O_CLOEXEC);
    for (int i = 0; i < 20; i++)
        look(one, i % 2 == 0, NETNS_ENTERED);
    int after = open("/dev/null", O_RDONLY | O_CLOEXEC);
    CHECK(after == before + 1);
    dweller_end(&dweller);
    net_namespaces_free(&namespaces);
}

static void nothing_is_kept_open(void **state)
{
    (void)state;
    in_child(check_that_nothing_is_kept);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(two_that_have_the_same_port_are_told_apart),
        cmocka_unit_test(an_ordinary_user_enters_those_of_own_user_namespaces),
        cmocka_unit_test(what_may_not_be_entered_is_read),
        cmocka_unit_test(one_that_goes_in_the_middle_is_told),
        cmocka_unit_test(nothing_is_kept_open),
    };
    return cmocka_run_group_tests_name("netns_tables", tests, NULL, NULL);
}
