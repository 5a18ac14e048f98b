#include "../unit.h"

#include "view/view.h"

#include <stdio.h>
#include <stdlib.h>

/* What the summary writes of a look and of the end of its order, which came before the step had settled. */
static char *summary_of(const struct sample *sample)
{
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    assert_non_null(out);
    struct observer summary = summary_view(out, "the summary");
    assert_non_null(summary.view);
    const struct order_end end = {.experiment = sample->experiment,
                                  .outcome = OUTCOME_INTERRUPTED,
                                  .verdict = "The verdict.",
                                  .sides = sample->sides};
    summary.ops->sample(summary.view, sample);
    summary.ops->order_end(summary.view, &end);
    fclose(out);
    free(summary.view);
    return text;
}

/* The look has met what the workers had not reported when it began. */
static void an_interrupted_open_has_no_negative_count_of_what_is_gone(void **state)
{
    (void)state;
    const struct histogram sides[SIDE_COUNT] = {{.of = {[STATE_ESTABLISHED] = 130}},
                                                {.of = {[STATE_ESTABLISHED] = 120}}};
    const struct experiment leak = experiment_of_order(close_order_find("leak"));
    char *text =
        summary_of(&(struct sample){.experiment = &leak, .step = "open", .sides = sides, .opened = 125});
    assert_contains(text, "130 ESTABLISHED");
    assert_contains(text, "5 gone"); /* on the client, where they are */
    assert_contains(text, "so far");
    assert_lacks(text, "-5");
    free(text);
}

static void ghosts_are_told_without_a_word_of_tables(void **state)
{
    (void)state;
    const struct histogram sides[SIDE_COUNT] = {
        [SIDE_CLIENT] = {.of = {[STATE_TIME_WAIT] = 125}, .ghosts = 125}};
    const struct experiment half_close = experiment_of_order(close_order_find("half-close"));
    char *text = summary_of(
        &(struct sample){.experiment = &half_close, .step = "open", .sides = sides, .opened = 125});
    assert_contains(text, "125 ghosts on the client: descriptors of ended connections\n");
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_interrupted_open_has_no_negative_count_of_what_is_gone),
        cmocka_unit_test(ghosts_are_told_without_a_word_of_tables),
    };
    return cmocka_run_group_tests_name("summary", tests, NULL, NULL);
}
