/* explain_aid: first aid for people and for scripts: what is done, what it frees, and what is left alone and
 * why. */
#include "base/number_text.h"
#include "base/text.h"
#include "base/wrap.h"
#include "view/explain_view.h"
#include "view/view.h"

#include <errno.h>
#include <string.h>

enum {
    WIDTH = 98,
    INDENT = 2,
    DESCRIPTORS_MOST = 8, /* whose numbers are told */
    BLOCKS_MOST = 12,     /* processes and cures */
};

struct line {
    char text[2048];
};

#define ADD(line, ...) TEXT_ADD((line)->text, __VA_ARGS__)

/* Nothing where there is nothing to say. */
static void print_line(FILE *out, const struct line *line)
{
    if (line->text[0] != '\0')
        wrap_print(out, line->text, INDENT, WIDTH);
}

static const struct {
    const char *name, *words;
} reasons[AID_REASON_COUNT] = {
    [AID_KNOWS_EOF] = {"knows-eof",
                       "A shutdown() would tell the program nothing that the FINs of their peers have not "
                       "told it. It would free no descriptor: the sockets would leave all tables and become "
                       "ghosts, which only hides the leak. SOCK_DESTROY (ss -K) does the same."},
    [AID_UNHEARD] =
        {"unheard",
         "Nothing in the program watches them: a shutdown() would tell their peer, but free no descriptor."},
    [AID_HELD_UP] = {"held-up", "The thread named above is in the way, and a shutdown() of these sockets "
                                "does not wake it: no descriptor would be freed."},
    [AID_PAUSED] = {"paused",
                    "Reading is paused: a shutdown() would wake the program with a hang-up that it has "
                    "not asked for, and it may spin on that."},
    [AID_QUEUED] = {"queued",
                    "No process has a descriptor of them: they wait in an accept queue until the program "
                    "calls accept() or closes its listener."},
    [AID_GHOST] = {"ghost",
                   "Their connections are gone already: only the program can close the descriptors."},
    [AID_HEIRS] = {"heirs", "Processes that do not serve them keep them open: a shutdown() would free no "
                            "descriptor; ending those processes does."},
    [AID_OF_OTHERS] = {"not-known", "It is not known which process holds them."},
    [AID_NO_SOCKET] = {"no-socket", "Connections that are lost leave no socket to act on."},
    [AID_CLIENTS] = {"clients", "Only the clients' connections are still open, and the proxy may serve more "
                                "requests on them: a shutdown() might cut off a client."},
    [AID_SHARED] =
        {"shared",
         "Several processes hold them, or they have no descriptor, or data is still to be passed on."},
    [AID_SILENT] = {"silent",
                    "They have carried no data, so it is not known which connection is their other half."},
    [AID_DOUBTFUL] = {"doubtful",
                      "The matching connections may just as well belong to clients that are still served."},
    [AID_NO_HALF] = {"no-half",
                     "No open connection has carried the same bytes at the same time, so their other halves "
                     "are not known. A proxy that changes the data has no matching ones."},
    [AID_OTHER_PORTS] = {"other-ports",
                         "The process serves other ports too, which this look leaves out: name the "
                         "process instead of the port."},
    [AID_NOT_BLOCKED] =
        {"not-blocked",
         "No thread was seen blocked in send() to them, so there is no call that a shutdown() would end."},
    [AID_SLOW] = {"slow", "Their peers have read something in the last 10 s, so they may only be slow."},
    [AID_SIGPIPE] = {"sigpipe", "The program was not seen to ignore or catch SIGPIPE: its next write to such "
                                "a socket would kill it."},
    [AID_TOO_MANY] = {"too-many", "At most 1,000 sockets are acted on in one run: run it again."},
};
_Static_assert(FIRST_AID_STALLED_MS == 10000 && FIRST_AID_MOST == 1000, "as the sentences say");

/* ---- one process and one cure ---- */

struct block {
    const struct aid_step *steps;
    int count;
    int outcomes[AID_OUTCOME_COUNT];
    int descriptors, freed, ghosts; /* of those that were acted on; in a dry run, that would be */
    int error;                      /* of those that failed, the last one's */
};

