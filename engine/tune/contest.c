#include "tune/contest.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* Times of a variant, and by how much one must be behind the best so far to be left after fewer: on the small
 * case the cost of starting counts too, so more is asked for there. Never after one run alone: another
 * program may have had the processor. */
enum { SMALL_RUNS = 3, LEAST_RUNS = 2, MOST_RUNS = 5 };
#define CLEARLY_SLOWER 1.5
#define CLEARLY_SLOWER_SMALL 4.0
/* A variant further down the list must be that much faster, or two runs would choose by noise. */
#define WORTH_IT 0.97

double vkp_contest_seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

bool vkp_contest_is_fatal(vkp_status status) { return status == VKP_DEVICE_LOST || status == VKP_MEMORY; }

static double allowed_error(const vkp_use *use, const vkp_variant *v)
{
    /* Each of the two forms may differ from the exact result by as much as the operation's tests allow: four
     * times the tolerance for gradients. */
    return v->tolerance > 0 ? v->tolerance : 8 * (use->op->tolerance > 0 ? use->op->tolerance : 2e-6);
}

static bool all_zero(const float *values, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (values[i] != 0) return false;
    return true;
}

/* The small case with the plain form's results. */
typedef struct check {
    vkp_use use;
    vkp_trial trial;
    float *want;
    size_t count;
} check;

static vkp_status check_open(vkp_device *device, const vkp_use *use, check *k)
{
    const vkp_variants *list = use->variants;
    *k = (check){.use = vkp_use_small(device, use)};
    VKP_TRY(vkp_trial_open(device, &k->use, &k->trial));
    VKP_TRY(vkp_trial_start(&k->trial, &list->list[list->count - 1]));
    return vkp_trial_results(&k->trial, &k->want, &k->count);
}

static void check_close(check *k)
{
    vkp_trial_close(&k->trial);
    free(k->want);
}

/* Runs the variant on the small case; result->why says what is wrong with it. */
static vkp_status check_variant(check *k, const vkp_variant *v, vkp_contest_result *result)
{
    float *got;
    size_t count;
    vkp_status status = vkp_trial_start(&k->trial, v);
    if (status == VKP_OK) status = vkp_trial_results(&k->trial, &got, &count);
    if (status != VKP_OK) {
        vkp_error_what(result->why, sizeof result->why);
        result->out = true;
        return vkp_contest_is_fatal(status) ? status : VKP_OK;
    }
    result->error = vkp_trial_error(got, k->want, count);
    if (isnan(result->error))
        snprintf(result->why, sizeof result->why, "wrong: its result is not finite");
    else if (all_zero(got, count) && !all_zero(k->want, count))
        snprintf(result->why, sizeof result->why, "wrong: nothing but zeros");
    else if (result->error > allowed_error(&k->use, v))
        snprintf(result->why, sizeof result->why, "wrong: off by %.1e, allowed are %.0e", result->error,
                 allowed_error(&k->use, v));
    result->out = result->why[0] != 0;
    free(got);
    return VKP_OK;
}

/* What is tried, with its time on the small case; 0: it is out. */
typedef struct entrant {
    const vkp_variant *variant;
    vkp_contest_result *result;
    double small;
} entrant;

typedef struct contest {
    vkp_device *device;
    vkp_contest_row *row;
    entrant entrants[VKP_CONTEST_VARIANTS];
    double deadline;
} contest;

static bool time_is_over(const contest *c) { return vkp_contest_seconds() >= c->deadline; }

static void enter(contest *c, const vkp_node *node, bool all)
{
    vkp_contest_row *row = c->row;
    const vkp_variants *list = row->use.variants;
    for (size_t i = 0; i < list->count && row->count < VKP_CONTEST_VARIANTS; i++) {
        const vkp_variant *v = &list->list[i];
        if (!all && !(v->meant_for && v->meant_for(&c->device->info))) continue;
        if (!v->fits(c->device, node)) continue;
        row->results[row->count] = (vkp_contest_result){.name = v->name};
        c->entrants[row->count] = (entrant){.variant = v, .result = &row->results[row->count]};
        row->count++;
    }
}

/* The least of a few runs of what was started on the small case. */
static vkp_status time_small(vkp_trial *trial, double *least)
{
    *least = INFINITY;
    for (int i = 0; i < SMALL_RUNS; i++) {
        double ms;
        VKP_TRY(vkp_trial_time(trial, &ms));
        *least = fmin(*least, ms);
    }
    return VKP_OK;
}

static vkp_status check_entrants(contest *c)
{
    check k;
    vkp_status status = check_open(c->device, &c->row->use, &k);
    if (status != VKP_OK) vkp_error_what(c->row->why, sizeof c->row->why);
    for (size_t i = 0; i < c->row->count && status == VKP_OK && !time_is_over(c); i++) {
        entrant *e = &c->entrants[i];
        status = check_variant(&k, e->variant, e->result);
        if (status == VKP_OK && !e->result->why[0]) status = time_small(&k.trial, &e->small);
    }
    check_close(&k);
    return status;
}

/* Times what was started: the median. Leaves early what is far behind `best`, 0 being none. */
static vkp_status time_entrant(contest *c, vkp_trial *trial, entrant *e, double best)
{
    double times[MOST_RUNS];
    int runs = 0;
    do {
        double ms;
        VKP_TRY(vkp_trial_time(trial, &ms));
        int at = runs++;
        for (; at > 0 && times[at - 1] > ms; at--) times[at] = times[at - 1];
        times[at] = ms;
    } while (runs < LEAST_RUNS ||
             (runs < MOST_RUNS && !time_is_over(c) && !(best > 0 && times[0] > CLEARLY_SLOWER * best)));
    e->result->milliseconds = (times[(runs - 1) / 2] + times[runs / 2]) / 2;
    return VKP_OK;
}

