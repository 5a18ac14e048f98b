/* Paths as systemd, Docker, Podman, CRI-O, containerd and Kubernetes make them. */
#include "../unit.h"

#include "kernel/cgroup.h"
#include "kernel/cgroup_table.h"

#include <sys/stat.h>

#define ID  "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define ID2 "fedcba9876543210fedcba9876543210fedcba9876543210fedcba9876543210"
#define UID "c3a5b7d9-0f12-4a6e-9b8d-5e4f3a2b1c0d"

static const struct {
    const char *path, *name;
    enum cgroup_kind kind;
} rows[] = {
    /* systemd */
    {"/system.slice/nginx.service", "nginx.service", CGROUP_UNIT},
    {"/system.slice/system-postgresql.slice/postgresql@15-main.service", "postgresql@15-main.service",
     CGROUP_UNIT},
    {"/system.slice/foo.service/payload", "foo.service", CGROUP_UNIT},
    {"/user.slice/user-1000.slice/session-3.scope", "session-3.scope of user 1000", CGROUP_UNIT},
    {"/user.slice/user-1000.slice/user@1000.service/app.slice/app.service", "app.service of user 1000",
     CGROUP_UNIT},
    {"/user.slice/user-1000.slice", "", CGROUP_NONE},
    {"/user.slice/user-1000.slice/user@1000.service", "user@1000.service", CGROUP_UNIT},
    {"/user.slice/user-1000.slice/user@1000.service/init.scope", "user@1000.service", CGROUP_UNIT},
    {"/init.scope", "init.scope", CGROUP_UNIT},
    {"/machine.slice/systemd-nspawn@web.service/payload/system.slice/nginx.service",
     "nginx.service in systemd-nspawn@web.service", CGROUP_UNIT},
    {"/machine.slice/systemd-nspawn@web.service/payload", "systemd-nspawn@web.service", CGROUP_UNIT},
    {"/machine.slice/machine-qemu\\x2d1\\x2dweb.scope/libvirt/emulator", "machine-qemu\\x2d1\\x2dweb.scope",
     CGROUP_UNIT},
    {"/machine.slice/machine-web.scope/system.slice/sshd.service", "sshd.service in machine-web.scope",
     CGROUP_UNIT},
    {"/system.slice/dev-\303\244.service", "dev-??.service", CGROUP_UNIT},
    {"/../../system.slice/nginx.service", "nginx.service", CGROUP_UNIT},
    {"/", "", CGROUP_NONE},
    {"", "", CGROUP_NONE},
    {"/system.slice", "", CGROUP_NONE},
    {"/.service", "", CGROUP_NONE},
    {"/process_api/40adfb06949e29078ac5a992c17c5cbd", "", CGROUP_NONE},
    /* Docker, with systemd and without */
    {"/system.slice/docker-" ID ".scope", "docker container 0123456789ab", CGROUP_CONTAINER},
    {"/docker/" ID, "docker container 0123456789ab", CGROUP_CONTAINER},
    {"/system.slice/docker-" ID ".scope/system.slice/nginx.service",
     "nginx.service in docker container 0123456789ab", CGROUP_UNIT},
    {"/system.slice/docker.service", "docker.service", CGROUP_UNIT},
    {"/user.slice/user-1000.slice/user@1000.service/user.slice/docker-" ID ".scope",
     "docker container 0123456789ab", CGROUP_CONTAINER},
    {"/docker/" ID2 "/docker/" ID, "docker container 0123456789ab", CGROUP_CONTAINER},
    {"/ecs/" UID "/" ID, "container 0123456789ab", CGROUP_CONTAINER},
    /* LXC, new and old, and what runs in it; its monitor is no container */
    {"/lxc.payload.web", "lxc container web", CGROUP_CONTAINER},
    {"/lxc.payload.web/system.slice/nginx.service", "nginx.service in lxc container web", CGROUP_UNIT},
    {"/lxc/101/ns", "lxc container 101", CGROUP_CONTAINER},
    {"/lxc/101/ns/system.slice/cron.service", "cron.service in lxc container 101", CGROUP_UNIT},
    {"/lxc.payload/web", "lxc container web", CGROUP_CONTAINER},
    {"/lxc.monitor.web", "", CGROUP_NONE},
    {"/lxc", "", CGROUP_NONE},
    /* Podman, of root and of a user; its monitor is no container */
    {"/machine.slice/libpod-" ID ".scope/container", "podman container 0123456789ab", CGROUP_CONTAINER},
    {"/user.slice/user-1000.slice/user@1000.service/user.slice/libpod-" ID ".scope",
     "podman container 0123456789ab", CGROUP_CONTAINER},
    {"/libpod_parent/libpod-" ID, "podman container 0123456789ab", CGROUP_CONTAINER},
    {"/machine.slice/libpod-conmon-1.scope", "libpod-conmon-1.scope", CGROUP_UNIT},
    {"/machine.slice/libpod-conmon-" ID ".scope", "libpod-conmon-" ID ".scope", CGROUP_UNIT},
    /* its pods, with systemd and without */
    {"/machine.slice/machine-libpod_pod_" ID2 ".slice/libpod-" ID ".scope/container",
     "podman container 0123456789ab of pod fedcba987654", CGROUP_POD},
    {"/user.slice/user-1000.slice/user@1000.service/user.slice/user-libpod_pod_" ID2 ".slice/libpod-" ID
     ".scope/container",
     "podman container 0123456789ab of pod fedcba987654", CGROUP_POD},
    {"/libpod_parent/" ID2 "/libpod-" ID, "podman container 0123456789ab of pod fedcba987654", CGROUP_POD},
    {"/machine.slice/machine-other_" ID2 ".slice/libpod-" ID ".scope", "podman container 0123456789ab",
     CGROUP_CONTAINER},
    /* in a unit of its own */
    {"/system.slice/nginx.service/libpod-payload-" ID, "podman container 0123456789ab in nginx.service",
     CGROUP_CONTAINER},
    {"/user.slice/user-1000.slice/user@1000.service/app.slice/redis.service/libpod-payload-" ID,
     "podman container 0123456789ab in redis.service of user 1000", CGROUP_CONTAINER},
    {"/system.slice/nginx.service/runtime", "nginx.service", CGROUP_UNIT},
    /* a runtime by itself: nothing says that its group is a container's */
    {"/web", "", CGROUP_NONE},
    {"/system.slice/runc-web.scope", "runc-web.scope", CGROUP_UNIT},
    /* containerd by itself */
    {"/system.slice/nerdctl-" ID ".scope", "containerd container 0123456789ab", CGROUP_CONTAINER},
    {"/default/" ID, "container 0123456789ab", CGROUP_CONTAINER},
    /* Kubernetes: systemd's driver, cgroupfs, guaranteed and burstable, in a node that is a container itself
     */
    {"/kubepods.slice/kubepods-burstable.slice/"
     "kubepods-burstable-podc3a5b7d9_0f12_4a6e_9b8d_5e4f3a2b1c0d.slice/"
     "cri-containerd-" ID ".scope",
     "containerd container 0123456789ab of pod " UID, CGROUP_POD},
    {"/kubepods.slice/kubepods-podc3a5b7d9_0f12_4a6e_9b8d_5e4f3a2b1c0d.slice/crio-" ID ".scope",
     "cri-o container 0123456789ab of pod " UID, CGROUP_POD},
    {"/kubepods/besteffort/pod" UID "/" ID, "container 0123456789ab of pod " UID, CGROUP_POD},
    {"/kubepods/pod0123456789abcdef0123456789abcdef/" ID,
     "container 0123456789ab of pod 0123456789abcdef0123456789abcdef", CGROUP_POD},
    {"/kubepods/burstable/pod" UID, "pod " UID, CGROUP_POD},
    {"/docker/" ID
     "/kubelet.slice/kubelet-kubepods.slice/kubelet-kubepods-podc3a5b7d9_0f12_4a6e_9b8d_5e4f3a2b1c0d"
     ".slice/cri-containerd-" ID ".scope",
     "containerd container 0123456789ab of pod " UID, CGROUP_POD},
    {"/system.slice/containerd.service/kubepods-burstable-podc3a5b7d9_0f12_4a6e_9b8d_5e4f3a2b1c0d.slice:"
     "cri-containerd:" ID,
     "container 0123456789ab of pod " UID, CGROUP_POD},
    {"/kubepods/burstable/pod" UID "/crio-" ID, "cri-o container 0123456789ab of pod " UID, CGROUP_POD},
    {"/kubepods.slice/kubepods-besteffort.slice/"
     "kubepods-besteffort-podc3a5b7d9_0f12_4a6e_9b8d_5e4f3a2b1c0d.slice/"
     "crio-" ID ".scope/container",
     "cri-o container 0123456789ab of pod " UID, CGROUP_POD},
    {"/docker/" ID2 "/kubelet/kubepods/besteffort/pod" UID "/" ID, "container 0123456789ab of pod " UID,
     CGROUP_POD},
    {"/kubepods.slice/kubepods-podc3a5b7d9_0f12_4a6e_9b8d_5e4f3a2b1c0d.slice/docker-" ID ".scope",
     "docker container 0123456789ab of pod " UID, CGROUP_POD},
    {"/k8s.io/" ID, "container 0123456789ab", CGROUP_CONTAINER},
    {"/podium/pod", "", CGROUP_NONE},
};

