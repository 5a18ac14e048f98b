#include "../unit.h"

#include "../namespace_child.h"
#include "traced.h"

#include <elf.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

static pid_t server_pid(const struct traced *traced, uint16_t port)
{
    return seen(traced, port)->notes[0].pid;
}

/* ---- who may ---- */

/* A word of /proc/PID/status, as a number. */
static long status_word(pid_t pid, const char *name)
{
    char path[32], line[256];
    long value = -1;
    snprintf(path, sizeof path, "/proc/%d/status", (int)pid);
    FILE *file = fopen(path, "re");
    while (file != NULL && fgets(line, sizeof line, file) != NULL)
        if (strncmp(line, name, strlen(name)) == 0)
            value = strtol(line + strlen(name), NULL, 10);
    if (file != NULL)
        fclose(file);
    return value;
}

static void visit_as_it_is(const char *name)
{
    struct traced traced = start_in(name, geteuid() == 0);
    uint16_t port = whole_visit(&traced);
    bool may_gain_rights = geteuid() == 0; /* as it could without us */
    look_until(&traced, port, "accept4+ read+ write+ read0 close");
    CHECK(status_word(server_pid(&traced, port), "NoNewPrivs:") == !may_gain_rights);
    CHECK(traced.report.hidden == 0 && traced.report.unknown_sockets == 0);
    stop(&traced);
    _exit(0);
}

static void as_nobody(void)
{
    child_become_nobody();
    visit_as_it_is("prefork");
}

static void as_root_of_its_own(void)
{
    visit_as_it_is("prefork");
}

static void as_root_that_becomes_nobody(void)
{
    if (geteuid() != 0)
        child_is_refused("to become another user", EPERM);
    visit_as_it_is("as-nobody");
}

static void an_ordinary_user_may(void **state)
{
    (void)state;
    in_child(as_nobody);
}

static void in_a_pid_namespace_it_is_found(void **state)
{
    (void)state;
    in_child(as_root_of_its_own);
}

static void a_server_may_give_up_its_rights(void **state)
{
    (void)state;
    in_child(as_root_that_becomes_nobody);
}

/* Its connections cannot be looked up: that is said. */
static void see_hidden(void)
{
    child_become_nobody();
    struct traced traced = start("hidden");
    uint16_t port;
    int fd = visit(&traced, &port);
    CHECK(!talk(fd, 100) || true);
    look(&traced);
    CHECK(traced.report.unknown_sockets > 0);
    CHECK(traced.report.hidden == 1);
    stop(&traced);
    _exit(0);
}

static void what_is_hidden_from_us_is_counted(void **state)
{
    (void)state;
    in_child(see_hidden);
}

/* As containers do. */
static void forbid_copies_of_descriptors(void)
{
    struct sock_filter filter[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_pidfd_getfd, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    const struct sock_fprog program = {COUNT_OF(filter), filter};
    CHECK(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0);
    if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) != 0)
        child_is_refused("a filter", errno);
}

static void see_without_copies(void)
{
    forbid_copies_of_descriptors();
    struct traced traced = start("threads");
    for (int i = 0; i < 3; i++)
        look_until(&traced, whole_visit(&traced), "accept4+ read+ write+ read0 close");
    CHECK(traced.report.count == 3);
    CHECK(traced.report.unknown_sockets == 0);
    stop(&traced);
    traced = start("backend");
    look_until(&traced, whole_visit(&traced), "accept4+ read+ write+ read0 close");
    CHECK(traced.report.count == 2);
    for (int i = 0; i < 2; i++)
        CHECK(traced.report.connections[i].peer_port > 0 && traced.report.connections[i].local_port > 0);
    stop(&traced);
    _exit(0);
}

static void without_copies_of_descriptors_the_table_tells(void **state)
{
    (void)state;
    in_child(see_without_copies);
}

/* ---- programs that it executes ---- */

/* A file that is not of a folder mounted without set-user-ID is taken for granted; else nothing is counted.
 */
static void make_helper(char path[32], const void *bytes, size_t size, mode_t mode)
{
    snprintf(path, 32, "/tmp/helper.XXXXXX");
    int fd = mkstemp(path);
    CHECK(fd >= 0 && write(fd, bytes, size) == (ssize_t)size && fchmod(fd, mode) == 0);
    close(fd);
    setenv("HELPER", path, 1);
}

static void see_helper(const char *path, int set_user, int foreign)
{
    struct traced traced = start("with-helper");
    uint16_t port = whole_visit(&traced);
    unlink(path);
    look_until(&traced, port, "accept4+ execve read+ write+ read0 close");
    CHECK(traced.report.set_user == set_user);
    CHECK(traced.report.foreign == foreign);
    stop(&traced);
}

