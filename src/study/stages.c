/* From outcomes to the next trials: see stages.h. */
#include "stages.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "context.h"
#include "json.h"
#include "memory.h"

typedef struct stages {
    kd2m_store *store;
    const kd2m_plan *plan;
    kd2m_trial_row *rows;
    size_t count;
    const char *teacher; /* hash of the data set's, "" where it has a path */
} stages;

size_t kd2m_stages_total(const kd2m_plan *plan) {
    size_t cells = plan->data_count * plan->student_count * plan->method_count;
    size_t each = plan->seeds, total = 0;
    for (size_t rung = 0; rung < plan->rungs; rung++)
        each += kd2m_plan_rung_candidates(plan, rung);
    for (size_t d = 0; d < plan->data_count; d++)
        total += plan->data[d].teacher_path == NULL;
    return total + cells * each;
}

/* ---- trials' settings ---- */

/* Those of the place's candidate, with the rung's epochs or the report's seed. */
static kd2m_status make_settings(const stages *s, const kd2m_place *place, json_t **out) {
    const kd2m_plan *plan = s->plan;
    kd2m_context *context = plan->context;
    const char *path = plan->data[place->data].teacher_path;
    kd2m_train_settings values;
    kd2m_status status = KD2M_OK;
    KD2M_TRY(kd2m_plan_candidate(plan, place->data, place->student, place->method, place->candidate,
                                 out));
    KD2M_TRY(kd2m_plan_settings(context, *out, &values));
    if (path)
        KD2M_TRY(kd2m_json_set(context, *out, "teacher", json_string(path)));
    if (place->stage == KD2M_STAGE_REPORT) {
        KD2M_TRY(kd2m_json_set(context, *out, "seed",
                               json_integer(KD2M_REPORT_SEED + (json_int_t)place->repeat)));
    } else {
        size_t epochs = kd2m_plan_rung_epochs(plan, place->rung, (size_t)values.epochs);
        KD2M_TRY(kd2m_json_set(context, *out, "epochs", json_integer((json_int_t)epochs)));
    }
cleanup:
    if (status != KD2M_OK) {
        json_decref(*out);
        *out = NULL;
    }
    return status;
}

static kd2m_status add(const stages *s, const kd2m_place *place) {
    json_t *settings = NULL;
    kd2m_status status = KD2M_OK;
    KD2M_TRY(make_settings(s, place, &settings));
    KD2M_TRY(kd2m_store_add(s->store, place, settings, s->teacher));
cleanup:
    json_decref(settings);
    return status;
}

/* ---- what is there ---- */

static bool same_rung(const kd2m_place *a, const kd2m_place *b) {
    return a->stage == b->stage && a->data == b->data && a->student == b->student &&
           a->method == b->method && a->rung == b->rung;
}

/* Rows of a place's stage and rung, in the order they were added: `found` of them into `out`. */
static size_t rows_of(const stages *s, const kd2m_place *place, const kd2m_trial_row **out,
                      size_t most) {
    size_t found = 0;
    for (size_t i = 0; i < s->count && found < most; i++)
        if (same_rung(&s->rows[i].place, place))
            out[found++] = &s->rows[i];
    return found;
}

/* Higher scores first, diverged ones last, equal ones by candidate. */
static int by_score(const void *a, const void *b) {
    const kd2m_trial_row *one = *(const kd2m_trial_row *const *)a;
    const kd2m_trial_row *other = *(const kd2m_trial_row *const *)b;
    double x = isnan(one->score) ? -INFINITY : one->score;
    double y = isnan(other->score) ? -INFINITY : other->score;
    if (x != y)
        return x > y ? -1 : 1;
    return (one->place.candidate > other->place.candidate) -
           (one->place.candidate < other->place.candidate);
}

/* ---- the course of one method in one cell ---- */

static bool all_done(const kd2m_trial_row *const *rows, size_t count) {
    for (size_t i = 0; i < count; i++)
        if (rows[i]->state != KD2M_TRIAL_DONE)
            return false;
    return true;
}

