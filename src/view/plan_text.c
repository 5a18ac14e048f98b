/* plan_text: what a run would take, for --dry-run. */
#include "base/number_text.h"
#include "view/view.h"

void view_print_plan(const struct plan *plan, FILE *out)
{
    const struct run_settings *settings = plan->settings;
    fprintf(out, "plan: nothing has been opened\n");
    fprintf(out, "  connections    %s on %s", grouped(settings->conns).text,
            address_text(&settings->address).text);
    if (run_is_arriving(settings))
        fprintf(out, ", %s a second for %s, each for %s", grouped(settings->flow.rate).text,
                duration_text(settings->flow.duration_ms).text, duration_text(settings->flow.life_ms).text);
    if (settings->leak > 0)
        fprintf(out, "; %s of them leak", grouped(settings->leak).text);
    fputc('\n', out);
    fprintf(out, "  orders        ");
    for (int i = 0; i < settings->experiment_count; i++)
        fprintf(out, " %s", settings->experiments[i].name);
    fprintf(out, "\n  server ports   %d %s from %lld up, at most %s connections each\n", plan->lane_count,
            one_or_many(plan->lane_count, "port", "consecutive ports"), (long long)settings->port,
            grouped(plan->lane_capacity).text);
    fprintf(out, "  workers        %d server and %d client, at most %s and %s descriptors each\n",
            plan->pairs, plan->pairs, grouped(plan_nofile(plan, SIDE_SERVER)).text,
            grouped(plan_nofile(plan, SIDE_CLIENT)).text);
    fprintf(out, "  backlog        %s a listener", grouped(plan->backlog).text);
    if (!run_is_arriving(settings))
        fprintf(out, "; clients at most %s ahead of accept()", grouped(plan->window).text);
    fputc('\n', out);
    fprintf(out, "  memory         about %s MiB of %s MiB available\n", grouped(plan->memory >> 20).text,
            grouped(plan->limits.memory_available >> 20).text);
    fprintf(out,
            "  TIME_WAIT      up to %s from one order, %s from all; net.ipv4.tcp_max_tw_buckets allows %s\n",
            grouped(plan->time_wait_most).text, grouped(plan->time_wait_total).text,
            grouped(plan->limits.max_tw_buckets).text);
    fprintf(out, "  witness        %s%s\n", plan->witness != NULL ? plan->witness->name : "none",
            plan->settings->events != NULL ? " and events" : "");
}