static void a_path_names_what_runs_there(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct cgroup_name name = cgroup_name_of_path(rows[i].path);
        if (strcmp(name.text, rows[i].name) != 0 || name.kind != rows[i].kind)
            fail_msg("%s: \"%s\" where \"%s\" was expected", rows[i].path, name.text, rows[i].name);
    }
}

static void a_name_that_is_too_long_ends_in_dots(void **state)
{
    (void)state;
    char path[300] = "/";
    memset(path + 1, 'a', 200);
    strcpy(path + 201, ".service");
    struct cgroup_name name = cgroup_name_of_path(path);
    assert_int_equal(strlen(name.text), sizeof name.text - 1);
    assert_contains(name.text, "aaa...");
}

/* ---- /proc/PID/cgroup ---- */

static void expect_text(const char *text, const char *expected, const char *path)
{
    size_t length = 0;
    const char *found = cgroup_path_in_text(text, &length);
    assert_string_equal(cgroup_name_of_text(text).text, expected);
    if (path == NULL)
        assert_null(found);
    else
        assert_true(found != NULL && length == strlen(path) && memcmp(found, path, length) == 0);
}

static void the_hierarchy_of_cgroup2_comes_first(void **state)
{
    (void)state;
    expect_text("0::/system.slice/nginx.service\n", "nginx.service", "/system.slice/nginx.service");
    expect_text("1:name=systemd:/system.slice/old.service\n0::/system.slice/nginx.service\n", "nginx.service",
                "/system.slice/nginx.service");
    /* both kinds, and all in the first: systemd's, or any that has a name */
    expect_text("9:name=systemd:/system.slice/nginx.service\n8:pids:/\n0::/\n", "nginx.service", "/");
    expect_text("5:devices:/\n4:memory:/docker/" ID "\n", "docker container 0123456789ab", NULL);
    expect_text("9:name=systemd:/\n0::/\n", "", "/");
}

