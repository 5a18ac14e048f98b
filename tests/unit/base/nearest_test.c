#include "../unit.h"

#include "base/nearest.h"

static const char *const words[] = {"server-first", "client-first", "leak", "abort", NULL};

static const char *word_at(const void *candidates, size_t i)
{
    return ((const char *const *)candidates)[i];
}

static const char *nearest_to(const char *word)
{
    return nearest_word(word, word_at, words);
}

static void equal_words_have_no_distance(void **state)
{
    (void)state;
    assert_int_equal(edit_distance("leak", "leak"), 0);
    assert_int_equal(edit_distance("", ""), 0);
}

static void a_missing_letter_is_one_edit(void **state)
{
    (void)state;
    assert_int_equal(edit_distance("sever", "server"), 1);
}

static void an_extra_letter_is_one_edit(void **state)
{
    (void)state;
    assert_int_equal(edit_distance("leaak", "leak"), 1);
}

static void another_letter_is_one_edit(void **state)
{
    (void)state;
    assert_int_equal(edit_distance("lead", "leak"), 1);
}

static void swapped_neighbours_are_one_edit(void **state)
{
    (void)state;
    assert_int_equal(edit_distance("laek", "leak"), 1);
}

static void the_distance_to_nothing_is_the_length(void **state)
{
    (void)state;
    assert_int_equal(edit_distance("", "abort"), 5);
    assert_int_equal(edit_distance("abort", ""), 5);
}

static void the_distance_is_the_same_both_ways(void **state)
{
    (void)state;
    for (size_t i = 0; words[i] != NULL; i++)
        for (size_t j = 0; words[j] != NULL; j++)
            assert_int_equal(edit_distance(words[i], words[j]), edit_distance(words[j], words[i]));
}

static void a_typo_finds_its_word(void **state)
{
    (void)state;
    assert_string_equal(nearest_to("sever-first"), "server-first");
    assert_string_equal(nearest_to("clinet-first"), "client-first");
    assert_string_equal(nearest_to("aborted"), "abort");
}

static void a_word_finds_itself(void **state)
{
    (void)state;
    for (size_t i = 0; words[i] != NULL; i++)
        assert_string_equal(nearest_to(words[i]), words[i]);
}

static void an_unlike_word_finds_nothing(void **state)
{
    (void)state;
    assert_null(nearest_to("xyzzyx"));
    assert_null(nearest_to("q"));
}

static void an_empty_word_finds_nothing(void **state)
{
    (void)state;
    assert_null(nearest_to(""));
}

static void no_candidates_find_nothing(void **state)
{
    (void)state;
    static const char *const none[] = {NULL};
    assert_null(nearest_word("leak", word_at, none));
}

static void a_word_longer_than_any_candidate_finds_nothing(void **state)
{
    (void)state;
    char word[201];
    memset(word, 'x', sizeof word - 1);
    word[sizeof word - 1] = '\0';
    assert_null(nearest_to(word));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(equal_words_have_no_distance),
        cmocka_unit_test(a_missing_letter_is_one_edit),
        cmocka_unit_test(an_extra_letter_is_one_edit),
        cmocka_unit_test(another_letter_is_one_edit),
        cmocka_unit_test(swapped_neighbours_are_one_edit),
        cmocka_unit_test(the_distance_to_nothing_is_the_length),
        cmocka_unit_test(the_distance_is_the_same_both_ways),
        cmocka_unit_test(a_typo_finds_its_word),
        cmocka_unit_test(a_word_finds_itself),
        cmocka_unit_test(an_unlike_word_finds_nothing),
        cmocka_unit_test(an_empty_word_finds_nothing),
        cmocka_unit_test(no_candidates_find_nothing),
        cmocka_unit_test(a_word_longer_than_any_candidate_finds_nothing),
    };
    return cmocka_run_group_tests_name("nearest", tests, NULL, NULL);
}
