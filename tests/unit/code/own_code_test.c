#include "../unit.h"

#include "code/own_code.h"

static void a_name_is_joined_with_where_it_was_compiled(void **state)
{
    (void)state;
    static const struct {
        const char *directory, *file, *path, *shown;
    } names[] = {
        {"/home/me/server", "src/conn.c", "/home/me/server/src/conn.c", "src/conn.c"},
        {"/home/me/server", "./conn.c", "/home/me/server/conn.c", "conn.c"},
        {"/home/me/server/build", "../src/conn.c", "/home/me/server/src/conn.c", "conn.c"},
        {"/home/me/server", "/home/me/server/src/conn.c", "/home/me/server/src/conn.c", "src/conn.c"},
        {"/home/me/server", "/home/me/server2/conn.c", "/home/me/server2/conn.c", "conn.c"},
        {"/home/me/server/", "/usr/include//bits/./socket2.h", "/usr/include/bits/socket2.h", "socket2.h"},
        {NULL, "../sysdeps/unix/sysv/linux/close.c", "../sysdeps/unix/sysv/linux/close.c", "close.c"},
        {NULL, "./io/../sysdeps/close.c", "sysdeps/close.c", "close.c"},
        {NULL, "conn.c", "conn.c", "conn.c"},
        {"/", "conn.c", "/conn.c", "conn.c"},
        {"/a", "../../../conn.c", "/conn.c", "conn.c"},
        {".", "a/../../conn.c", "../conn.c", "conn.c"},
        {"", "", "", ""},
    };
    for (size_t i = 0; i < COUNT_OF(names); i++) {
        char path[256];
        own_code_join(names[i].directory, names[i].file, path, sizeof path);
        assert_string_equal(path, names[i].path);
        assert_string_equal(own_code_short_name(names[i].directory, path), names[i].shown);
    }
}

static void a_long_name_is_cut(void **state)
{
    (void)state;
    char path[16];
    own_code_join("/home/me/server", "source/of/the/server/conn.c", path, sizeof path);
    assert_int_equal(strlen(path), sizeof path - 1);
    own_code_join("/home/me/server", "../../x/../../../conn.c", path, sizeof path);
    assert_string_equal(path, "/conn.c");
}

static void files_of_the_system_and_of_libraries_are_not_the_programs_own(void **state)
{
    (void)state;
    static const char *const own[] = {
        "/home/me/server/conn.c",
        "/usr/src/app/conn.c", /* where images of containers build */
        "/usr/local/src/server/conn.c",
        "/build/server-1.0/conn.c",
        "/build/conn.c",
        "conn.c",
        "src/conn.c",
        "/go/src/server/main.go",
        "/root/server/event.c",
        "/srv/library/x.c",
        "/opt/server/include/conn.h",
    };
    static const char *const foreign[] = {
        "/usr/include/x86_64-linux-gnu/bits/socket2.h",
        "/usr/include/c++/12/bits/invoke.h",
        "/usr/lib/gcc/x86_64-linux-gnu/12/include/emmintrin.h",
        "/usr/lib/go-1.19/src/net/http/server.go",
        "/usr/local/go/src/net/http/server.go",
        "/root/go/pkg/mod/golang.org/x/net@v0.1.0/http2/server.go",
        "/rustc/9eb3afe9ebe9/library/std/src/net/tcp.rs",
        "/root/.cargo/registry/src/index.crates.io-6f17/tokio-1.0/src/net.rs",
        "/build/glibc-AbCdEf/glibc-2.36/socket/recv.c",
        "sysdeps/unix/sysv/linux/close.c",
        "csu/libc-start.c",
        "/build/libevent-2.1.12-stable/event.c",
        "/home/me/server/deps/libuv/src/unix/core.c",
        "/home/me/server/libevent-2.1.12/bufferevent.c",
        "/usr/share/cargo/x.rs",
    };
    for (size_t i = 0; i < COUNT_OF(own); i++)
        if (own_code_excludes_file(own[i]))
            fail_msg("%s is the program's own", own[i]);
    for (size_t i = 0; i < COUNT_OF(foreign); i++)
        if (!own_code_excludes_file(foreign[i]))
            fail_msg("%s is not the program's own", foreign[i]);
}

static void libraries_and_interpreters_are_not_the_programs_own(void **state)
{
    (void)state;
    assert_true(own_code_excludes_binary("/usr/lib/x86_64-linux-gnu/libevent_core-2.1.so.7.0.1", false));
    assert_true(own_code_excludes_binary("/lib/x86_64-linux-gnu/libc.so.6", false));
    assert_true(own_code_excludes_binary("/opt/runtime/libc.so.6", false));
    assert_true(own_code_excludes_binary("/opt/lib/libuv.so.1", false));
    assert_true(own_code_excludes_binary("/venv/lib/python3.11/site-packages/uvloop/loop.so", false));
    assert_true(own_code_excludes_binary("[vdso]", false));
    assert_false(own_code_excludes_binary("/home/me/server/libconn.so", false));
    assert_false(own_code_excludes_binary("/libs/conn.so", false));
    assert_false(own_code_excludes_binary("/usr/local/lib/libconn.so", false));
    assert_false(own_code_excludes_binary("/usr/sbin/nginx", true));
    assert_false(own_code_excludes_binary("/usr/lib/postgresql/15/bin/postgres", true));
    assert_true(own_code_excludes_binary("/usr/bin/python3.11", true));
    assert_true(own_code_excludes_binary("/usr/bin/node", true));
    assert_false(own_code_excludes_binary("/srv/node-exporter", true));
}

static void packages_of_go_itself_are_not_the_programs_own(void **state)
{
    (void)state;
    assert_true(own_code_excludes_go_package("net/http"));
    assert_true(own_code_excludes_go_package("runtime"));
    assert_true(own_code_excludes_go_package("internal/poll"));
    assert_false(own_code_excludes_go_package("main"));
    assert_false(own_code_excludes_go_package("example.com/net"));
    assert_false(own_code_excludes_go_package("network"));
}

static void what_every_program_has_is_not_its_own(void **state)
{
    (void)state;
    assert_true(own_code_excludes_function("_start"));
    assert_true(own_code_excludes_function("__libc_csu_init"));
    assert_false(own_code_excludes_function("main"));
    assert_false(own_code_excludes_function("start"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_name_is_joined_with_where_it_was_compiled),
        cmocka_unit_test(a_long_name_is_cut),
        cmocka_unit_test(files_of_the_system_and_of_libraries_are_not_the_programs_own),
        cmocka_unit_test(libraries_and_interpreters_are_not_the_programs_own),
        cmocka_unit_test(packages_of_go_itself_are_not_the_programs_own),
        cmocka_unit_test(what_every_program_has_is_not_its_own),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