/* The candidates that a rung begins with: all, or the best of the rung before. */
static kd2m_status fill_rung(const stages *s, kd2m_place place, const kd2m_trial_row **before,
                             size_t count) {
    kd2m_status status = KD2M_OK;
    size_t wanted = place.stage == KD2M_STAGE_REPORT
                        ? s->plan->seeds
                        : kd2m_plan_rung_candidates(s->plan, place.rung);
    if (count > 0)
        qsort(before, count, sizeof *before, by_score);
    for (size_t i = 0; i < wanted && status == KD2M_OK; i++) {
        if (place.stage == KD2M_STAGE_REPORT) {
            place.candidate = count > 0 ? before[0]->place.candidate : 0;
            place.repeat = i;
        } else {
            place.candidate = count > 0 ? before[i]->place.candidate : i;
        }
        status = add(s, &place);
    }
    return status;
}

/* Adds what has become known by the last rung that is done. */
static kd2m_status advance_method(const stages *s, kd2m_place place) {
    const kd2m_plan *plan = s->plan;
    size_t most = plan->candidates > plan->seeds ? plan->candidates : plan->seeds;
    const kd2m_trial_row **before = NULL, **rows = NULL, **other;
    size_t count = 0;
    kd2m_status status = KD2M_OK;
    KD2M_TRY(kd2m_alloc(plan->context, (void **)&before, most, sizeof *before));
    KD2M_TRY(kd2m_alloc(plan->context, (void **)&rows, most, sizeof *rows));
    for (size_t rung = 0; rung <= plan->rungs; rung++) {
        bool report = rung == plan->rungs;
        place.stage = report ? KD2M_STAGE_REPORT : KD2M_STAGE_SEARCH;
        place.rung = report ? 0 : rung;
        if (!all_done(before, count))
            break; /* what follows can't be named yet */
        size_t found = rows_of(s, &place, rows, most);
        if (found == 0) {
            KD2M_TRY(fill_rung(s, place, before, count));
            break;
        }
        other = before;
        before = rows;
        rows = other;
        count = found;
    }
cleanup:
    kd2m_free(plan->context, rows);
    kd2m_free(plan->context, before);
    return status;
}

/* ---- the whole ---- */

/* Adds the teacher; its hash is in `hash`, "" where the plan has a path. */
static kd2m_status advance_teacher(const stages *s, size_t data, char hash[KD2M_HASH_SIZE]) {
    const kd2m_place place = {.stage = KD2M_STAGE_TEACHER, .data = data};
    json_t *settings = NULL;
    kd2m_status status = KD2M_OK;
    hash[0] = '\0';
    if (s->plan->data[data].teacher_path)
        return KD2M_OK;
    KD2M_TRY(kd2m_plan_teacher(s->plan, data, &settings));
    KD2M_TRY(kd2m_store_hash(s->plan->context, settings, "", hash));
    KD2M_TRY(kd2m_store_add(s->store, &place, settings, ""));
cleanup:
    json_decref(settings);
    return status;
}

static kd2m_status advance_all(stages *s) {
    const kd2m_plan *plan = s->plan;
    char teacher[KD2M_HASH_SIZE];
    kd2m_status status = KD2M_OK;
    KD2M_TRY(kd2m_store_trials(s->store, &s->rows, &s->count));
    for (size_t d = 0; d < plan->data_count; d++) {
        KD2M_TRY(advance_teacher(s, d, teacher));
        s->teacher = teacher;
        for (size_t t = 0; t < plan->student_count; t++)
            for (size_t m = 0; m < plan->method_count; m++)
                KD2M_TRY(advance_method(s, (kd2m_place){.data = d, .student = t, .method = m}));
    }
cleanup:
    kd2m_free(plan->context, s->rows);
    return status;
}

kd2m_status kd2m_stages_advance(kd2m_store *store, const kd2m_plan *plan) {
    stages s = {.store = store, .plan = plan};
    kd2m_status status = KD2M_OK;
    KD2M_TRY(kd2m_store_begin(store));
    status = advance_all(&s);
    kd2m_status ended = kd2m_store_end(store, status == KD2M_OK);
    status = status == KD2M_OK ? ended : status;
cleanup:
    return status;
}
