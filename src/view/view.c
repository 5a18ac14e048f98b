#include "view/view.h"

#include "base/terminal.h"

#include <errno.h>
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
    errno = 0;
    if (fflush(out) == 0 && !ferror(out))
        return 0;
    int error = errno != 0 ? errno : EIO;
    clearerr(out);
    return -error;
}

void view_print_way_inside(FILE *out, const struct storm_settings *settings)
{
    if (settings->look_inside != NULL)
        fprintf(out, "A network namespace of its own: another terminal gets in with \"%s COMMAND\"\n",
                settings->look_inside);
}

void view_print_ss_command(FILE *out, const struct storm_settings *settings, const struct port_range *lanes)
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
