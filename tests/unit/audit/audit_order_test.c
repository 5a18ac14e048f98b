#include "../unit.h"

#include "audit/audit_order.h"

#include <string.h>

static void every_order_has_a_name_and_says_what_it_does_and_shows(void **state)
{
    (void)state;
    for (int i = 0; i < AUDIT_ORDER_COUNT; i++) {
        const struct audit_order_row *row = audit_order_row((enum audit_order)i);
        assert_non_null(audit_order_names[i]);
        assert_non_null(row->does);
        assert_non_null(row->shows);
        assert_non_null(row->since);
    }
    assert_string_equal(audit_order_names[AUDIT_ORDER_COUNT], "all");
    assert_null(audit_order_names[AUDIT_ORDER_COUNT + 1]);
}

/* What is sent, and not read, and sent again is a request. */
static void an_order_of_requests_needs_one(void **state)
{
    (void)state;
    for (int i = 0; i < AUDIT_ORDER_COUNT; i++) {
        const struct audit_order_row *row = audit_order_row((enum audit_order)i);
        bool is_of_requests =
            row->fin_with_request || row->sends_half || row->never_reads || row->asks_again || row->asks_late;
        assert_int_equal(row->needs_request != NULL, is_of_requests);
    }
}

static void a_client_that_hears_nothing_is_told_of_by_the_tables(void **state)
{
    (void)state;
    for (int i = 0; i < AUDIT_ORDER_COUNT; i++) {
        const struct audit_order_row *row = audit_order_row((enum audit_order)i);
        bool hears_nothing = audit_order_is_silent(row) || row->act == ACT_CLOSE;
        assert_int_equal(row->tables_tell, hears_nothing);
        assert_false(row->hears_on && row->tables_tell);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_order_has_a_name_and_says_what_it_does_and_shows),
        cmocka_unit_test(an_order_of_requests_needs_one),
        cmocka_unit_test(a_client_that_hears_nothing_is_told_of_by_the_tables),
    };
    return cmocka_run_group_tests_name("audit_order", tests, NULL, NULL);
}
