/* words: an explanation's sentences, put together from the rules and the facts. */
#ifndef EXPLAIN_WORDS_H
#define EXPLAIN_WORDS_H

#include "explain/closing.h"
#include "explain/contrast.h"
#include "explain/evidence.h"
#include "explain/forecast.h"
#include "explain/life.h"
#include "explain/stacks.h"

struct words {
    char text[768];
};

/* A rule's sentences with what stands in braces filled in. evidence may be NULL where nothing does that is of
 * a group. */
struct words words_filled(const char *sentence, const struct facts *facts, const struct evidence *evidence);

/* "35 CLOSE_WAIT, never accepted, 35 in the accept queue of 512": state, owner, what was read, who waits,
 * since when. */
struct words words_of_group(const struct evidence *evidence);

/* What runs where they were made, if that is one, and neither their process's nor, where nobody has them,
 * that of any process that was looked at; else empty. */
struct words words_of_maker(const struct evidence *evidence);

/* "thread 27175 has been in recvfrom(fd 12 -> 127.0.0.1:34157) for 3.1 s, at db.c:41 in query < on_request"
 */
struct words words_of_thread(const struct fact_thread *thread);

/* "40 threads have been in futex() for 1.1 s to 3.2 s, at pool.py:12 in take < handle" */
struct words words_of_stacks(const struct facts *facts, const struct stack_group *group);

/* "Not read: 3 threads that ran meanwhile, 20 beyond the first 256."; empty when all were. */
struct words words_of_unread_stacks(const struct stacks *stacks);

/* "EPOLLIN|EPOLLET" */
struct words words_of_events(enum fact_waiter waiter, uint32_t events);

/* "never sent a byte, peer 127.0.0.7: 60 of 60 lingering, 0 of 40 healthy"; empty when there is nothing. */
struct words words_of_contrast(const struct contrast *contrast);

/* "never sent a byte" */
struct words words_of_trait(const struct shared_trait *trait);

/* "Grows 19.5/s (14.8 to 24.9): ..."; empty when nothing can be said. */
struct words words_of_outlook(const struct facts *facts, const struct outlook *outlook);

/* "Watched for 4.0 s: 203 connections opened and 170 ended, ..."; empty without a window. */
struct words words_of_window(const struct facts *facts, const struct closing *closing);

/* The command that dumps what a process's tasks do. Where these are threads, their stacks tell it. */
struct words words_of_dump(const struct fact_process *process);

#endif
