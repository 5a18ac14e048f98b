#include "trace/call_history.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

enum {
    BUCKETS_AT_FIRST = 256,
    A_FEW = 8, /* notes: most connections have no more */
    NEAR = 4,  /* notes: what has to be tried again is tried in turns with what has not */
};

uint64_t call_history_moment(struct call_history *history)
{
    return ++history->moment;
}

/* ---- connections by inode ---- */

static struct known_connection **bucket_of(const struct call_history *history, uint64_t inode)
{
    return &history->buckets[(inode * 0x9e3779b97f4a7c15U >> 32) & (history->bucket_count - 1)];
}

static void put_in(struct call_history *history, struct known_connection *connection)
{
    struct known_connection **bucket = bucket_of(history, connection->is.inode);
    connection->next = *bucket;
    *bucket = connection;
}

static int grow(struct call_history *history)
{
    struct call_history larger = *history;
    larger.bucket_count = history->bucket_count > 0 ? 2 * history->bucket_count : BUCKETS_AT_FIRST;
    larger.buckets = calloc(larger.bucket_count, sizeof(struct known_connection *));
    if (larger.buckets == NULL)
        return -ENOMEM;
    for (size_t i = 0; i < history->bucket_count; i++)
        for (struct known_connection *each = history->buckets[i], *next; each != NULL; each = next) {
            next = each->next;
            put_in(&larger, each);
        }
    free(history->buckets);
    *history = larger;
    return 0;
}

struct known_connection *call_history_find(const struct call_history *history, uint64_t inode)
{
    if (history->bucket_count == 0)
        return NULL;
    struct known_connection *each = *bucket_of(history, inode);
    while (each != NULL && each->is.inode != inode)
        each = each->next;
    return each;
}

struct known_connection *call_history_add(struct call_history *history, uint64_t inode)
{
    if (history->count >= history->bucket_count && grow(history) != 0)
        return NULL;
    struct known_connection *connection = calloc(1, sizeof *connection);
    if (connection == NULL)
        return NULL;
    connection->is.inode = inode;
    connection->born = call_history_moment(history);
    put_in(history, connection);
    history->count++;
    return connection;
}

void call_history_free(struct call_history *history)
{
    for (size_t i = 0; i < history->bucket_count; i++)
        for (struct known_connection *each = history->buckets[i], *next; each != NULL; each = next) {
            next = each->next;
            free(each->is.notes);
            free(each);
        }
    free(history->buckets);
    number_set_free(&history->others);
    *history = (struct call_history){0};
}

/* ---- notes of a connection ---- */

static bool is_repeated(const struct traced_note *a, const struct traced_note *b)
{
    return a->call == b->call && a->result == b->result && a->error == b->error && a->detail == b->detail &&
           a->pid == b->pid && a->site == b->site;
}

/* The note that this one is one more of; NULL: it is another one. */
static struct traced_note *one_like(struct traced_connection *connection, const struct traced_note *note)
{
    bool was_nothing = note->result == RESULT_ERROR && (note->error == EAGAIN || note->error == EINTR);
    int near = was_nothing ? NEAR : 1;
    for (int i = connection->count - 1; i >= 0 && i >= connection->count - near; i--)
        if (is_repeated(&connection->notes[i], note))
            return &connection->notes[i];
    return NULL;
}

int call_history_note(struct known_connection *connection, const struct traced_note *note)
{
    struct traced_connection *is = &connection->is;
    struct traced_note *same = one_like(is, note);
    if (same != NULL) {
        same->times++;
        return 0;
    }
    if (is->count == HISTORY_NOTES) {
        struct traced_note *first_lost = &is->notes[HISTORY_FIRST];
        memmove(first_lost, first_lost + 1, (HISTORY_NOTES - HISTORY_FIRST - 1) * sizeof *first_lost);
        is->count--;
        is->is_cut = true;
    }
    if (is->count == connection->room) {
        struct traced_note *more = realloc(is->notes, (size_t)(is->count + A_FEW) * sizeof *more);
        if (more == NULL)
            return -ENOMEM;
        is->notes = more;
        connection->room += A_FEW;
    }
    is->notes[is->count] = *note;
    is->notes[is->count++].times = 1;
    return 0;
}
