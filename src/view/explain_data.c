/* explain_data: an explanation for scripts: JSON. */
#include "base/version.h"
#include "code/place_text.h"
#include "view/explain_view.h"
#include "view/json_events.h"
#include "view/stack_view.h"
#include "view/view.h"

#include <math.h>

/* ---- facts ---- */

static void put_endpoint(struct json_writer *w, const char *key, const struct fact_endpoint *endpoint)
{
    char text[64];
    if (endpoint->address.family == 0)
        return;
    snprintf(text, sizeof text, "%s:%u", address_text(&endpoint->address).text, endpoint->port);
    json_string(w, key, text);
}

static void put_known(struct json_writer *w, const char *key, int64_t value)
{
    if (value >= 0)
        json_integer(w, key, value);
}

static void put_process(struct json_writer *w, const struct fact_process *process)
{
    static const char *const names[UNSEEN_COUNT] = {[UNSEEN_DESCRIPTORS] = "descriptors",
                                                    [UNSEEN_EPOLL] = "epoll",
                                                    [UNSEEN_LARGE_EPOLL] = "large_epoll",
                                                    [UNSEEN_CALLS] = "calls",
                                                    [UNSEEN_WCHAN] = "wchan",
                                                    [UNSEEN_MEMORY] = "memory",
                                                    [UNSEEN_CLOCKS] = "clocks",
                                                    [UNSEEN_LIMITS] = "limits",
                                                    [UNSEEN_RINGS] = "rings",
                                                    [UNSEEN_GHOSTS] = "ghosts",
                                                    [UNSEEN_MPTCP] = "mptcp",
                                                    [UNSEEN_THREADS] = "threads"};
    json_open(w, NULL, '{');
    json_integer(w, "pid", process->pid);
    json_string(w, "command", process->command);
    if (process->group.name.kind != CGROUP_NONE)
        json_string(w, "service", process->group.name.text);
    json_boolean(w, "is_heir", process->is_heir);
    put_known(w, "descriptors", process->descriptors);
    put_known(w, "descriptor_limit", process->descriptor_limit);
    put_known(w, "ghosts", process->ghosts);
    json_open(w, "unseen", '[');
    for (int i = 0; i < UNSEEN_COUNT; i++)
        if (process->unseen[i] != 0)
            json_string(w, NULL, names[i]);
    json_close(w, ']');
    json_close(w, '}');
}

static void put_listener(struct json_writer *w, const struct fact_listener *listener)
{
    json_open(w, NULL, '{');
    put_endpoint(w, "at", &listener->at);
    put_known(w, "queue", listener->queue);
    put_known(w, "backlog", listener->backlog);
    json_close(w, '}');
}

static void put_facts(struct json_writer *w, const struct facts *facts)
{
    json_open(w, "processes", '[');
    for (int i = 0; i < facts->process_count; i++)
        put_process(w, &facts->processes[i]);
    json_close(w, ']');
    json_open(w, "listeners", '[');
    for (int i = 0; i < facts->listener_count; i++)
        put_listener(w, &facts->listeners[i]);
    json_close(w, ']');
}

/* ---- findings ---- */

static void put_range(struct json_writer *w, const char *key, struct life_range range)
{
    if (range.least < 0)
        return;
    json_open(w, key, '{');
    json_integer(w, "least", range.least);
    json_integer(w, "most", range.most);
    json_close(w, '}');
}

static void put_thread(struct json_writer *w, const struct facts *facts, const struct fact_thread *thread)
{
    json_open(w, "thread", '{');
    json_integer(w, "pid", facts->processes[thread->process].pid);
    json_integer(w, "tid", thread->tid);
    json_string(w, "name", thread->name);
    json_string(w, "call", thread->call_name);
    put_known(w, "fd", thread->fd);
    put_endpoint(w, "peer", &thread->peer);
    put_known(w, "asleep_ms", thread->asleep_ms);
    put_known(w, "busy_percent", thread->busy_percent);
    if (thread->site != NULL)
        site_put_json(w, "stack", thread->site);
    json_close(w, '}');
}