static struct block block_of(const struct first_aid *aid, int first)
{
    const struct aid_step *steps = &aid->steps[first];
    struct block block = {.steps = steps};
    for (int i = 0; first + i < aid->step_count && steps[i].pid == steps->pid && steps[i].cure == steps->cure;
         i++) {
        bool counts = steps[i].outcome == AID_DONE || (aid->is_dry && steps[i].outcome == AID_PLANNED);
        block.count++;
        block.outcomes[steps[i].outcome]++;
        block.descriptors += counts ? steps[i].descriptors : 0;
        block.freed += steps[i].freed;
        block.ghosts += steps[i].ghosts;
        block.error = steps[i].outcome == AID_FAILED ? steps[i].error : block.error;
    }
    return block;
}

/* "20 connections to 127.0.0.1:5432 that pid 17 keeps open for clients that are done" */
static void add_sockets(struct line *line, const struct block *block, int count)
{
    const struct fact_socket *first = block->steps->on;
    bool is_one_peer = true;
    for (int i = 0; i < block->count; i++)
        is_one_peer = is_one_peer && block->steps[i].on->peer.port == first->peer.port &&
                      address_equal(&block->steps[i].on->peer.address, &first->peer.address);
    ADD(line, "%s", counted(count, "connection").text);
    if (block->steps->cure == CURE_END_SEND) {
        ADD(line, " of pid %d whose peer reads nothing, while a thread is blocked in send() to it",
            (int)block->steps->pid);
        return;
    }
    if (is_one_peer)
        ADD(line, " to %s:%u", address_text(&first->peer.address).text, first->peer.port);
    ADD(line, " that pid %d keeps open for clients that have sent EOF", (int)block->steps->pid);
}

/* "(descriptors 8, 10 and 18 more)" */
static void add_descriptors(struct line *line, const struct block *block, enum aid_outcome outcome)
{
    int told = 0, all = block->outcomes[outcome];
    for (int i = 0; i < block->count && told < DESCRIPTORS_MOST; i++)
        if (block->steps[i].outcome == outcome)
            ADD(line, "%s%d", told++ == 0 ? (all == 1 ? " (descriptor " : " (descriptors ") : ", ",
                block->steps[i].on->fd);
    if (all > told)
        ADD(line, " and %d more", all - told);
    if (told > 0)
        ADD(line, ")");
}

static void print_planned(FILE *out, const struct block *block)
{
    struct line line = {""};
    int count = block->outcomes[AID_PLANNED];
    if (count == 0)
        return;
    ADD(&line, "%s on ", cure_call(block->steps->cure));
    add_sockets(&line, block, count);
    add_descriptors(&line, block, AID_PLANNED);
    if (block->steps->cure == CURE_HALF_CLOSE)
        ADD(&line,
            ". The backend then reads EOF and closes, and the proxy closes both halves: this should free ");
    else
        ADD(&line, ". send() then fails, and the handler closes; what the peer has not read is lost: this "
                   "should free ");
    ADD(&line, "%s.", counted(block->descriptors, "descriptor").text);
    print_line(out, &line);
}

static void print_done(FILE *out, const struct block *block)
{
    struct line line = {""};
    int count = block->outcomes[AID_DONE];
    if (count == 0)
        return;
    ADD(&line, "%s on ", cure_call(block->steps->cure));
    add_sockets(&line, block, count);
    add_descriptors(&line, block, AID_DONE);
    ADD(&line, ": freed %s of %s descriptor%s", grouped(block->freed).text, grouped(block->descriptors).text,
        plural(block->descriptors));
    if (block->ghosts > 0)
        ADD(&line, ", %s now", counted(block->ghosts, "ghost").text);
    ADD(&line, ".");
    if (block->outcomes[AID_STOPPED] > 0)
        ADD(&line, " The first was a trial, and freed no descriptor within %s: %s other%s left alone.",
            duration_text(FIRST_AID_WAIT_MS).text, grouped(block->outcomes[AID_STOPPED]).text,
            block->outcomes[AID_STOPPED] == 1 ? " was" : "s were");
    print_line(out, &line);
}

