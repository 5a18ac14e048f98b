/* foreground: who may read from the terminal. A command that is started in a process group of its own hears
 * no Ctrl-C that is meant for this program, and is stopped by SIGTTIN or SIGTTOU when it asks for a password:
 * then it is lent the terminal, as a shell lends it to its jobs. */
#ifndef BASE_FOREGROUND_H
#define BASE_FOREGROUND_H

#include <stdbool.h>
#include <sys/types.h>

/* Lends the terminal to that process group and lets it go on. False when it is not ours: there is none, or
 * this program is in the background itself. */
bool foreground_lend(pid_t group);

/* Takes it back from that group, where it still has it. */
void foreground_take_back(pid_t group);

#endif
