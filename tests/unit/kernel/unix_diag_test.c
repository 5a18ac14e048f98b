#include "../unit.h"

#include "kernel/unix_diag.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>

enum { BACKLOG = 5 };

/* A listener, and what the kernel shows of its sockets. */
struct scene {
    struct unix_place place;
    int listener;
    int listening, there, waiting, gone; /* gone: their client has closed */
    struct unix_entry last;              /* that is connected */
    uint32_t queued, backlog;
};

static uint64_t inode_of(int fd)
{
    struct stat socket;
    assert_int_equal(fstat(fd, &socket), 0);
    return socket.st_ino;
}

static void open_at(struct scene *scene, const char *name)
{
    *scene = (struct scene){.listener = socket(AF_UNIX, SOCK_STREAM, 0)};
    assert_int_equal(unix_place_of(name, &scene->place), 0);
    if (name[0] != '@')
        unlink(name);
    assert_int_equal(
        bind(scene->listener, (const struct sockaddr *)&scene->place.address, scene->place.length), 0);
    assert_int_equal(listen(scene->listener, BACKLOG), 0);
}

static int connect_to(const struct scene *scene)
{
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    assert_int_equal(connect(fd, (const struct sockaddr *)&scene->place.address, scene->place.length), 0);
    return fd;
}

static int note(void *context, const struct unix_entry *entry)
{
    struct scene *scene = context;
    if (!entry->is_there)
        return 0;
    scene->listening += entry->listens;
    scene->waiting += !entry->listens && entry->inode == 0;
    if (entry->listens) {
        scene->queued = entry->unread;
        scene->backlog = entry->backlog;
    } else if (entry->inode != 0) {
        scene->there++;
        scene->gone += entry->peer == 0;
        scene->last = *entry;
    }
    return 0;
}

static void look(struct scene *scene)
{
    struct scene fresh = {.place = scene->place, .listener = scene->listener};
    *scene = fresh;
    assert_int_equal(unix_diag_each(&scene->place, note, scene), 0);
}

static void check_at(const char *name)
{
    struct scene scene;
    open_at(&scene, name);
    int client = connect_to(&scene);
    look(&scene);
    assert_int_equal(scene.listening, 1);
    assert_int_equal(scene.waiting, 1);
    assert_int_equal(scene.there, 0);
    assert_int_equal(scene.queued, 1);
    assert_int_equal(scene.backlog, BACKLOG);
    int server = accept(scene.listener, NULL, NULL);
    assert_int_equal(write(client, "12345", 5), 5);
    look(&scene);
    assert_int_equal(scene.waiting, 0);
    assert_int_equal(scene.there, 1);
    assert_int_equal(scene.last.inode, inode_of(server));
    assert_int_equal(scene.last.peer, inode_of(client));
    assert_int_equal(scene.last.unread, 5);
    assert_false(scene.last.has_received_eof);
    assert_int_equal(shutdown(client, SHUT_WR), 0);
    look(&scene);
    assert_true(scene.last.has_received_eof);
    assert_false(scene.last.has_sent_eof);
    close(client);
    look(&scene);
    assert_int_equal(scene.gone, 1);
    close(server);
    look(&scene);
    assert_int_equal(scene.there, 0);
    close(scene.listener);
    look(&scene);
    assert_int_equal(scene.listening, 0);
}

static void both_ends_are_seen_by_a_path(void **state)
{
    (void)state;
    char path[64];
    snprintf(path, sizeof path, "/tmp/unix_diag_test.%d", (int)getpid());
    check_at(path);
    unlink(path);
}

static void and_by_a_name_that_no_file_is(void **state)
{
    (void)state;
    char name[64];
    snprintf(name, sizeof name, "@unix_diag_test.%d", (int)getpid());
    check_at(name);
}

static void a_path_may_lead_there_in_another_way(void **state)
{
    (void)state;
    char directory[] = "/tmp/unix_diag_test.XXXXXX", before[4096], path[64];
    struct scene scene;
    assert_non_null(getcwd(before, sizeof before));
    assert_non_null(mkdtemp(directory));
    assert_int_equal(chdir(directory), 0);
    open_at(&scene, "relative");
    snprintf(path, sizeof path, "%s/relative", directory);
    assert_int_equal(unix_place_of(path, &scene.place), 0);
    look(&scene);
    assert_int_equal(scene.listening, 1);
    close(scene.listener);
    unlink("relative");
    assert_int_equal(chdir(before), 0);
    rmdir(directory);
}

static void a_client_that_has_gone_still_waits(void **state)
{
    (void)state;
    struct scene scene;
    open_at(&scene, "@unix_diag_test.gone");
    close(connect_to(&scene));
    look(&scene);
    assert_int_equal(scene.waiting, 1);
    int server = accept(scene.listener, NULL, NULL);
    look(&scene);
    assert_int_equal(scene.waiting, 0);
    assert_int_equal(scene.gone, 1);
    close(server);
    close(scene.listener);
}

static void one_socket_has_its_peer(void **state)
{
    (void)state;
    int pair[2];
    uint64_t peer;
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
    uint64_t first = inode_of(pair[0]);
    assert_int_equal(unix_diag_peer(first, &peer), 0);
    assert_int_equal(peer, inode_of(pair[1]));
    close(pair[1]);
    assert_int_equal(unix_diag_peer(first, &peer), 0);
    assert_int_equal(peer, 0);
    close(pair[0]);
    assert_int_equal(unix_diag_peer(first, &peer), -ENOENT);
    assert_int_equal(unix_diag_peer(0, &peer), -ENOENT);
}

static void a_place_is_a_path_or_a_name(void **state)
{
    (void)state;
    struct unix_place place;
    char text[200];
    memset(text, 'x', sizeof text);
    text[107] = '\0';
    assert_int_equal(unix_place_of(text, &place), 0);
    text[107] = 'x';
    text[108] = '\0';
    assert_int_equal(unix_place_of(text, &place), -ENAMETOOLONG);
    assert_int_equal(unix_place_of("", &place), -EINVAL);
    assert_int_equal(unix_place_of("@", &place), -EINVAL);
    assert_int_equal(unix_place_of("@a", &place), 0);
    assert_int_equal(place.address.sun_path[0], '\0');
    assert_int_equal(place.length, offsetof(struct sockaddr_un, sun_path) + 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(both_ends_are_seen_by_a_path),
        cmocka_unit_test(and_by_a_name_that_no_file_is),
        cmocka_unit_test(a_path_may_lead_there_in_another_way),
        cmocka_unit_test(a_client_that_has_gone_still_waits),
        cmocka_unit_test(one_socket_has_its_peer),
        cmocka_unit_test(a_place_is_a_path_or_a_name),
    };
    return cmocka_run_group_tests_name("unix_diag", tests, NULL, NULL);
}