static void see_set_user(void)
{
    static char bytes[1 << 20];
    char path[32];
    struct statvfs mount;
    FILE *file = fopen("/bin/true", "re");
    size_t size = file != NULL ? fread(bytes, 1, sizeof bytes, file) : 0;
    if (geteuid() != 0 || statvfs("/tmp", &mount) != 0 || (mount.f_flag & ST_NOSUID) != 0)
        child_is_refused("a set-user-ID program", EPERM);
    make_helper(path, bytes, size, 04755);
    see_helper(path, 0, 0); /* root stays root */
    make_helper(path, bytes, size, 04755);
    child_become_nobody();
    struct traced traced = start("with-helper");
    uint16_t port = whole_visit(&traced);
    look_until(&traced, port, "accept4+ execve read+ write+ read0 close");
    CHECK(traced.report.set_user == 1);
    stop(&traced);
    _exit(0);
}

static void a_program_that_would_change_its_user_is_counted(void **state)
{
    (void)state;
    in_child(see_set_user);
}

/* "mov $1, %al; int $0x80": exit(), in the calls of 32-bit programs. */
static void see_foreign(void)
{
#ifdef __x86_64__
    static const unsigned char code[] = {0xb0, 0x01, 0xcd, 0x80};
    struct {
        Elf32_Ehdr head;
        Elf32_Phdr segment;
        unsigned char code[sizeof code];
    } file = {
        .head = {.e_ident = {0x7f, 'E', 'L', 'F', ELFCLASS32, ELFDATA2LSB, EV_CURRENT},
                 .e_type = ET_EXEC,
                 .e_machine = EM_386,
                 .e_version = EV_CURRENT,
                 .e_entry = 0x8048000 + sizeof(Elf32_Ehdr) + sizeof(Elf32_Phdr),
                 .e_phoff = sizeof(Elf32_Ehdr),
                 .e_ehsize = sizeof(Elf32_Ehdr),
                 .e_phentsize = sizeof(Elf32_Phdr),
                 .e_phnum = 1},
        .segment = {.p_type = PT_LOAD,
                    .p_vaddr = 0x8048000,
                    .p_filesz = sizeof file,
                    .p_memsz = sizeof file,
                    .p_flags = PF_R | PF_X,
                    .p_align = 4096},
    };
    char path[32];
    memcpy(file.code, code, sizeof code);
    make_helper(path, &file, sizeof file, 0755);
    int status = -1;
    pid_t pid = fork();
    if (pid == 0) {
        execl(path, path, (char *)NULL);
        _exit(99);
    }
    CHECK(waitpid(pid, &status, 0) == pid);
    if (!WIFEXITED(status) || WEXITSTATUS(status) == 99)
        child_is_refused("a 32-bit program", ENOEXEC);
    see_helper(path, 0, 1);
    _exit(0);
#else
    child_is_refused("a 32-bit program", ENOEXEC);
#endif
}

static void a_32_bit_program_is_counted(void **state)
{
    (void)state;
    in_child(see_foreign);
}

/* ---- where there is a tracer already ---- */

/* A debugger that follows this process, and all that it starts. */
static void debug(pid_t pid, int ready)
{
    int status;
    long rc = ptrace(PTRACE_SEIZE, pid, NULL, (void *)(PTRACE_O_TRACEFORK | PTRACE_O_TRACECLONE));
    CHECK(write(ready, &rc, sizeof rc) == sizeof rc);
    for (pid_t tid; (tid = waitpid(-1, &status, __WALL)) > 0;)
        if (WIFSTOPPED(status)) {
            bool is_signal = status >> 16 == 0;
            ptrace(PTRACE_CONT, tid, NULL, (void *)(intptr_t)(is_signal ? WSTOPSIG(status) : 0));
        }
    _exit(0);
}

static void be_debugged(void)
{
    int ready[2];
    long rc = -1;
    struct tracer tracer;
    CHECK(pipe(ready) == 0);
    prctl(PR_SET_PTRACER, PR_SET_PTRACER_ANY);
    if (fork() == 0)
        debug(getppid(), ready[1]);
    CHECK(read(ready[0], &rc, sizeof rc) == sizeof rc);
    if (rc != 0)
        child_is_refused("a debugger", EPERM);
    CHECK(tracer_start(&tracer) == -EPERM);
    CHECK(tracer.pid == 0);
    tracer_stop(&tracer);
    _exit(0);
}

static void a_traced_process_cannot_trace(void **state)
{
    (void)state;
    in_child(be_debugged);
}

int main(int argc, char **argv)
{
    if (argc > 1)
        return traced_server_main(argv[1]);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_ordinary_user_may),
        cmocka_unit_test(in_a_pid_namespace_it_is_found),
        cmocka_unit_test(a_server_may_give_up_its_rights),
        cmocka_unit_test(what_is_hidden_from_us_is_counted),
        cmocka_unit_test(without_copies_of_descriptors_the_table_tells),
        cmocka_unit_test(a_program_that_would_change_its_user_is_counted),
        cmocka_unit_test(a_32_bit_program_is_counted),
        cmocka_unit_test(a_traced_process_cannot_trace),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
