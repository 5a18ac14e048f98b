/* owners: which processes hold the server's ends of an audit's connections, and how each came by them. */
#ifndef AUDIT_OWNERS_H
#define AUDIT_OWNERS_H

#include "audit/audit.h"
#include "audit/server_process.h"
#include "kernel/witness.h"

/* Fills in owner, role and command of the connections that have an inode, and the result's calls on closed
 * descriptors. What tells the roles apart is when a process was started: one that was there before a
 * connection was opened can have it by accept() or in a message only; one that was started later inherited
 * it, or took it out of the accept queue. Returns 0, or a negative errno when something failed here: EMFILE,
 * ENOMEM, or the witness's. */
int owners_find(const struct server_processes *server, const struct witness_backend *witness,
                struct audit_result *result);

#endif
