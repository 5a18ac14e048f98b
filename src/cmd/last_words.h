/* last_words: how a process leaves that cannot go on, from a place that has nobody to return an error to: the
 * memory is used up, or libevent cannot hear a descriptor any more. It says why, in one sentence, and leaves
 * with EXIT_MACHINE; what it has buffered is written. A process that a controller has started says nothing:
 * its exit status does, and the controller puts it into words. */
#ifndef CMD_LAST_WORDS_H
#define CMD_LAST_WORDS_H

/* From now on memory (base/memory, and libevent's) cannot be refused, and libevent speaks through diag. */
void last_words_prepare(void);

/* This process is a controller's. */
void last_words_by_status(void);

#endif