/* Both versions at a time, as Docker and a kubelet leave it: in cgroup2 the container is in the engine's
 * service. */
static void a_container_in_version_1_comes_before_the_engine(void **state)
{
    (void)state;
    expect_text("12:pids:/docker/" ID "\n3:rdma:/\n1:name=systemd:/docker/" ID
                "\n0::/system.slice/containerd.service\n",
                "docker container 0123456789ab", "/system.slice/containerd.service");
    expect_text("11:cpuset:/kubepods/burstable/pod" UID "/" ID "\n1:name=systemd:/kubepods/burstable/pod" UID
                "/" ID "\n0::/system.slice/containerd.service\n",
                "container 0123456789ab of pod " UID, "/system.slice/containerd.service");
    /* systemd in that container: some hierarchies know its units */
    expect_text("5:cpuset:/docker/" ID "\n1:name=systemd:/docker/" ID
                "/system.slice/nginx.service\n0::/system.slice/containerd.service\n",
                "nginx.service in docker container 0123456789ab", "/system.slice/containerd.service");
    /* the engine itself */
    expect_text("4:pids:/system.slice/containerd.service\n0::/system.slice/containerd.service\n",
                "containerd.service", "/system.slice/containerd.service");
    /* Podman with crun, and with runc */
    expect_text("9:pids:/libpod_parent/libpod-" ID "\n0::/libpod_parent/libpod-" ID "\n",
                "podman container 0123456789ab", "/libpod_parent/libpod-" ID);
    expect_text("9:pids:/machine.slice/libpod-" ID ".scope\n0::/user.slice/user-0.slice/session-4.scope\n",
                "podman container 0123456789ab", "/user.slice/user-0.slice/session-4.scope");
}

