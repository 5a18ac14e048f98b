#include "../unit.h"

#include "code/address_space.h"
#include "code/memory_reader.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/sysmacros.h>

static void lines_of_maps_are_read(void **state)
{
    (void)state;
    struct maps_line line;
    assert_true(
        maps_line_parse("7f0c5a000000-7f0c5a021000 r-xp 00026000 fe:01 1234     /usr/lib/libc.so.6", &line));
    assert_true(line.start == 0x7f0c5a000000 && line.end == 0x7f0c5a021000 && line.offset == 0x26000);
    assert_int_equal(line.device, makedev(0xfe, 1));
    assert_int_equal(line.inode, 1234);
    assert_true(line.is_executable && !line.is_writable && !line.is_deleted);
    assert_string_equal(line.path, "/usr/lib/libc.so.6");
    assert_int_equal(line.path_length, strlen(line.path));

    assert_true(maps_line_parse("00400000-00401000 rwxp 00000000 00:00 0", &line));
    assert_true(line.is_executable && line.is_writable && line.inode == 0);
    assert_int_equal(line.path_length, 0);

    assert_true(maps_line_parse("00400000-00401000 r--p 00000000 08:01 9  /srv/a b (x) (deleted)", &line));
    assert_true(line.is_deleted && !line.is_executable);
    assert_int_equal(line.path_length, strlen("/srv/a b (x)"));

    assert_true(maps_line_parse("7ffd1000-7ffd2000 r-xp 00000000 00:00 0   [vdso]", &line));
    assert_string_equal(line.path, "[vdso]");
    assert_true(maps_line_parse("ffffffffff600000-ffffffffff601000 --xp 00000000 00:00 0 [vsyscall]", &line));
}

static void other_lines_are_refused(void **state)
{
    (void)state;
    static const char *const lines[] = {"",
                                        "x",
                                        "400-",
                                        "400-300 r-xp 0 08:01 9 /x",
                                        "400-500",
                                        "400-500 r-xp 0 08",
                                        "400-500 r 0 08:01 9 /x"};
    struct maps_line line;
    for (size_t i = 0; i < COUNT_OF(lines); i++)
        assert_false(maps_line_parse(lines[i], &line));
}

static void our_own_code_is_found_where_it_is(void **state)
{
    (void)state;
    struct address_space space = {.pid = getpid()};
    struct binaries binaries = {0};
    struct site_table strings = {0};
    assert_true(address_space_is_stale(&space));
    assert_int_equal(address_space_read(&space, &binaries, &strings), 0);
    assert_false(address_space_is_stale(&space));
    struct mapping *mapping = address_space_find(&space, (uintptr_t)our_own_code_is_found_where_it_is);
    assert_non_null(mapping);
    assert_string_equal(mapping->binary->name, "address_space_test");
    assert_true(mapping->binary->is_program && !mapping->binary->is_foreign);
    struct mapping *libc = address_space_find(&space, (uintptr_t)qsort);
    assert_true(libc == NULL || libc->binary->is_foreign);
    assert_null(address_space_find(&space, 0));
    assert_null(address_space_find(&space, (uintptr_t)&space));
    uint64_t address;
    assert_true(mapping_address(mapping, getpid(), (uintptr_t)our_own_code_is_found_where_it_is, &address));
    assert_true(address == (uintptr_t)our_own_code_is_found_where_it_is - mapping->bias);
    size_t known = binaries.count; /* read again, they are the same */
    assert_int_equal(address_space_read(&space, &binaries, &strings), 0);
    assert_int_equal(binaries.count, known);
    address_space_clear(&space);
    binaries_clear(&binaries);
    site_table_clear(&strings);
}

static void a_process_that_is_gone_has_no_code(void **state)
{
    (void)state;
    struct address_space space = {.pid = 0x3fffff};
    struct binaries binaries = {0};
    struct site_table strings = {0};
    assert_int_equal(address_space_read(&space, &binaries, &strings), -ESRCH);
    address_space_clear(&space);
}

static void memory_is_read_up_to_a_hole(void **state)
{
    (void)state;
    struct memory_reader *reader = malloc(sizeof *reader);
    uint8_t *pages = mmap(NULL, 3 * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0),
            got[8192];
    uint64_t word = 0;
    assert_non_null(reader);
    assert_true(pages != MAP_FAILED);
    assert_int_equal(munmap(pages + 2 * 4096, 4096), 0);
    uint64_t at = (uintptr_t)pages;
    pages[4095] = 7;
    pages[8191] = 9;
    memory_reader_begin(reader, getpid());
    assert_true(memory_read(reader, at + 4088, &word, sizeof word));
    assert_true(word >> 56 == 7);
    assert_true(memory_read(reader, at + 8184, &word, sizeof word));
    assert_true(word >> 56 == 9);
    assert_false(memory_read(reader, at + 8188, &word, sizeof word));
    assert_int_equal(memory_read_much(reader, at + 100, got, sizeof got), 8192 - 100);
    assert_false(memory_read(reader, 8, &word, sizeof word));
    assert_int_equal(reader->error, EFAULT);
    free(reader);
    munmap(pages, 2 * 4096);
}

static void a_copy_is_read_without_the_process(void **state)
{
    (void)state;
    static const uint64_t words[] = {1, 2, 3};
    struct memory_reader *reader = malloc(sizeof *reader);
    assert_non_null(reader);
    memory_reader_begin(reader, 0);
    reader->copy = (const uint8_t *)words;
    reader->copy_at = 0x7000;
    reader->copy_size = sizeof words;
    uint64_t word;
    assert_true(memory_read(reader, 0x7010, &word, sizeof word));
    assert_int_equal(word, 3);
    assert_false(memory_read(reader, 0x7014, &word, sizeof word));
    assert_false(memory_read(reader, 0x6ff8, &word, sizeof word));
    free(reader);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lines_of_maps_are_read),
        cmocka_unit_test(other_lines_are_refused),
        cmocka_unit_test(our_own_code_is_found_where_it_is),
        cmocka_unit_test(a_process_that_is_gone_has_no_code),
        cmocka_unit_test(memory_is_read_up_to_a_hole),
        cmocka_unit_test(a_copy_is_read_without_the_process),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