/* Times all that are not out, and gives the best. */
static vkp_status time_entrants(contest *c, vkp_trial *trial, const entrant **winner)
{
    double small = INFINITY;
    for (size_t i = 0; i < c->row->count; i++)
        if (c->entrants[i].small > 0) small = fmin(small, c->entrants[i].small);
    for (size_t i = 0; i < c->row->count; i++) {
        entrant *e = &c->entrants[i];
        if (e->result->why[0]) continue;
        if (e->small > CLEARLY_SLOWER_SMALL * small) {
            snprintf(e->result->why, sizeof e->result->why, "slower: %.0f times on a small case",
                     e->small / small);
            continue;
        }
        const vkp_status status = vkp_trial_start(trial, e->variant);
        if (status != VKP_OK) vkp_error_what(e->result->why, sizeof e->result->why);
        e->result->out = status != VKP_OK;
        if (vkp_contest_is_fatal(status)) return status;
        if (status != VKP_OK) continue;
        VKP_TRY(time_entrant(c, trial, e, *winner ? (*winner)->result->milliseconds : 0));
        if (!*winner || e->result->milliseconds < WORTH_IT * (*winner)->result->milliseconds) *winner = e;
        if (time_is_over(c) && i + 1 < c->row->count) {
            /* What was not reached might have won. */
            *winner = NULL;
            break;
        }
    }
    return VKP_OK;
}

/* Without a winner the order decides; what was found wrong is not used for that reason either. */
static void take_plain(contest *c)
{
    vkp_contest_row *row = c->row;
    const vkp_variants *list = row->use.variants;
    for (size_t i = 0; i < row->count; i++)
        if (row->results[i].out && row->results[i].name == row->winner)
            row->winner = list->list[list->count - 1].name;
}

static vkp_status hold(contest *c)
{
    const entrant *winner = NULL;
    vkp_trial trial = {0};
    VKP_TRY(check_entrants(c));
    if (!time_is_over(c)) {
        vkp_status status = vkp_trial_open(c->device, &c->row->use, &trial);
        if (status == VKP_OK)
            status = time_entrants(c, &trial, &winner);
        else
            vkp_error_what(c->row->why, sizeof c->row->why);
        vkp_trial_close(&trial);
        VKP_TRY(status);
    }
    if (winner) {
        c->row->winner = winner->variant->name;
        c->row->measured = true;
    } else {
        take_plain(c);
        if (!c->row->why[0])
            snprintf(c->row->why, sizeof c->row->why, "%s",
                     time_is_over(c) ? "no time was left" : "none is right");
    }
    return VKP_OK;
}

vkp_status vkp_contest_hold(vkp_device *device, const vkp_use *use, bool all, double deadline,
                            vkp_contest_row *row)
{
    vkp_node node;
    *row = (vkp_contest_row){.use = *use};
    contest c = {.device = device, .row = row, .deadline = deadline};
    VKP_TRY(vkp_use_layout(use, &node));
    const vkp_variant *by_order = vkp_variant_by_order(device, &node, use->variants);
    row->winner = by_order ? by_order->name : NULL;
    if (time_is_over(&c)) {
        snprintf(row->why, sizeof row->why, "no time was left");
        return VKP_OK;
    }
    enter(&c, &node, all);
    vkp_chooser *chooser = device->chooser;
    device->chooser = NULL;
    const vkp_status status = hold(&c);
    device->chooser = chooser;
    return vkp_contest_is_fatal(status) ? status : VKP_OK;
}

vkp_status vkp_contest_prove(vkp_device *device, const vkp_use *use, const vkp_variant *variant, bool *right)
{
    check k;
    vkp_contest_result result = {.name = variant->name};
    vkp_chooser *chooser = device->chooser;
    device->chooser = NULL;
    vkp_status status = check_open(device, use, &k);
    if (status == VKP_OK) status = check_variant(&k, variant, &result);
    check_close(&k);
    device->chooser = chooser;
    *right = status == VKP_OK && !result.why[0];
    return vkp_contest_is_fatal(status) ? status : VKP_OK;
}

void vkp_contest_text(const vkp_contest_row *row, char *text, size_t room)
{
    char shapes[160];
    vkp_case_text(row->use.op, &row->use.c, shapes, sizeof shapes);
    size_t used = (size_t)snprintf(text, room, "%s %s:", row->use.variants->name, shapes);
    for (size_t i = 0; i < row->count && used < room; i++) {
        const vkp_contest_result *r = &row->results[i];
        const char *separator = i ? "," : "";
        if (r->milliseconds > 0)
            used += (size_t)snprintf(text + used, room - used, "%s %s %.3g ms", separator, r->name,
                                     r->milliseconds);
        else
            used += (size_t)snprintf(text + used, room - used, "%s %s %s", separator, r->name,
                                     r->why[0] ? r->why : "not tried");
    }
    if (used < room)
        used += (size_t)snprintf(text + used, room - used, "%s %s", row->count ? " ->" : "", row->winner);
    if (used < room && row->stored) snprintf(text + used, room - used, " (stored)");
    else if (used < room && !row->measured) snprintf(text + used, room - used, " by order (%s)", row->why);
}
