/* probe_parts: what the parts of a probe share: probe.c (from its first request to its end), probe_connect.c.
 */
#ifndef AUDIT_PROBE_PARTS_H
#define AUDIT_PROBE_PARTS_H

#include "audit/probe.h"

/* ---- probe.c ---- */

void probe_enter(struct probe *probe, enum probe_phase phase);
void probe_end(struct probe *probe, enum probe_end how, int error);
/* By the errno of a system call: what that says of the server. */
void probe_end_by_error(struct probe *probe, int error);
/* Return whether it went well; else the probe has ended. The event must not be pending. */
bool probe_set_timer(struct probe *probe, int64_t at_us);
bool probe_hear(struct probe *probe, short what, event_callback_fn callback);
/* Of its socket, in all phases. */
void probe_on_event(evutil_socket_t fd, short what, void *context);
void probe_end_tls(struct probe *probe);
/* It is connected, with TLS too: its first request. */
void probe_begin_to_talk(struct probe *probe);

/* ---- probe_connect.c ---- */

/* Calls connect(); due_us is when it must have come through, its handshake too. */
void probe_connect(struct probe *probe);
void probe_take_little(int fd);
/* In PROBE_CONNECTING: its socket is connected; or, with TLS (is_shaking), ready for the next step. */
void probe_connected(struct probe *probe);
void probe_shake(struct probe *probe);
/* Its timer is due: it tries again, or ends. */
void probe_end_connecting(struct probe *probe);

#endif
