#include "../unit.h"

#include "../namespace_child.h"

#include "../namespace_dweller.h"
#include "kernel/net_namespaces.h"
#include "kernel/proc_net_tcp.h"

#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>

enum { PORT = 15000 };

static const struct net_namespace *namespace_of(const struct net_namespaces *namespaces, pid_t pid)
{
    return net_namespaces_with(namespaces, proc_net_tcp_inode(pid));
}

/* How many there are says nothing: other tests make and leave theirs meanwhile. */
static bool is_among(const struct net_namespaces *namespaces, const struct net_namespace *one)
{
    for (size_t i = 0; i < namespaces->count; i++)
        if (namespaces->each[i] == one)
            return true;
    return false;
}

static void ours_is_among_them(void **state)
{
    (void)state;
    struct net_namespaces namespaces = {.count = 0};
    struct stat own;
    assert_int_equal(net_namespaces_find(&namespaces, false), 0);
    const struct net_namespace *one = namespace_of(&namespaces, getpid());
    assert_non_null(one);
    assert_true(one->is_own && one->pid != 0);
    assert_int_equal(stat("/proc/self/ns/net", &own), 0);
    assert_true(one->inode == own.st_ino);
    assert_int_equal(namespaces.gone_count, 0);
    assert_int_equal(namespaces.came_count, namespaces.count);
    net_namespaces_free(&namespaces);
}

static void check_that_one_comes_and_goes(void)
{
    struct net_namespaces namespaces = {.count = 0};
    CHECK(net_namespaces_find(&namespaces, false) == 0);
    const struct dweller dweller = dweller_begin(PORT);
    CHECK(net_namespaces_find(&namespaces, false) == 0);
    const struct net_namespace *one = namespace_of(&namespaces, dweller.pid);
    char end[32];
    snprintf(end, sizeof end, " %d", (int)dweller.pid);
    CHECK(one != NULL && !one->is_own && one->pid == dweller.pid && one->inode != 0);
    CHECK(strstr(one->name, end) != NULL);
    const uint32_t serial = one->serial;
    for (int i = 0; i < 5; i++) {
        CHECK(net_namespaces_find(&namespaces, false) == 0);
        CHECK(namespace_of(&namespaces, dweller.pid) == one);
    }
    dweller_end(&dweller);
    CHECK(net_namespaces_find(&namespaces, false) == 0);
    bool is_told = false;
    for (size_t i = 0; i < namespaces.gone_count; i++)
        is_told |= namespaces.gone[i]->serial == serial && strstr(namespaces.gone[i]->name, end) != NULL;
    CHECK(is_told);
    net_namespaces_free(&namespaces);
}

static void one_comes_and_goes(void **state)
{
    (void)state;
    in_child(check_that_one_comes_and_goes);
}

/* Found where it was, and then where it is. */
static void check_that_one_moves(void)
{
    struct net_namespaces namespaces = {.count = 0};
    int go[2], went[2];
    char byte;
    CHECK(pipe2(go, O_CLOEXEC) == 0 && pipe2(went, O_CLOEXEC) == 0);
    pid_t mover = fork();
    if (mover == 0) {
        CHECK(read(go[0], &byte, 1) == 1);
        child_enter(0);
        CHECK(write(went[1], "w", 1) == 1);
        pause();
    }
    for (int i = 0; i < 5; i++)
        CHECK(net_namespaces_find(&namespaces, false) == 0);
    close(went[1]);
    CHECK(write(go[1], "g", 1) == 1);
    if (read(went[0], &byte, 1) != 1)
        child_is_refused("a network namespace", EPERM);
    CHECK(net_namespaces_find(&namespaces, true) == 0);
    const struct net_namespace *other = namespace_of(&namespaces, mover);
    CHECK(other != NULL && !other->is_own && is_among(&namespaces, other));
    CHECK(kill(mover, SIGKILL) == 0 && waitpid(mover, NULL, 0) == mover);
    net_namespaces_free(&namespaces);
}

