/* diag: the only writer to stderr. Every message is one line that starts with "tcpstorm: ". It never waits
 * for the reader: see base/output.h. Progress is left out while what was said before has not been taken;
 * warnings, when the reader has stopped for good. */
#ifndef BASE_DIAG_H
#define BASE_DIAG_H

#include <stdarg.h>
#include <stdbool.h>

/* Once, after output_take_stdout(). */
void diag_prepare(void);

/* Silences warnings and progress; errors still speak. */
void diag_set_quiet(bool quiet);

/* One sentence that says what went wrong and what to change. */
void diag_error(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* A whole line, from a signal handler that is about to leave the program: it is left out where it would have
 * to wait. */
void diag_from_signal(const char *line);

/* Something to be known before it happens. */
void diag_note(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Something that will bend the result but does not stop the run. */
void diag_warn(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Where the run is. On a terminal the line replaces the one before it; elsewhere each is a line of its own.
 */
void diag_progress(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* As diag_progress on a terminal, with several lines that stay together: they replace what was drawn last.
 * They can hold colours, and are cut where the terminal ends; there may be fewer than it has rows. */
void diag_progress_block(const char *const *lines, int count);

/* Takes what progress has drawn off the terminal, before something else is written there. */
void diag_progress_clear(void);

/* What progress has drawn is not ours any more: others may have written below it since. The next block is
 * drawn whole, where the cursor is then. */
void diag_progress_forget(void);

/* True when progress lines replace each other: stderr is a terminal that can. */
bool diag_is_terminal(void);

#endif
