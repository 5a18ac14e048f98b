#include "../unit.h"

#include "code/python_lines.h"

/* Instructions up to that offset, from where the one before ends, are of that line. */
struct run {
    int until, line;
};

/* Recorded: co_linetable, and what co_lines() says, of
 *
 *   1  import sys
 *   2  def sample(items, lock):
 *   3      total = 0
 *   4      try:
 *   5          with lock:
 *   6              for item in (x for x in items
 *   7                           if x):
 *   8                  total += len(
 *   9                      str(item) +
 *  10                      "and a constant so long that ..." * item)
 *  11      except (ValueError,
 *  12              KeyError) as error:
 *  13          raise RuntimeError("no") from error
 *  14      finally:
 *  15          lock = None
 *  16      return total
 */
static const char table_3_11[] =
    "\x80\x00\xd8\x0c\x0d\x80\x45\xf0\x02\x0b\x05\x14\xd8\x0d\x11\xf0\x00\x05\x09\x57\x02\xf0\x00\x05"
    "\x09\x57\x02\xf0\x02\x01\x19\x1f\xf0\x00\x01\x19\x1f\xa0\x45\xf0\x00\x01\x19\x1f\xf1\x00\x01\x19"
    "\x1f\xf4\x00\x01\x19\x1f\xf0\x00\x04\x0d\x57\x02\xf0\x00\x04\x0d\x57\x02\x90\x04\xe0\x10\x15\x9d"
    "\x13\xdd\x14\x17\x98\x04\x91\x49\x94\x49\xf0\x02\x00\x15\x4f\x02\xf0\x00\x00\x52\x02\x56\x02\xf1"
    "\x00\x00\x15\x56\x02\xf1\x03\x01\x15\x56\x02\xf1\x03\x02\x1a\x57\x02\xf4\x00\x02\x1a\x57\x02\xf1"
    "\x00\x02\x11\x57\x02\x90\x05\x90\x05\xf0\x05\x04\x0d\x57\x02\xf0\x03\x05\x09\x57\x02\xf0\x00\x05"
    "\x09\x57\x02\xf0\x00\x05\x09\x57\x02\xf1\x00\x05\x09\x57\x02\xf4\x00\x05\x09\x57\x02\xf0\x00\x05"
    "\x09\x57\x02\xf0\x00\x05\x09\x57\x02\xf0\x00\x05\x09\x57\x02\xf0\x00\x05\x09\x57\x02\xf0\x00\x05"
    "\x09\x57\x02\xf0\x00\x05\x09\x57\x02\xf8\xf8\xf8\xf0\x00\x05\x09\x57\x02\xf0\x00\x05\x09\x57\x02"
    "\xf0\x00\x05\x09\x57\x02\xf0\x00\x05\x09\x57\x02\xf8\xf8\xf5\x0c\x00\x0d\x17\xdd\x0c\x14\xf0\x03"
    "\x01\x0c\x16\xf0\x00\x02\x05\x2c\xf0\x00\x02\x05\x2c\xf0\x00\x02\x05\x2c\xe5\x0e\x1a\x98\x34\xd1"
    "\x0e\x20\xd4\x0e\x20\xa0\x65\xd0\x08\x2b\xf8\xf8\xf8\xf8\xf0\x05\x02\x05\x2c\xf8\xf8\xf8\xf0\x08"
    "\x00\x10\x14\x88\x04\x88\x04\xf8\x88\x74\x88\x04\x88\x0b\x88\x0b\x88\x0b\x88\x0b\xd8\x0b\x10\x80"
    "\x4c";
static const struct run runs_3_11[] = {
    {2, 2},    {6, 3},   {8, 4},    {14, 5},  {42, 6},   {56, 8},  {84, 9},   {92, 10},  {96, 9},
    {118, 8},  {120, 6}, {152, 5},  {158, 0}, {166, 5},  {170, 0}, {182, 11}, {194, 12}, {202, 11},
    {234, 13}, {242, 0}, {244, 11}, {250, 0}, {256, 15}, {258, 0}, {270, 15}, {274, 16}};

static const char table_3_12[] =
    "\x80\x00\xd8\x0c\x0d\x80\x45\xf0\x02\x0b\x05\x14\xd8\x0d\x11\xf1\x00\x05\x09\x57\x02\xf1\x02\x01"
    "\x19\x1f\xa0\x45\xf4\x00\x01\x19\x1f\xf2\x00\x04\x0d\x57\x02\x90\x04\xe0\x10\x15\x9c\x13\xdc\x14"
    "\x17\x98\x04\x93\x49\xf0\x02\x00\x15\x4f\x02\xf0\x00\x00\x52\x02\x56\x02\xf1\x00\x00\x15\x56\x02"
    "\xf1\x03\x01\x15\x56\x02\xf3\x03\x02\x1a\x57\x02\xf1\x00\x02\x11\x57\x02\x91\x05\xf1\x05\x04\x0d"
    "\x57\x02\xf7\x03\x05\x09\x57\x02\xf0\x14\x00\x10\x14\x88\x04\xd8\x0b\x10\x80\x4c\xf7\x17\x05\x09"
    "\x57\x02\xf0\x00\x05\x09\x57\x02\xfb\xf4\x0c\x00\x0d\x17\xdc\x0c\x14\xf0\x03\x01\x0c\x16\xf2\x00"
    "\x02\x05\x2c\xe4\x0e\x1a\x98\x34\xd3\x0e\x20\xa0\x65\xd0\x08\x2b\xfb\xf0\x05\x02\x05\x2c\xfb\xf0"
    "\x08\x00\x10\x14\x89\x04\xfa";
