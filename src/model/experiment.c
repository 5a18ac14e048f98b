#include "model/experiment.h"

/* Connections are opened, and each side then does what its behaviour or its script says. */
static const struct close_order opening_alone = {.opening = OPENING_FULL};

struct experiment experiment_of_order(const struct close_order *order)
{
    return (struct experiment){
        .name = order->name, .summary = order->summary, .meaning = order->meaning, .order = order};
}

struct experiment experiment_of_state(const struct kept_state *kept)
{
    struct experiment experiment = experiment_of_order(&kept->order);
    experiment.kept = kept;
    return experiment;
}

struct experiment experiment_of_cause(const struct fault_case *cause, bool is_fixed)
{
    const struct title *title = is_fixed ? &cause->fixed : &cause->bug;
    return (struct experiment){.name = title->name,
                               .summary = title->summary,
                               .meaning = title->meaning,
                               .order = &opening_alone,
                               .cause = cause,
                               .is_fixed = is_fixed};
}

struct script experiment_script(const struct experiment *experiment, enum side side)
{
    return experiment->cause != NULL ? experiment->cause->script[side] : script_of(experiment->order, side);
}

bool experiment_leaves_all(const struct experiment *experiment)
{
    int step;
    return experiment->cause == NULL && order_leak_side(experiment->order, &step) == SIDE_COUNT;
}

bool experiment_keeps(const struct experiment *experiment, enum side side)
{
    const struct fault_case *cause = experiment->cause;
    return cause != NULL && cause->behaviour[side] == NULL && !script_ends(&cause->script[side]);
}

bool experiment_leaks(const struct experiment *experiment, int64_t leak)
{
    if (experiment->cause != NULL)
        return !experiment->is_fixed;
    return leak > 0 || experiment_leaves_all(experiment);
}

enum side experiment_side_at_fault(const struct experiment *experiment, int64_t leak)
{
    int step;
    if (experiment->cause != NULL)
        return experiment->cause->signature.at_fault;
    return leak > 0 ? order_leak_side(experiment->order, &step) : SIDE_COUNT;
}

int experiment_time_wait_per_connection(const struct experiment *experiment)
{
    return experiment->cause != NULL ? 1 : order_time_wait_per_connection(experiment->order);
}