static void put_group(struct json_writer *w, const struct group *group, const struct life *life)
{
    static const char *const holders[HOLDER_COUNT] = {
        [HOLDER_PROCESS] = "process", [HOLDER_HEIR] = "heir",           [HOLDER_QUEUE] = "queue",
        [HOLDER_CALL] = "call",       [HOLDER_IN_FLIGHT] = "in-flight", [HOLDER_HIDDEN] = "hidden",
        [HOLDER_KERNEL] = "kernel"};
    static const char *const ways[] = {"unknown", "accepted", "outgoing"};
    static const char *const readings[READING_COUNT] = {
        [READING_ALL] = "all",         [READING_PERHAPS] = "perhaps",   [READING_PART] = "part",
        [READING_NOTHING] = "nothing", [READING_UNKNOWN] = "not-known",
    };
    static const char *const waiters[WAITER_COUNT] = {
        [WAITER_NOBODY] = "nobody",    [WAITER_EPOLL] = "epoll",   [WAITER_POLL] = "poll",
        [WAITER_SELECT] = "select",    [WAITER_THREAD] = "thread", [WAITER_IO_URING] = "io_uring",
        [WAITER_UNKNOWN] = "not-known"};
    json_integer(w, "sockets", group->count);
    json_string(w, "state", tcp_state_name(group->state));
    json_boolean(w, "is_mptcp", group->is_mptcp);
    json_string(w, "way", ways[group->way]);
    json_string(w, "holder", holders[group->holder]);
    if (group->holder != HOLDER_QUEUE) {
        json_string(w, "read", readings[group->reading]);
        json_string(w, "waiter", waiters[group->waiter]);
        if (group->is_mask_known)
            json_integer(w, "events", group->events);
        json_boolean(w, "at_rest", group->at_rest);
    }
    put_range(w, "fin_ms", life->fin_ms);
    json_boolean(w, "fin_is_exact", life->are_fins_exact);
    put_range(w, "quiet_ms", life->quiet_ms);
    put_range(w, "age_ms", life->age_ms);
    put_range(w, "bytes_received", life->bytes);
    put_range(w, "unread", life->unread);
    json_integer(w, "answered", life->answered);
    json_integer(w, "never_sent", life->never_sent);
}

static void put_share(struct json_writer *w, const struct lingering_share *share)
{
    if (share->all == 0)
        return;
    json_open(w, "share", '{');
    json_integer(w, "lingering", share->lingering);
    json_integer(w, "of", share->all);
    json_number(w, "low", share->low);
    json_number(w, "high", share->high);
    json_close(w, '}');
}

static void put_finding(struct json_writer *w, const struct facts *facts, const struct finding *finding)
{
    json_open(w, NULL, '{');
    json_string(w, "rule", finding->rule->name);
    json_string(w, "certainty", certainty_name(finding->certainty));
    json_open(w, "causes", '[');
    for (int i = 0; i < RULE_CAUSES && finding->rule->causes[i] != NULL; i++)
        json_string(w, NULL, finding->rule->causes[i]);
    json_close(w, ']');
    if (finding->group != NULL)
        put_group(w, finding->group, &finding->life);
    if (finding->maker.text[0] != '\0')
        json_string(w, "made_in", finding->maker.text);
    if (finding->thread >= 0)
        put_thread(w, facts, &facts->threads[finding->thread]);
    put_share(w, &finding->share);
    if (finding->is_peeked && finding->peeked.error == 0)
        json_string(w, "unread_bytes", finding->peeked.text);
    json_string(w, "what", finding->heading.text);
    json_string(w, "why", finding->verdict.text);
    json_string(w, "do", finding->act.text);
    json_close(w, '}');
}

/* ---- all together ---- */

