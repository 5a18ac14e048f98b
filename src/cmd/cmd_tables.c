/* cmd_tables: the program's tables in Markdown, as the manual has them: columns, events, metrics, states,
 * groups. For scripts/lib/guides.py. */
#include "audit/audit_order.h"
#include "audit/audit_result.h"
#include "audit/server_manner.h"
#include "base/diag.h"
#include "cmd/command.h"
#include "kernel/histogram.h"
#include "model/kept_state.h"
#include "view/audit_view.h"
#include "view/closing_view.h"
#include "view/json_events.h"
#include "view/metrics.h"
#include "view/proxy_view.h"
#include "view/transition_metrics.h"
#include "view/transition_rows.h"
#include "view/view.h"
#include "view/watch_metrics.h"
#include "watch/watch_group.h"

#include <ctype.h>
#include <string.h>

/* ---- of the outputs ---- */

static void print_look_columns(FILE *out)
{
    csv_put_markdown(out, look_columns);
}

static void print_transition_columns(FILE *out)
{
    csv_put_markdown(out, transition_columns);
}

static void print_audit_columns(FILE *out)
{
    csv_put_markdown(out, audit_columns);
}

static void print_proxy_columns(FILE *out)
{
    csv_put_markdown(out, proxy_columns);
}

static void print_family(void *out, const struct metric_family *family)
{
    metric_put_markdown(out, family);
}

static void print_run_metrics(FILE *out)
{
    metrics_each_family(print_family, out);
}

static void print_transition_metrics(FILE *out)
{
    transition_metrics_each_family(print_family, out);
}

static void print_watch_metrics(FILE *out)
{
    watch_metrics_each_family(print_family, out);
}

static void print_closing_metrics(FILE *out)
{
    closing_view_each_family(print_family, out);
}

/* ---- of what can be played ---- */

/* What ends a state that nobody touches. */
static void put_end(FILE *out, const struct kept_state *kept)
{
    if (kept->given_up_by != NULL)
        fprintf(out, "after `%s` retransmissions", kept->given_up_by);
    else if (kept->lasts_at_most_ms > 0)
        fprintf(out, "after %lld s, fixed in the kernel", (long long)kept->lasts_at_most_ms / 1000);
    else
        fputs("nothing", out);
}

static void print_states(FILE *out)
{
    fputs("| state | side | how it is made | filter | what ends it |\n| --- | --- | --- | --- | --- |\n",
          out);
    for (size_t i = 0; kept_state_at(i) != STATE_GONE; i++) {
        struct kept_state kept, other;
        if (kept_state_make(kept_state_at(i), SIDE_COUNT, &kept) != 0)
            continue;
        bool has_other =
            kept_state_make(kept.state, kept.side == SIDE_SERVER ? SIDE_CLIENT : SIDE_SERVER, &other) == 0;
        fprintf(out, "| %s | %s%s | %c%s. %s | %s | ", kept.order.name, side_name(kept.side),
                has_other ? "" : " only", toupper((unsigned char)kept.order.summary[0]),
                kept.order.summary + 1, kept.order.meaning, order_needs_filter(&kept.order) ? "yes" : "");
        put_end(out, &kept);
        fputs(" |\n", out);
    }
}

/* ---- of what is judged ---- */

/* Options in it as code. */
static void put_text(FILE *out, const char *text)
{
    for (const char *option; (option = strstr(text, "--")) != NULL;) {
        int length = 2 + (int)strspn(option + 2, "abcdefghijklmnopqrstuvwxyz-");
        fprintf(out, "%.*s`%.*s`", (int)(option - text), text, length, option);
        text = option + length;
    }
    fputs(text, out);
}

static void print_watch_groups(FILE *out)
{
    fputs("| group | what is in it | what that means |\n| --- | --- | --- |\n", out);
    for (int group = 0; group < WATCH_GROUPS; group++)
        if (watch_groups[group].is_leak) {
            fprintf(out, "| `%s` | %s | ", watch_groups[group].name, watch_groups[group].title);
            put_text(out, watch_groups[group].meaning);
            fputs(" |\n", out);
        }
}

static void print_audit_orders(FILE *out, bool are_of_tls)
{
    fputs("| `--order` | the client | what it shows |\n| --- | --- | --- |\n", out);
    for (int order = 0; order < AUDIT_ORDER_COUNT; order++) {
        const struct audit_order_row *row = audit_order_row((enum audit_order)order);
        if (row->needs_tls == are_of_tls)
            fprintf(out, "| `%s` | %s | %s |\n", audit_order_names[order], row->does, row->shows);
    }
}

static void print_plain_orders(FILE *out)
{
    print_audit_orders(out, false);
}

static void print_tls_orders(FILE *out)
{
    print_audit_orders(out, true);
}

static void print_server_manners(FILE *out)
{
    fputs("| `--order` | what the server does |\n| --- | --- |\n", out);
    for (int manner = 0; manner < SERVER_MANNER_COUNT; manner++) {
        fprintf(out, "| `%s` | ", server_manner_names[manner]);
        put_text(out, server_manner_row((enum server_manner)manner)->means);
        fputs(" |\n", out);
    }
}

static void print_audit_classes(FILE *out)
{
    fputs("| class | meaning |\n| --- | --- |\n", out);
    for (int class = 0; class < CLASS_COUNT; class ++)
        fprintf(out, "| `%s` | %s |\n", audit_class_name((enum audit_class) class),
                audit_class_meaning((enum audit_class) class));
}

static void print_audit_groups(FILE *out)
{
    fputs("| group | what they have in common |\n| --- | --- |\n", out);
    for (int group = GROUP_NONE + 1; group < GROUP_COUNT; group++)
        fprintf(out, "| `%s` | %s |\n", audit_group_name((enum audit_group)group),
                audit_group_meaning((enum audit_group)group));
}

/* ---- all of them ---- */

static const struct {
    const char *name;
    void (*print)(FILE *out);
} tables[] = {
    {"csv", print_look_columns},
    {"csv-transitions", print_transition_columns},
    {"csv-audit", print_audit_columns},
    {"csv-proxy", print_proxy_columns},
    {"json", json_events_put_markdown},
    {"metrics", print_run_metrics},
    {"metrics-events", print_transition_metrics},
    {"metrics-watch", print_watch_metrics},
    {"metrics-closings", print_closing_metrics},
    {"states", print_states},
    {"watch-groups", print_watch_groups},
    {"audit-orders", print_plain_orders},
    {"audit-orders-tls", print_tls_orders},
    {"audit-classes", print_audit_classes},
    {"audit-groups", print_audit_groups},
    {"server-manners", print_server_manners},
};

/* Without a name: their names, one a line. */
static int cmd_tables(int argc, char *argv[])
{
    for (size_t i = 0; i < sizeof tables / sizeof tables[0]; i++) {
        if (argc == 0)
            puts(tables[i].name);
        else if (strcmp(tables[i].name, argv[0]) == 0) {
            tables[i].print(stdout);
            return EXIT_AS_EXPECTED;
        }
    }
    if (argc == 0)
        return EXIT_AS_EXPECTED;
    diag_error("tables \"%s\": there is no such table: \"tcpstorm tables\" lists them", argv[0]);
    return EXIT_USAGE;
}

const struct command tables_command = {.name = "tables", .run = cmd_tables};