static void text_of_another_form_names_nothing(void **state)
{
    (void)state;
    expect_text("", "", NULL);
    expect_text("\n\n", "", NULL);
    expect_text("0::", "", NULL);
    expect_text("0:/nginx.service", "nginx.service", NULL);
    expect_text("nonsense/nginx.service", "", NULL);
}

/* ---- this machine ---- */

static void who_has_ended_is_in_none(void **state)
{
    (void)state;
    struct process_cgroup group = process_cgroup(4194304);
    assert_int_equal(group.id, 0);
    assert_int_equal(group.name.kind, CGROUP_NONE);
}

/* Its path where it is seen from here is that of its folder, which has the id. */
static void a_process_is_found_by_its_id(void **state)
{
    (void)state;
    struct process_cgroup own = process_cgroup(getpid());
    struct cgroup_table table = {NULL, 0, 0};
    if (own.id == 0)
        skip();
    assert_int_equal(cgroup_table_learn(&table, own.id), 0);
    bool is_there = false;
    for (size_t i = 0; i < table.count; i++)
        is_there = is_there || (table.entries[i].id == own.id && table.entries[i].path != NULL);
    assert_true(is_there);
    cgroup_table_free(&table);
}

/* Made where that is allowed, as root mostly. */
static void a_folder_that_comes_later_is_learnt(void **state)
{
    (void)state;
    char first[128], second[256];
    const char *mount = cgroup_mount();
    struct cgroup_table table = {NULL, 0, 0};
    struct stat of;
    if (mount == NULL)
        skip();
    snprintf(first, sizeof first, "%s/tcpstorm-test-%d", mount, (int)getpid());
    snprintf(second, sizeof second, "%s/inner.service", first);
    if (mkdir(first, 0755) != 0)
        skip();
    assert_int_equal(stat(first, &of), 0);
    assert_int_equal(cgroup_table_learn(&table, of.st_ino), 0);
    assert_int_equal(cgroup_table_name(&table, of.st_ino).kind, CGROUP_NONE);
    assert_int_equal(mkdir(second, 0755), 0);
    assert_int_equal(stat(second, &of), 0);
    assert_int_equal(cgroup_table_name(&table, of.st_ino).kind, CGROUP_NONE);
    assert_int_equal(cgroup_table_learn(&table, of.st_ino), 0);
    assert_string_equal(cgroup_table_name(&table, of.st_ino).text, "inner.service");
    assert_int_equal(rmdir(second), 0);
    assert_int_equal(rmdir(first), 0);
    /* what is gone keeps its name, also when others are looked for */
    assert_int_equal(cgroup_table_learn(&table, UINT64_MAX), 0);
    assert_string_equal(cgroup_table_name(&table, of.st_ino).text, "inner.service");
    cgroup_table_free(&table);
}

/* Asked for again, no folder is read for it. */
static void an_id_that_is_nobodys_is_remembered(void **state)
{
    (void)state;
    struct cgroup_table table = {NULL, 0, 0};
    assert_int_equal(cgroup_table_learn(&table, 0), 0);
    assert_int_equal(table.count, 0);
    assert_int_equal(cgroup_table_learn(&table, UINT64_MAX), 0);
    const struct cgroup_entry *entries = table.entries;
    size_t count = table.count;
    assert_true(count > 0);
    assert_int_equal(cgroup_table_learn(&table, UINT64_MAX), 0);
    assert_ptr_equal(table.entries, entries);
    assert_int_equal(table.count, count);
    assert_int_equal(cgroup_table_name(&table, UINT64_MAX).kind, CGROUP_NONE);
    cgroup_table_free(&table);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_path_names_what_runs_there),
        cmocka_unit_test(a_name_that_is_too_long_ends_in_dots),
        cmocka_unit_test(the_hierarchy_of_cgroup2_comes_first),
        cmocka_unit_test(a_container_in_version_1_comes_before_the_engine),
        cmocka_unit_test(text_of_another_form_names_nothing),
        cmocka_unit_test(who_has_ended_is_in_none),
        cmocka_unit_test(a_process_is_found_by_its_id),
        cmocka_unit_test(a_folder_that_comes_later_is_learnt),
        cmocka_unit_test(an_id_that_is_nobodys_is_remembered),
    };
    return cmocka_run_group_tests_name("cgroup", tests, NULL, NULL);
}