static void put_contrast(struct json_writer *w, const struct contrast *contrast)
{
    json_open(w, "in_common", '[');
    for (int i = 0; i < contrast->count; i++) {
        json_open(w, NULL, '{');
        json_string(w, "trait", words_of_trait(&contrast->traits[i]).text);
        json_integer(w, "lingering", contrast->traits[i].lingering);
        json_integer(w, "of_lingering", contrast->lingering);
        json_integer(w, "healthy", contrast->traits[i].healthy);
        json_integer(w, "of_healthy", contrast->healthy);
        json_close(w, '}');
    }
    json_close(w, ']');
}

static void put_seconds(struct json_writer *w, const char *key, double seconds)
{
    if (seconds >= 0 && isfinite(seconds))
        json_number(w, key, seconds);
}

static void put_outlook(struct json_writer *w, const struct outlook *outlook)
{
    static const char *const kinds[] = {"none", "stopped", "steady", "uneven"};
    static const char *const rooms[] = {"none", "descriptors", "accept-queue"};
    const struct forecast *forecast = &outlook->forecast;
    json_open(w, "growth", '{');
    json_string(w, "kind", kinds[forecast->kind]);
    if (forecast->kind != FORECAST_NONE) {
        json_number(w, "per_s", forecast->per_s);
        json_number(w, "low_per_s", forecast->low_per_s);
        json_number(w, "high_per_s", forecast->high_per_s);
        json_string(w, "fills", rooms[outlook->room]);
        put_known(w, "left", outlook->left);
    }
    if (outlook->seconds >= 0) {
        put_seconds(w, "full_in_s", outlook->seconds);
        put_seconds(w, "soonest_s", outlook->soonest);
        put_seconds(w, "last_s", outlook->last);
    }
    json_close(w, '}');
}

static void put_window(struct json_writer *w, const struct facts *facts, const struct closing *closing)
{
    if (facts->window_ms <= 0)
        return;
    json_open(w, "window", '{');
    json_number(w, "s", (double)facts->window_ms / 1e3);
    json_boolean(w, "interrupted", facts->is_interrupted);
    put_known(w, "opened", facts->opened);
    json_integer(w, "ended", closing->ended);
    put_known(w, "aborts_on_close", facts->aborts_on_close);
    put_known(w, "events_lost", facts->events_lost);
    if (closing->ended > 0) {
        json_open(w, "closing_ms", '{');
        json_integer(w, "p50", closing->p50_ms);
        json_integer(w, "p90", closing->p90_ms);
        json_integer(w, "p99", closing->p99_ms);
        json_integer(w, "max", closing->most_ms);
        json_close(w, '}');
    }
    json_close(w, '}');
}

int explain_print_json(FILE *out, const struct explain_report *report)
{
    struct json_writer w = {.out = out};
    const struct explanation *explanation = report->explanation;
    const struct facts *facts = explanation->facts;
    json_event_open(&w, JSON_EXPLANATION);
    json_string(&w, "version", TCPSTORM_VERSION);
    json_string(&w, "target", report->target);
    json_number(&w, "took_s", (double)facts->took_ms / 1e3);
    put_window(&w, facts, &explanation->closing);
    put_facts(&w, facts);
    json_boolean(&w, "lingers", explanation_has_something(explanation));
    json_integer(&w, "lingering", explanation->groups.lingering);
    json_integer(&w, "young", explanation->groups.young);
    json_integer(&w, "half_closed", explanation->groups.half_closed);
    json_integer(&w, "ghosts", explanation->ghosts);
    json_open(&w, "findings", '[');
    for (int i = 0; i < explanation->finding_count; i++)
        put_finding(&w, facts, &explanation->findings[i]);
    json_close(&w, ']');
    put_contrast(&w, &explanation->contrast);
    put_outlook(&w, &explanation->outlook);
    if (report->stacks != NULL)
        stacks_put_json(&w, facts, report->stacks);
    if (report->aid != NULL)
        explain_put_aid(&w, report->aid);
    json_close(&w, '}');
    json_end_line(&w);
    return view_flush(out);
}
