#include "../unit.h"

#include "watch/recording.h"

#include <errno.h>
#include <stdlib.h>

#define HEAD "{\"event\":\"recording\",\"format\":1,\"version\":\"1.0\",\"began\":\"2026-11-26T14:00:00Z\"}"
#define FLOW(t_s, ports)                                                                                     \
    "{\"event\":\"flow\",\"t_s\":" #t_s                                                                      \
    ",\"over_s\":1,\"news\":true,\"lost\":0,\"dropped\":0,\"ports\":[" ports "]}"
#define PORT(port, came, held)                                                                               \
    "{\"side\":\"server\",\"port\":" #port ",\"came\":" #came ",\"ended\":0,\"lives_ms\":[[512," #came       \
    "]],\"close_wait\":" #held ",\"ghosts\":0}"

static int take_all(struct recording *recording, const char *const *lines, size_t count,
                    struct recording_error *why)
{
    int rc = 0;
    for (size_t i = 0; i < count && rc == 0; i++)
        rc = recording_take_line(recording, lines[i], strlen(lines[i]), why);
    return rc == 0 ? recording_end(recording) : rc;
}

static void ports_are_told_from_lines(void **state)
{
    (void)state;
    static const char *const lines[] = {
        HEAD,
        FLOW(0, ""),
        "{\"event\":\"look\",\"t_s\":1,\"ports\":[{\"anything\":[1,{}]}]}",
        FLOW(1, PORT(80, 10, 0) "," PORT(8080, 4, 2)),
        FLOW(2, PORT(80, 10, 0) "," PORT(8080, 4, 4)),
        "{\"event\":\"explanation\",\"findings\":[{\"rule\":\"x\",\"causes\":[\"ignore-eof\",\"other\"]}]}",
    };
    struct recording recording = {.looks = 0};
    struct recording_error why = {""};
    assert_int_equal(take_all(&recording, lines, COUNT_OF(lines), &why), 0);
    assert_int_equal(recording.looks, 3);
    assert_string_equal(recording.cause, "ignore-eof");
    const struct recorded_port *busiest = recording_busiest(&recording, SIDE_COUNT);
    assert_non_null(busiest);
    assert_int_equal(busiest->port, 8080);
    assert_int_equal(recorded_growth(busiest), 4); /* the first two came with the line that tells of them */
    assert_int_equal(recorded_came(busiest), 8);
    recording_free(&recording);
}

static void a_port_that_is_in_no_later_line_holds_nothing(void **state)
{
    (void)state;
    static const char *const lines[] = {HEAD, FLOW(0, ""), FLOW(1, PORT(80, 3, 3)), FLOW(2, PORT(81, 1, 0))};
    struct recording recording = {.looks = 0};
    struct recording_error why = {""};
    assert_int_equal(take_all(&recording, lines, COUNT_OF(lines), &why), 0);
    assert_int_equal(recorded_growth(&recording.ports[0]), 0);
    recording_free(&recording);
}

static void lives_are_distributed_as_recorded(void **state)
{
    (void)state;
    struct recorded_port port = {.lives = {[5] = 100, [10] = 300}};
    int64_t few = 0, many = 0;
    for (int64_t i = 0; i < 1000; i++) {
        int64_t life = recorded_life_ms(&port, i);
        few += life >= 16 && life < 32;
        many += life >= 512 && life < 1024;
    }
    assert_int_equal(few + many, 1000);
    assert_in_range(few, 240, 260);
    assert_int_equal(recorded_life_ms(&(struct recorded_port){.port = 1}, 0), 0);
}

static void what_is_no_recording_is_refused_in_words(void **state)
{
    (void)state;
    static const struct {
        const char *lines[3], *why;
    } cases[] = {
        {{"hello"}, "first line is not the header"},
        {{"{\"event\":\"look\",\"version\":\"1\"}"}, "first line is not the header"},
        {{"{\"event\":\"recording\",\"format\":2,\"version\":\"9.9\"}"}, "its format is 2"},
        {{HEAD, "{\"event\":"}, "not a JSON object"},
        {{HEAD, "{\"event\":\"flow\",\"t_s\":1}"}, "\"flow\""},
        {{HEAD, FLOW(1, PORT(0, 1, 1))}, "\"flow\""},
        {{HEAD, FLOW(1, PORT(80, -1, 1))}, "\"flow\""},
        {{HEAD, FLOW(2, ""), FLOW(1, "")}, "\"flow\""},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct recording recording = {.looks = 0};
        struct recording_error why = {""};
        size_t count = 0;
        while (count < 3 && cases[i].lines[count] != NULL)
            count++;
        assert_int_equal(take_all(&recording, cases[i].lines, count, &why), -EINVAL);
        assert_contains(why.text, cases[i].why);
        recording_free(&recording);
    }
}

static int read_text(const char *text, struct recording *recording, struct recording_error *why)
{
    char path[] = "/tmp/recording-XXXXXX";
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
    close(fd);
    int rc = recording_read(path, recording, why);
    unlink(path);
    return rc;
}

static void a_file_must_be_whole(void **state)
{
    (void)state;
    static const struct {
        const char *text, *why;
    } cases[] = {
        {"", "it is empty"},
        {HEAD "\n", "fewer than two looks"},
        {HEAD "\n" FLOW(0, "") "\n" FLOW(1, ""), "line 3 is cut short"},
        {HEAD "\n" FLOW(0, "") "\n{}x\n", "line 3: one of its lines is not a JSON object"},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct recording recording = {.looks = 0};
        struct recording_error why = {""};
        assert_int_equal(read_text(cases[i].text, &recording, &why), -EINVAL);
        assert_contains(why.text, cases[i].why);
        recording_free(&recording);
    }
    struct recording recording = {.looks = 0};
    struct recording_error why = {""};
    assert_int_equal(read_text(HEAD "\n" FLOW(0, "") "\n" FLOW(1, PORT(80, 1, 1)) "\n", &recording, &why), 0);
    recording_free(&recording);
    assert_int_equal(recording_read("/nowhere/at/all", &recording, &why), -ENOENT);
    recording_free(&recording);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ports_are_told_from_lines),
        cmocka_unit_test(a_port_that_is_in_no_later_line_holds_nothing),
        cmocka_unit_test(lives_are_distributed_as_recorded),
        cmocka_unit_test(what_is_no_recording_is_refused_in_words),
        cmocka_unit_test(a_file_must_be_whole),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