static const struct run runs_3_12[] = {
    {2, 2},    {6, 3},    {8, 4},   {14, 5},   {38, 6},   {50, 8},   {70, 9},  {78, 10},  {82, 9},
    {98, 8},   {102, 6},  {118, 5}, {122, 15}, {126, 16}, {144, 5},  {152, 0}, {162, 11}, {172, 12},
    {180, 11}, {204, 13}, {212, 0}, {214, 11}, {222, 0},  {228, 15}, {234, 0}};

static const char table_3_13[] =
    "\x80\x00\xd8\x0c\x0d\x80\x45\xf0\x02\x0b\x05\x14\xda\x0d\x11\xf1\x02\x01\x19\x1f\xa1\x45\xf6\x00"
    "\x01\x19\x1f\x90\x04\xe0\x10\x15\x9c\x13\xdc\x14\x17\x98\x04\x93\x49\xf0\x02\x00\x15\x4f\x02\xf0"
    "\x00\x00\x52\x02\x56\x02\xf1\x00\x00\x15\x56\x02\xf1\x03\x01\x15\x56\x02\xf3\x03\x02\x1a\x57\x02"
    "\xf1\x00\x02\x11\x57\x02\x92\x05\xf1\x05\x01\x19\x1f\xf7\x03\x00\x0e\x12\xf0\x14\x00\x10\x14\x88"
    "\x04\xd8\x0b\x10\x80\x4c\xf7\x17\x00\x0e\x12\x8d\x54\xfb\xf4\x0c\x00\x0d\x17\xdc\x0c\x14\xf0\x03"
    "\x01\x0c\x16\xf3\x00\x02\x05\x2c\xe4\x0e\x1a\x98\x34\xd3\x0e\x20\xa0\x65\xd0\x08\x2b\xfb\xf0\x05"
    "\x02\x05\x2c\xfb\xf0\x08\x00\x10\x14\x89\x04\xfa";
static const struct run runs_3_13[] = {
    {2, 2},    {6, 3},    {8, 4},   {14, 5},   {38, 6},   {50, 8},   {70, 9},  {78, 10},  {82, 9},
    {100, 8},  {104, 6},  {120, 5}, {124, 15}, {128, 16}, {156, 5},  {164, 0}, {174, 11}, {184, 12},
    {194, 11}, {218, 13}, {226, 0}, {228, 11}, {236, 0},  {242, 15}, {248, 0}};

static void assert_runs(const char *table, size_t size, const struct run *runs, size_t count)
{
    int offset = 0;
    for (size_t i = 0; i < count; i++)
        for (; offset < runs[i].until; offset += 2)
            assert_int_equal(python_line_of((const unsigned char *)table, size, 2, offset), runs[i].line);
    assert_int_equal(python_line_of((const unsigned char *)table, size, 2, offset), 0);
    assert_int_equal(python_line_of((const unsigned char *)table, size, 2, -2), 0);
}

#define ASSERT_RUNS(version)                                                                                 \
    assert_runs(table_##version, sizeof table_##version - 1, runs_##version, COUNT_OF(runs_##version))

static void every_instruction_has_the_line_that_python_says(void **state)
{
    (void)state;
    ASSERT_RUNS(3_11);
    ASSERT_RUNS(3_12);
    ASSERT_RUNS(3_13);
}

/* Another process's memory may hold anything. */
static void a_table_that_is_cut_has_no_line_where_it_ends(void **state)
{
    (void)state;
    for (size_t size = 0; size < sizeof table_3_12 - 1; size++) {
        int line = python_line_of((const unsigned char *)table_3_12, size, 2, 232);
        assert_int_equal(line, 0);
    }
}

static void what_is_no_table_has_no_line(void **state)
{
    (void)state;
    static const unsigned char no_start[] = {0x00, 0x00},
                               endless[] = {0xe8, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff},
                               far_up[] = {0xe8, 0x7e, 0x7f, 0x7f, 0x7f, 0x7f, 0x3f},
                               above[] = {0xe8, 0x15}; /* by ten lines, from the second */
    assert_int_equal(python_line_of(no_start, sizeof no_start, 1, 0), 0);
    assert_int_equal(python_line_of(endless, sizeof endless, 1, 0), 0);
    assert_int_equal(python_line_of(far_up, sizeof far_up, 1, 0), 0);
    assert_int_equal(python_line_of(above, sizeof above, 2, 0), 0);
    assert_int_equal(python_line_of(NULL, 0, 1, 0), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_instruction_has_the_line_that_python_says),
        cmocka_unit_test(a_table_that_is_cut_has_no_line_where_it_ends),
        cmocka_unit_test(what_is_no_table_has_no_line),
    };
    return cmocka_run_group_tests_name("python_lines", tests, NULL, NULL);
}
