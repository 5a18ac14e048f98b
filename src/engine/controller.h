/* controller: plays one close order on the connections that its workers hold, and after each step waits until
 * the witness sees what the order expects. It keeps nothing per connection. */
#ifndef ENGINE_CONTROLLER_H
#define ENGINE_CONTROLLER_H

#include "analysis/advice.h"
#include "engine/observer.h"

#include <stdbool.h>
#include <stdint.h>

struct event_base;
struct controller;

/* Prepares the order; nothing is started. The plan, the order and the observers must outlive it. NULL when
 * out of memory. */
struct controller *controller_new(struct event_base *base, const struct plan *plan,
                                  const struct order_start *start, int order_index,
                                  const struct observers *observers, int64_t run_began_us);

/* Plays the order to its end, whatever that is: no process of it is left when this returns. */
enum outcome controller_run(struct controller *controller);

/* The same in three parts, for several in one event loop: it is broken when one has finished. */
void controller_start(struct controller *controller);
bool controller_is_finished(const struct controller *controller);
/* True from when this machine could not play it on. */
bool controller_has_failed(const struct controller *controller);
enum outcome controller_finish(struct controller *controller);

/* True while the last step is held; controller_release() ends that. */
bool controller_is_holding(const struct controller *controller);
void controller_release(struct controller *controller);

/* Ends the order soon: workers stop, and it is still looked up whose the sockets are. Where just that is
 * being looked up, it is not waited for any longer. */
void controller_stop(struct controller *controller);

/* Kills its processes, without waiting for anything. */
void controller_kill(struct controller *controller);

/* Ends it within half a second: its processes are killed, and nothing more is asked. */
void controller_end_now(struct controller *controller);

/* The sentence of an OUTCOME_FAULT, "" for others. */
const struct fault *controller_fault(const struct controller *controller);

void controller_free(struct controller *controller);

#endif