static void print_rest(FILE *out, const struct first_aid *aid, const struct block *block)
{
    struct line changed = {""}, failed = {""}, missed = {""};
    int count = block->outcomes[AID_CHANGED];
    if (count > 0)
        ADD(&changed, "%s changed meanwhile, and %s left alone.", grouped(count).text,
            count == 1 ? "is" : "are");
    count = block->outcomes[AID_FAILED];
    if (count > 0 && block->error == ESRCH)
        ADD(&failed, "Process %d has ended meanwhile.", (int)block->steps->pid);
    else if (count > 0)
        ADD(&failed, "The call failed on %s: %s.", grouped(count).text, strerror(block->error));
    count = aid->is_dry ? 0 : block->outcomes[AID_PLANNED];
    if (count > 0)
        ADD(&missed, "Interrupted: %s %s not touched.", grouped(count).text, count == 1 ? "was" : "were");
    print_line(out, &changed);
    print_line(out, &failed);
    print_line(out, &missed);
}

static void print_blocks(FILE *out, const struct first_aid *aid)
{
    int told = 0;
    for (int i = 0; i < aid->step_count;) {
        struct block block = block_of(aid, i);
        i += block.count;
        if (told++ >= BLOCKS_MOST)
            continue;
        if (aid->is_dry)
            print_planned(out, &block);
        print_done(out, &block);
        print_rest(out, aid, &block);
    }
    if (told > BLOCKS_MOST)
        fprintf(out, "%*sand in %d more processes: --json has them\n", INDENT, "", told - BLOCKS_MOST);
}

/* ---- before and after ---- */

static void add_tally(struct line *line, const struct aid_tally *tally)
{
    ADD(line, "%s, ", counted(tally->descriptors, "descriptor").text);
    if (tally->ghosts == 0)
        ADD(line, "no ghosts");
    else
        ADD(line, "%s", counted(tally->ghosts, "ghost").text);
    for (int i = 0; i < STATE_COUNT; i++)
        if (tally->states[i] > 0)
            ADD(line, ", %s %s", grouped(tally->states[i]).text, tcp_state_name((enum tcp_state)i));
    ADD(line, ".");
}

static void print_tallies(FILE *out, const struct first_aid *aid)
{
    struct line line = {"Before: "}, after = {"After: "};
    if (!aid->was_looked_after)
        return;
    add_tally(&line, &aid->before);
    print_line(out, &line);
    if (aid->after_error == 0)
        add_tally(&after, &aid->after);
    else
        ADD(&after, "not known (%s).", strerror(aid->after_error));
    print_line(out, &after);
}

/* ---- what is left alone ---- */

static void print_left(FILE *out, const struct first_aid *aid)
{
    for (int reason = 0; reason < AID_REASON_COUNT; reason++) {
        struct line line = {""};
        int64_t count = 0;
        bool is_there = false;
        for (int i = 0; i < aid->left_count; i++) {
            bool is_it = (int)aid->left[i].reason == reason;
            is_there = is_there || is_it;
            count += is_it ? aid->left[i].count : 0;
        }
        if (count > 0)
            ADD(&line, "Left alone: %s. ", counted(count, "socket").text);
        if (is_there)
            ADD(&line, "%s", reasons[reason].words);
        print_line(out, &line);
    }
}

static void print_heading(FILE *out, const struct first_aid *aid)
{
    if (aid->step_count == 0)
        fputs(aid->left_count > 0 ? "First aid: nothing outside the program helps, so nothing is changed.\n"
                                  : "First aid: nothing lingers, so nothing is changed.\n",
              out);
    else
        fputs(aid->is_dry ? "First aid, a dry run: nothing is changed.\n" : "First aid:\n", out);
}

int explain_print_aid(FILE *out, const struct explain_report *report)
{
    const struct first_aid *aid = report->aid;
    struct line line = {""};
    print_heading(out, aid);
    print_blocks(out, aid);
    print_tallies(out, aid);
    print_left(out, aid);
    if (aid->is_dry && first_aid_count(aid, AID_PLANNED) > 0)
        ADD(&line, "To do it: \"tcpstorm explain %s --free now\". It tries one of them first.",
            report->target);
    print_line(out, &line);
    return view_flush(out);
}

