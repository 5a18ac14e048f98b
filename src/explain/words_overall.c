/* What is told of all groups together. */
#include "explain/words.h"

#include "base/number_text.h"
#include "base/text.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#define ADD(words, ...) TEXT_ADD((words)->text, __VA_ARGS__)

/* ---- contrast ---- */

struct words words_of_trait(const struct shared_trait *trait)
{
    struct words words = {""};
    switch (trait->trait) {
    case TRAIT_NEVER_SENT:
        ADD(&words, "never sent a byte");
        break;
    case TRAIT_UNANSWERED:
        ADD(&words, "sent something and never got an answer");
        break;
    case TRAIT_ANSWERED:
        ADD(&words, "were answered");
        break;
    case TRAIT_PEER:
        ADD(&words, "peer %s", address_text(&trait->peer.address).text);
        break;
    case TRAIT_NETWORK:
        ADD(&words, "network %s/%d", address_text(&trait->peer.address).text,
            trait->peer.address.family == AF_INET ? 24 : 64);
        break;
    case TRAIT_LISTENER:
        ADD(&words, "listener %s:%u", address_text(&trait->peer.address).text, trait->peer.port);
        break;
    case TRAIT_BYTES:
        ADD(&words, "sent %" PRIu64 " byte%s", trait->bytes, trait->bytes == 1 ? "" : "s");
        break;
    case TRAIT_KEEPALIVE:
        ADD(&words, "with keep-alive");
        break;
    default:
        break;
    }
    return words;
}

/* Traits of the same sockets share their numbers. */
struct words words_of_contrast(const struct contrast *contrast)
{
    struct words words = {""};
    for (int i = 0; i < contrast->count; i++) {
        const struct shared_trait *trait = &contrast->traits[i], *next = trait + 1;
        bool is_last = i + 1 == contrast->count;
        ADD(&words, "%s", words_of_trait(trait).text);
        if (!is_last && next->lingering == trait->lingering && next->healthy == trait->healthy) {
            ADD(&words, ", ");
            continue;
        }
        ADD(&words, ": %d of %d lingering, %d of %d healthy%s", trait->lingering, contrast->lingering,
            trait->healthy, contrast->healthy, is_last ? "" : "; ");
    }
    return words;
}

/* ---- forecast ---- */

static void add_seconds(struct words *words, double seconds)
{
    if (isinf(seconds) || seconds > 1e9)
        ADD(words, "never");
    else
        ADD(words, "%s", life_time((int64_t)(seconds * 1e3)).text);
}

static const char *pace_of(const struct forecast *forecast)
{
    return forecast->kind == FORECAST_UNEVEN ? "unevenly, recently " : "";
}

struct words words_of_outlook(const struct facts *facts, const struct outlook *outlook)
{
    const struct forecast *forecast = &outlook->forecast;
    struct words words = {""};
    if (outlook->room == ROOM_NONE || forecast->kind == FORECAST_NONE)
        return words;
    if (forecast->kind == FORECAST_STOPPED) {
        ADD(&words, "No longer grows: the last came %s ago.", life_time((int64_t)forecast->youngest_ms).text);
        return words;
    }
    ADD(&words, "Grows %s%.1f/s (%.1f to %.1f%s)", pace_of(forecast), forecast->per_s, forecast->low_per_s,
        forecast->high_per_s, forecast->from_descriptors ? ", from two counts of descriptors" : "");
    if (outlook->left < 0 || outlook->seconds < 0) {
        ADD(&words, ".");
        return words;
    }
    bool is_queue = outlook->room == ROOM_QUEUE;
    ADD(&words, ": %s %s left, %s in ", grouped(outlook->left > 0 ? outlook->left : 0).text,
        is_queue ? "places in the accept queue are" : "descriptors are", is_queue ? "it is full" : "EMFILE");
    add_seconds(&words, outlook->seconds);
    ADD(&words, " (");
    add_seconds(&words, outlook->soonest);
    ADD(&words, " to ");
    add_seconds(&words, outlook->last);
    ADD(&words, ")");
    if (!is_queue && facts->process_count > 1)
        ADD(&words, " in pid %d", (int)facts->processes[outlook->process].pid);
    ADD(&words, ".");
    return words;
}

/* ---- a window ---- */

static void add_closing_time(struct words *words, int64_t ms, const char *name)
{
    if (ms < CLOSING_QUICK_MS)
        ADD(words, "below %d ms (%s)", CLOSING_QUICK_MS, name);
    else
        ADD(words, "%s (%s)", life_time(ms).text, name);
}

struct words words_of_window(const struct facts *facts, const struct closing *closing)
{
    struct words words = {""};
    if (facts->window_ms <= 0)
        return words;
    ADD(&words, "%satched for %s: ", facts->is_interrupted ? "Interrupted; w" : "W",
        life_time(facts->window_ms).text);
    if (facts->opened >= 0)
        ADD(&words, "%s opened, ", counted(facts->opened, "connection").text);
    ADD(&words, "%s ended", grouped(closing->ended).text);
    if (closing->ended >= CLOSING_LEAST) {
        ADD(&words, ", time from their peer's FIN: ");
        add_closing_time(&words, closing->p50_ms, "p50");
        ADD(&words, ", ");
        add_closing_time(&words, closing->p90_ms, "p90");
        ADD(&words, ", ");
        add_closing_time(&words, closing->most_ms, "max");
    }
    ADD(&words, ".");
    return words;
}

/* ---- stacks ---- */

struct words words_of_unread_stacks(const struct stacks *stacks)
{
    static const char *const whys[STACK_UNREAD_COUNT] = {
        [STACK_MOVED] = "that ran, or went on to another call",
        [STACK_REFUSED] = "that this user may not inspect",
        [STACK_UNKNOWN] = "that could not be followed",
        [STACK_BEYOND] = "that were too many, or for which time ran out",
    };
    struct words words = {""};
    for (int i = 0; i < STACK_UNREAD_COUNT; i++) {
        int threads = stacks->unread[i];
        if (threads == 0)
            continue;
        ADD(&words, "%s%d thread%s %s", words.text[0] == '\0' ? "Not read: " : ", ", threads,
            threads == 1 ? "" : "s", whys[i]);
        if (i == STACK_UNKNOWN)
            ADD(&words, " (%s)", strerror(stacks->error));
    }
    if (words.text[0] != '\0')
        ADD(&words, ".");
    return words;
}

/* ---- dumps ---- */

struct words words_of_dump(const struct fact_process *process)
{
    struct words words = {""};
    int pid = (int)process->pid;
    switch (process->runtime) {
    case RUNTIME_GO:
        ADD(&words,
            "/debug/pprof/goroutine?debug=2 of its net/http/pprof (or \"kill -QUIT %d\", which ends it)",
            pid);
        break;
    case RUNTIME_JVM:
        ADD(&words, "jstack %d", pid);
        break;
    case RUNTIME_PYTHON:
        ADD(&words, "\"tcpstorm explain %d --stacks\", or py-spy dump --pid %d", pid, pid);
        break;
    case RUNTIME_NODE:
        ADD(&words, "node inspect -p %d", pid);
        break;
    default:
        ADD(&words, "\"tcpstorm explain %d --stacks\"", pid);
    }
    return words;
}