static void a_process_that_moves_is_found_where_it_is(void **state)
{
    (void)state;
    in_child(check_that_one_moves);
}

/* Who may not look into a process is told of its namespace, and not which it is. */
static void check_what_nobody_sees(const struct dweller *dweller)
{
    struct net_namespaces namespaces = {.count = 0};
    CHECK(net_namespaces_find(&namespaces, false) == 0);
    const struct net_namespace *one = namespace_of(&namespaces, dweller->pid);
    CHECK(one != NULL && one->inode == 0 && one->pid == dweller->pid && !one->is_own);
    const struct net_namespace *own = namespace_of(&namespaces, getpid());
    CHECK(own != NULL && own->is_own && own->inode != 0);
    net_namespaces_free(&namespaces);
}

static void check_as_nobody(void)
{
    if (geteuid() != 0)
        child_is_refused("to be root", EPERM);
    const struct dweller dweller = dweller_begin(PORT);
    as_nobody(check_what_nobody_sees, &dweller);
}

static void an_ordinary_user_is_told_of_all(void **state)
{
    (void)state;
    in_child(check_as_nobody);
}

static void make_names_folder(void)
{
    if (geteuid() != 0 || unshare(CLONE_NEWNS) != 0)
        child_is_refused("to mount", errno);
    CHECK(mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0);
    CHECK(mount("none", "/run", "tmpfs", 0, NULL) == 0);
    CHECK(mkdir("/run/netns", 0755) == 0);
}

/* As "ip netns add" does it. */
static void give_name(const char *name, pid_t pid)
{
    char from[64], to[64];
    snprintf(from, sizeof from, "/proc/%d/ns/net", (int)pid);
    snprintf(to, sizeof to, "/run/netns/%s", name);
    int file = open(to, O_WRONLY | O_CREAT | O_CLOEXEC, 0444);
    CHECK(file >= 0 && close(file) == 0);
    CHECK(mount(from, to, NULL, MS_BIND, NULL) == 0);
}

static void check_names(void)
{
    struct net_namespaces namespaces = {.count = 0};
    make_names_folder();
    const struct dweller dweller = dweller_begin(PORT), pod = dweller_begin(PORT);
    give_name("blue", dweller.pid);
    give_name("cni-0123", pod.pid);
    CHECK(close(open("/run/netns/empty", O_WRONLY | O_CREAT | O_CLOEXEC, 0444)) == 0);
    CHECK(net_namespaces_find(&namespaces, false) == 0);
    const struct net_namespace *one = namespace_of(&namespaces, dweller.pid);
    CHECK(strcmp(one->name, "blue") == 0);
    CHECK(strncmp(namespace_of(&namespaces, pod.pid)->name, "cni-", 4) != 0); /* nobody calls it so */
    /* without a process it is still there, the same one */
    dweller_end(&dweller);
    CHECK(net_namespaces_find(&namespaces, false) == 0);
    CHECK(is_among(&namespaces, one) && one->pid == 0 && strcmp(one->name, "blue") == 0);
    CHECK(umount2("/run/netns/blue", MNT_DETACH) == 0);
    CHECK(net_namespaces_find(&namespaces, false) == 0);
    CHECK(namespaces.gone_count >= 1);
    dweller_end(&pod);
    net_namespaces_free(&namespaces);
}

static void one_with_a_name_is_called_by_it_and_needs_no_process(void **state)
{
    (void)state;
    in_child(check_names);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ours_is_among_them),
        cmocka_unit_test(one_comes_and_goes),
        cmocka_unit_test(a_process_that_moves_is_found_where_it_is),
        cmocka_unit_test(an_ordinary_user_is_told_of_all),
        cmocka_unit_test(one_with_a_name_is_called_by_it_and_needs_no_process),
    };
    return cmocka_run_group_tests_name("net_namespaces", tests, NULL, NULL);
}
