#include "view/view.h"

#include "base/output.h"
#include "base/terminal.h"
#include "control/hosts.h"

#include <langinfo.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct look_and_feel look_and_feel_of(int fd)
{
    const char *no_colour = getenv("NO_COLOR");
    return (struct look_and_feel){
        .colour = terminal_can_redraw(fd) && (no_colour == NULL || *no_colour == '\0'),
        .utf8 = strcmp(nl_langinfo(CODESET), "UTF-8") == 0,
    };
}

const char *view_state_colour(struct look_and_feel feel, enum tcp_state state)
{
    if (!feel.colour)
        return "";
    return state == STATE_CLOSE_WAIT ? "\033[31m" : state == STATE_GONE ? "\033[2m" : "";
}

void view_free(struct observer *observer)
{
    free(observer->view);
    observer->view = NULL;
}

int view_flush(FILE *out)
{
    return output_flush(out);
}

void view_print_way_inside(FILE *out, const struct run_settings *settings)
{
    if (settings->look_inside != NULL)
        fprintf(
            out,
            "A network namespace of its own: to run a command in it from another terminal, \"%s COMMAND\"\n",
            settings->look_inside);
}

void view_print_ss_command(FILE *out, const struct run_settings *settings, const struct port_range *lanes)
{
    struct address_text text = address_text(&settings->address);
    const char *at = text.text;
    if (lanes->first == lanes->last)
        fprintf(out, "ss -tan 'src %s:%u or dst %s:%u'", at, lanes->first, at, lanes->first);
    else
        fprintf(
            out,
            "ss -tan '( src %s and sport >= :%u and sport <= :%u ) or ( dst %s and dport >= :%u and dport <= "
            ":%u )'",
            at, lanes->first, lanes->last, at, lanes->first, lanes->last);
}

/* "15000-15003", "15000". */
static void print_ports(FILE *out, const struct port_range *lanes)
{
    fprintf(out, "%u", lanes->first);
    if (lanes->last > lanes->first)
        fprintf(out, "-%u", lanes->last);
}

static void print_lanes_of_hosts(FILE *out, const struct plan *plan, const struct port_range *lanes)
{
    const struct hosts *hosts = plan->settings->hosts;
    for (int i = 0; i < hosts->count; i++) {
        if (hosts->each[i].side != SIDE_SERVER)
            continue;
        fprintf(out, "lanes %s:", address_text(&hosts->each[i].address).text);
        print_ports(out, lanes);
        fprintf(out, " on %s\n", host_name(&hosts->each[i]).text);
    }
    fprintf(out,
            "seen by %s on each host; look yourself there: ss -tan '( sport >= :%u and sport <= :%u ) or ( "
            "dport >= :%u and dport <= :%u )'\n",
            plan->witness->name, lanes->first, lanes->last, lanes->first, lanes->last);
}

void view_print_lanes(FILE *out, const struct plan *plan, const struct port_range *lanes)
{
    if (!plan->settings->hosts->are_here) {
        print_lanes_of_hosts(out, plan, lanes);
        return;
    }
    fprintf(out, "lanes %s:", address_text(&plan->settings->address).text);
    print_ports(out, lanes);
    fprintf(out, ", seen by %s%s; look yourself: ", plan->witness->name,
            plan->settings->events != NULL ? " and events" : "");
    view_print_ss_command(out, plan->settings, lanes);
    fputc('\n', out);
}