/* ---- for scripts ---- */

static void put_endpoint(struct json_writer *w, const char *key, const struct fact_endpoint *endpoint)
{
    char text[64];
    snprintf(text, sizeof text, "%s:%u", address_text(&endpoint->address).text, endpoint->port);
    json_string(w, key, text);
}

static void put_socket(struct json_writer *w, const char *key, const struct fact_socket *socket)
{
    json_open(w, key, '{');
    json_integer(w, "fd", socket->fd);
    json_integer(w, "inode", (int64_t)socket->inode);
    json_string(w, "state", tcp_state_name(socket->state));
    put_endpoint(w, "local", &socket->local);
    put_endpoint(w, "peer", &socket->peer);
    json_close(w, '}');
}

static void put_step(struct json_writer *w, const struct aid_step *step)
{
    static const char *const outcomes[AID_OUTCOME_COUNT] = {[AID_PLANNED] = "planned",
                                                            [AID_DONE] = "done",
                                                            [AID_CHANGED] = "changed",
                                                            [AID_STOPPED] = "stopped",
                                                            [AID_FAILED] = "failed"};
    json_open(w, NULL, '{');
    json_string(w, "call", cure_call(step->cure));
    json_integer(w, "pid", step->pid);
    put_socket(w, "on", step->on);
    if (step->lingering != step->on)
        put_socket(w, "for", step->lingering);
    json_string(w, "outcome", outcomes[step->outcome]);
    if (step->outcome == AID_FAILED)
        json_string(w, "error", strerror(step->error));
    json_integer(w, "descriptors", step->descriptors);
    json_integer(w, "freed", step->freed);
    json_integer(w, "ghosts", step->ghosts);
    json_close(w, '}');
}

static void put_left(struct json_writer *w, const struct aid_left *left)
{
    json_open(w, NULL, '{');
    if (left->finding != NULL)
        json_string(w, "rule", left->finding->rule->name);
    json_string(w, "reason", reasons[left->reason].name);
    json_integer(w, "sockets", left->count);
    json_string(w, "why", reasons[left->reason].words);
    json_close(w, '}');
}

static void put_tally(struct json_writer *w, const char *key, const struct aid_tally *tally)
{
    json_open(w, key, '{');
    json_integer(w, "descriptors", tally->descriptors);
    json_integer(w, "ghosts", tally->ghosts);
    json_open(w, "sockets", '{');
    for (int i = 0; i < STATE_COUNT; i++)
        if (tally->states[i] > 0)
            json_integer(w, tcp_state_name((enum tcp_state)i), tally->states[i]);
    json_close(w, '}');
    json_close(w, '}');
}

void explain_put_aid(struct json_writer *w, const struct first_aid *aid)
{
    int64_t descriptors = 0, freed = 0, ghosts = 0;
    for (int i = 0; i < aid->step_count; i++) {
        descriptors += aid->steps[i].outcome == AID_DONE ? aid->steps[i].descriptors : 0;
        freed += aid->steps[i].freed;
        ghosts += aid->steps[i].ghosts;
    }
    json_open(w, "first_aid", '{');
    json_boolean(w, "dry_run", aid->is_dry);
    json_boolean(w, "interrupted", aid->is_interrupted);
    json_integer(w, "planned", first_aid_count(aid, AID_PLANNED));
    json_integer(w, "done", first_aid_count(aid, AID_DONE));
    json_integer(w, "descriptors", descriptors);
    json_integer(w, "freed", freed);
    json_integer(w, "ghosts", ghosts);
    json_open(w, "steps", '[');
    for (int i = 0; i < aid->step_count; i++)
        put_step(w, &aid->steps[i]);
    json_close(w, ']');
    json_open(w, "left_alone", '[');
    for (int i = 0; i < aid->left_count; i++)
        put_left(w, &aid->left[i]);
    json_close(w, ']');
    put_tally(w, "before", &aid->before);
    if (aid->was_looked_after && aid->after_error == 0) {
        put_tally(w, "after", &aid->after);
        json_boolean(w, "lingers_after", aid->lingers);
    }
    json_close(w, '}');
}
