/* cmd_orders: lists the close orders with what they need, their steps and the states each side must reach. */
#include "base/wrap.h"
#include "cmd/command.h"
#include "cmd/option_rules.h"
#include "model/close_order.h"
#include "view/order_json.h"

#include <stdbool.h>
#include <stddef.h>

static void print_step(const struct order_step *step, FILE *out)
{
    fprintf(out, "    %-16s server %-20s client %s\n", order_step_label(step).text,
            state_set_text(step->expect[SIDE_SERVER]).text, state_set_text(step->expect[SIDE_CLIENT]).text);
}

struct needs_text {
    char text[96];
};

/* "--isolate (net.ipv4.tcp_fin_timeout 3)"; empty when any run has what the order needs. */
static struct needs_text needs_text(const struct close_order *order)
{
    struct needs_text out = {""};
    const struct order_needs *needs = &order->needs;
    if (needs->sysctl != NULL && needs->is_half)
        snprintf(out.text, sizeof out.text, "--isolate (%s half of --conns)", needs->sysctl);
    else if (needs->sysctl != NULL)
        snprintf(out.text, sizeof out.text, "--isolate (%s %lld)", needs->sysctl, (long long)needs->value);
    else if (order_needs_filter(order))
        snprintf(out.text, sizeof out.text, "--isolate, or root (a packet filter)");
    return out;
}

static void print_whole(const struct close_order *order, FILE *out)
{
    const struct needs_text needs = needs_text(order);
    fprintf(out, "%s: %s\n", order->name, order->summary);
    if (*needs.text != '\0')
        fprintf(out, "    needs: %s\n", needs.text);
    for (int i = 0; i < order_step_count(order); i++)
        print_step(order_step_at(order, i), out);
    wrap_print(out, order->meaning, 4, 92);
    fputc('\n', out);
}

static void print_name(const struct close_order *order, FILE *out)
{
    fprintf(out, "%s\n", order->name);
}

/* For the guide: a row of a table for each order, with what it leaves, then an item of a list. */
static void print_markdown_table(FILE *out)
{
    fputs("| order | what happens | server at the end | client at the end |\n| --- | --- | --- | --- |\n",
          out);
    for (size_t i = 0; close_order_at(i) != NULL; i++) {
        const struct close_order *order = close_order_at(i);
        const struct order_step *last = order_step_at(order, order_step_count(order) - 1);
        fprintf(out, "| `%s` | %s | %s | %s |\n", order->name, order->summary,
                state_set_text(last->expect[SIDE_SERVER]).text,
                state_set_text(last->expect[SIDE_CLIENT]).text);
    }
    fputc('\n', out);
}

static void print_markdown(const struct close_order *order, FILE *out)
{
    fprintf(out, "- `%s`: %c%s. %s\n", order->name, order->summary[0] - 'a' + 'A', order->summary + 1,
            order->meaning);
    const struct needs_text needs = needs_text(order);
    if (*needs.text != '\0')
        fprintf(out, "  *Needs*: %s.\n", needs.text);
    fputc('\n', out);
    for (int i = 0; i < order_step_count(order); i++) {
        const struct order_step *step = order_step_at(order, i);
        fprintf(out, "  - *%s*: server %s, client %s\n", order_step_label(step).text,
                state_set_text(step->expect[SIDE_SERVER]).text,
                state_set_text(step->expect[SIDE_CLIENT]).text);
    }
    fputc('\n', out);
}

static void print_json(const struct close_order *order, FILE *out)
{
    struct json_writer w = {.out = out};
    const struct experiment experiment = experiment_of_order(order);
    json_open(&w, NULL, '{');
    json_string(&w, "order", order->name);
    order_json_put(&w, &experiment);
    json_close(&w, '}');
    json_end_line(&w);
}

struct list_options {
    bool names, json, markdown;
};

#define OPTION(member) offsetof(struct list_options, member)

static const struct option_row rows[] = {
    {.name = "names", .help = "only the names, one a line", .kind = OPTION_FLAG, .target = OPTION(names)},
    {.name = "json", .help = "all of it as JSON Lines", .kind = OPTION_FLAG, .target = OPTION(json)},
    {.name = "markdown", .kind = OPTION_FLAG, .target = OPTION(markdown)},
    {.name = NULL},
};

static const struct option_table table = {
    .command = "orders", .help = "tcpstorm orders --help", .rows = rows, .rules = option_rules};

static int cmd_orders(int argc, char *argv[])
{
    struct list_options options = {.names = false};
    if (options_parse(&table, argc, argv, &options) != 0)
        return EXIT_USAGE;
    void (*print)(const struct close_order *order, FILE *out) = options.markdown ? print_markdown
                                                                : options.json   ? print_json
                                                                : options.names  ? print_name
                                                                                 : print_whole;
    if (options.markdown)
        print_markdown_table(stdout);
    for (size_t i = 0; close_order_at(i) != NULL; i++)
        print(close_order_at(i), stdout);
    return EXIT_AS_EXPECTED;
}

const struct command orders_command = {
    .name = "orders",
    .summary = "list the close orders, what they need, their steps and the states expected",
    .usage = "orders [--names|--json]",
    .examples = {{"tcpstorm orders", "with all that is known about them"},
                 {"tcpstorm orders --names", "one a line"},
                 {"tcpstorm orders --json", "for a program"}},
    .options = &table,
    .run = cmd_orders,
};
