#include "explain/explanation.h"

#include <errno.h>
#include <stdlib.h>

/* A thread that is only the likeliest of several makes what is shown likely. */
static enum certainty certainty_of(const struct evidence *evidence, const struct rule *rule, bool names_it)
{
    bool is_less = names_it && rule->certainty == CERTAIN_SHOWN && !evidence->culprit.is_sure;
    return is_less ? CERTAIN_LIKELY : rule->certainty;
}

static int find(const struct facts *facts, const struct groups *groups, const struct group *group,
                int64_t grace_ms, struct finding *finding)
{
    struct evidence evidence;
    int rc = evidence_of(facts, groups, group, grace_ms, &evidence);
    if (rc != 0)
        return rc;
    const struct rule *rule = rule_for(&evidence);
    bool names_it = rule_names_thread(rule);
    *finding = (struct finding){.group = group,
                                .rule = rule,
                                .certainty = certainty_of(&evidence, rule, names_it),
                                .life = life_of(facts, group),
                                .thread = names_it ? evidence.culprit.thread : -1,
                                .share = evidence.share,
                                .maker = words_of_maker(&evidence),
                                .heading = words_of_group(&evidence),
                                .verdict = words_filled(rule->words, facts, &evidence),
                                .act = words_filled(rule->act, facts, &evidence)};
    return 0;
}

static void find_losses(const struct facts *facts, struct explanation *explanation)
{
    const struct rule *rule = rule_for_losses(facts);
    if (rule == NULL)
        return;
    explanation->findings[explanation->finding_count++] =
        (struct finding){.rule = rule,
                         .certainty = rule->certainty,
                         .thread = -1,
                         .verdict = words_filled(rule->words, facts, NULL),
                         .act = words_filled(rule->act, facts, NULL)};
}

int explanation_of(const struct facts *facts, int64_t grace_ms, struct explanation *explanation)
{
    *explanation = (struct explanation){.facts = facts};
    int rc = groups_of(facts, grace_ms, &explanation->groups);
    if (rc != 0)
        return rc;
    explanation->findings = calloc((size_t)explanation->groups.count + 1, sizeof *explanation->findings);
    rc = explanation->findings == NULL ? -ENOMEM : 0;
    for (int i = 0; rc == 0 && i < explanation->groups.count; i++)
        rc = find(facts, &explanation->groups, &explanation->groups.each[i], grace_ms,
                  &explanation->findings[explanation->finding_count++]);
    if (rc == 0)
        rc = contrast_of(facts, &explanation->groups, &explanation->contrast);
    if (rc == 0)
        rc = outlook_of(facts, &explanation->groups, grace_ms, &explanation->outlook);
    if (rc == 0)
        rc = closing_of(facts, &explanation->closing);
    if (rc != 0) {
        explanation_free(explanation);
        return rc;
    }
    find_losses(facts, explanation);
    for (int i = 0; i < facts->process_count; i++)
        explanation->ghosts += facts->processes[i].ghosts > 0 ? facts->processes[i].ghosts : 0;
    return 0;
}

void explanation_peek(struct explanation *explanation)
{
    for (int i = 0; i < explanation->finding_count; i++) {
        struct finding *finding = &explanation->findings[i];
        finding->is_peeked = finding->group != NULL;
        if (finding->is_peeked)
            finding->peeked = peek_group(explanation->facts, finding->group);
    }
}

void explanation_free(struct explanation *explanation)
{
    free(explanation->findings);
    groups_free(&explanation->groups);
    *explanation = (struct explanation){0};
}

bool explanation_has_something(const struct explanation *explanation)
{
    return explanation->finding_count > 0 || explanation->ghosts > 0;
}
