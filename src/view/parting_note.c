#include "view/parting_note.h"

#include "base/number_text.h"
#include "base/text.h"
#include "code/site_part.h"
#include "trace/call_text.h"
#include "view/parting_view.h"

#include <ctype.h>
#include <limits.h>
#include <string.h>
#include <unistd.h>

/* ---- a line ---- */

/* Percent-encoded where a URI must not have it as it is (RFC 3986, 3.3). */
static void add_uri(char *uri, size_t size, const char *path)
{
    for (; *path != '\0'; path++)
        if (isalnum((unsigned char)*path) || strchr("/._-~+,@=", *path) != NULL)
            text_add(uri, size, "%c", *path);
        else
            text_add(uri, size, "%%%02X", (unsigned char)*path);
}

static void set_uri(struct source_line *line, const char *path)
{
    char folder[PATH_MAX];
    size_t length = getcwd(folder, sizeof folder) != NULL ? strlen(folder) : 0;
    line->uri[0] = '\0';
    if (length > 1 && strncmp(path, folder, length) == 0 && path[length] == '/')
        path += length + 1;
    while (strncmp(path, "./", 2) == 0)
        path += 2;
    if (path[0] == '/')
        text_add(line->uri, sizeof line->uri, "file://");
    add_uri(line->uri, sizeof line->uri, path);
}

bool source_line_of(const struct traced_note *note, struct source_line *line)
{
    const struct site *site = note != NULL ? note->site : NULL;
    for (int i = site != NULL && site->own >= 0 ? site->own : INT_MAX; site != NULL && i < site->count; i++) {
        const struct place *place = &site->places[i];
        if (!place->is_own || place->line == 0 || (place->path == NULL && place->file == NULL))
            continue;
        *line = (struct source_line){.line = place->line, .function = place->function};
        set_uri(line, place->path != NULL ? place->path : place->file);
        return true;
    }
    return false;
}

/* ---- what is said of it ---- */

static void say_call(struct parting_note *note, const struct traced_note *call, int places)
{
    TEXT_ADD(note->text, "%s at %s", call_text(call).text, site_part_text(call->site, places, 0).text);
}

static void say_companions(struct parting_note *note)
{
    const struct parting_fork *fork = note->fork;
    for (int i = 0; i < fork->count; i++) {
        const struct parting_branch *closed = &fork->branches[i];
        if (closed->end != PARTING_CLOSED || closed->step_count == 0)
            continue;
        TEXT_ADD(note->text, " %s others went on to ", grouped(closed->count).text);
        say_call(note, closed->steps[closed->step_count - 1], 2);
        TEXT_ADD(note->text, ".");
        return;
    }
}

static void say(struct parting_note *note)
{
    const struct parting_branch *branch = note->branch;
    struct branch_remark remark = branch_remark(branch);
    int64_t count = note->report->result->count;
    note->text[0] = '\0';
    TEXT_ADD(note->text, "%s of %s (%s) ended with ", grouped(branch->count).text,
             counted(count, "connection").text, audit_order_names[note->report->settings->order]);
    if (branch->last != NULL)
        say_call(note, branch->last, 2);
    else
        TEXT_ADD(note->text, "no call that was seen");
    if (remark.text[0] != '\0')
        TEXT_ADD(note->text, ": %s", remark.text);
    TEXT_ADD(note->text, ".");
    if (note->fork->after != NULL && !note->fork->is_same) {
        TEXT_ADD(note->text, " They part after ");
        say_call(note, note->fork->after, 1);
        TEXT_ADD(note->text, ".");
    }
    say_companions(note);
}

int parting_each_note(const struct audit_report *report,
                      int (*take)(void *context, struct parting_note *note), void *context)
{
    int rc = 0;
    if (report->trace == NULL || !report->trace->is_there || !audit_is_failure(report->outcome))
        return 0;
    const struct parting *parting = &report->trace->parting;
    for (int i = 0; i < parting->count && rc == 0; i++)
        for (int k = 0; k < parting->forks[i].count && rc == 0; k++) {
            struct parting_note note = {
                .report = report, .fork = &parting->forks[i], .branch = &parting->forks[i].branches[k]};
            if (note.branch->end == PARTING_CLOSED)
                continue;
            note.has_line = source_line_of(note.branch->last, &note.line);
            say(&note);
            rc = take(context, &note);
        }
    return rc;
}
