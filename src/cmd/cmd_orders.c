/* cmd_orders: lists the close orders with what they need, their steps and the states each side must reach. */
#include "base/diag.h"
#include "base/wrap.h"
#include "cmd/command.h"
#include "model/close_order.h"
#include "view/order_json.h"

#include <string.h>

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

/* As it is typed: troff takes a bare "-" for a hyphen. */
static void print_escaped(const char *text, FILE *out)
{
    for (; *text != '\0'; text++)
        fprintf(out, "%s%c", *text == '-' ? "\\" : "", *text);
}

static void print_man_needs(const struct close_order *order, FILE *out)
{
    const struct needs_text needs = needs_text(order);
    if (*needs.text == '\0')
        return;
    fputs(".br\n\\fINeeds\\fR: ", out);
    print_escaped(needs.text, out);
    fputs(".\n", out);
}

/* One tagged paragraph per order, for the man page. */
static void print_man(const struct close_order *order, FILE *out)
{
    fprintf(out, ".TP\n.B %s\n%c%s.\n%s\n", order->name, order->summary[0] - 'a' + 'A', order->summary + 1,
            order->meaning);
    print_man_needs(order, out);
    for (int i = 0; i < order_step_count(order); i++) {
        const struct order_step *step = order_step_at(order, i);
        fprintf(out, ".br\n\\fI%s\\fR: server %s, client %s\n", order_step_label(step).text,
                state_set_text(step->expect[SIDE_SERVER]).text,
                state_set_text(step->expect[SIDE_CLIENT]).text);
    }
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

struct format {
    const char *option; /* NULL: without one */
    void (*print)(const struct close_order *order, FILE *out);
};

static const struct format formats[] = {
    {NULL, print_whole}, {"--names", print_name}, {"--json", print_json}, {"--man", print_man}};

int cmd_orders(int argc, char *argv[])
{
    const struct format *format = argc == 0 ? &formats[0] : NULL;
    for (size_t i = 1; i < sizeof formats / sizeof formats[0]; i++)
        if (argc == 1 && strcmp(argv[0], formats[i].option) == 0)
            format = &formats[i];
    if (format == NULL) {
        diag_error("orders \"%s\": allowed is nothing, --names for the bare names, or --json for all of it "
                   "as JSON Lines",
                   argv[argc - 1]);
        return EXIT_USAGE;
    }
    for (size_t i = 0; close_order_at(i) != NULL; i++)
        format->print(close_order_at(i), stdout);
    return EXIT_AS_EXPECTED;
}
