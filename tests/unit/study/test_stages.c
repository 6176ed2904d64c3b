/* Which trials follow from which outcomes: halving, ties, divergence, failures, the report. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "plans.h"
#include "stages.h"

/* Made-up validation accuracy of a candidate. */
typedef double (*score_rule)(const kd2m_place *place);

static double rising(const kd2m_place *place) {
    return 0.1 * (double)place->candidate;
}

static double tied(const kd2m_place *place) {
    (void)place;
    return 0.5;
}

static double diverging(const kd2m_place *place) {
    return place->candidate >= 2 ? NAN : 0.2 - 0.1 * (double)place->candidate;
}

typedef struct course {
    kd2m_context *context;
    kd2m_plan *plan;
    kd2m_store *store;
    size_t trials, report; /* done */
    size_t winner;         /* the report's candidate, of the cell looked at */
} course;

/* With `budget` in the plan's place of it, where it isn't NULL. */
static void begin(course *c, const char *budget) {
    char path[256];
    *c = (course){.context = testing_context(1)};
    c->plan = plans_take(c->context, plans_json(small_plan, budget ? "budget" : NULL, budget));
    snprintf(path, sizeof path, "%s/study.db", testing_folder());
    EXPECT_OK(c->context, kd2m_store_open(&c->store, c->context, path, 60));
}

static void end(course *c) {
    kd2m_store_close(c->store);
    kd2m_plan_free(c->plan);
    kd2m_context_free(c->context);
}

/* Looks at what is handed out. */
static void note(course *c, const kd2m_claim *claim) {
    const json_t *settings = claim->settings;
    json_int_t epochs = json_integer_value(json_object_get(settings, "epochs"));
    json_int_t seed = json_integer_value(json_object_get(settings, "seed"));
    const kd2m_place *place = &claim->place;
    if (place->stage == KD2M_STAGE_TEACHER) {
        assert_string_equal(claim->teacher, "");
        assert_int_equal(epochs, 4);
        assert_int_equal(c->trials, 0);
    } else {
        assert_int_equal(strlen(claim->teacher), 16);
    }
    if (place->stage == KD2M_STAGE_SEARCH) {
        assert_int_equal(epochs, place->rung == 0 ? 2 : 4);
        assert_true(seed < KD2M_REPORT_SEED);
    }
    if (place->stage == KD2M_STAGE_REPORT) {
        assert_int_equal(epochs, 4);
        assert_int_equal(seed, KD2M_REPORT_SEED + place->repeat);
        c->report++;
        if (place->student == 0 && place->method == 1)
            c->winner = place->candidate;
    }
    c->trials++;
}

static void follow(course *c, score_rule rule) {
    for (;;) {
        kd2m_claim claim;
        bool found;
        EXPECT_OK(c->context, kd2m_stages_advance(c->store, c->plan));
        EXPECT_OK(c->context, kd2m_store_claim(c->store, &claim, &found));
        if (!found)
            return;
        note(c, &claim);
        const kd2m_outcome outcome = {.score = rule(&claim.place), .result = "{}"};
        EXPECT_OK(c->context, kd2m_store_finish(c->store, claim.trial, &outcome));
        kd2m_claim_clear(&claim);
    }
}

/* One candidate needs no search: the fresh seeds follow at once. */
static void test_single_candidate(void **state) {
    (void)state;
    course c;
    begin(&c, "{\"candidates\": 1, \"rungs\": 2}");
    assert_int_equal(kd2m_stages_total(c.plan), 1 + 2 * 3 * 3);
    follow(&c, rising);
    assert_int_equal(c.trials, kd2m_stages_total(c.plan));
    assert_int_equal(c.report, 2 * 3 * 3);
    assert_int_equal(c.winner, 0);
    end(&c);
}

/* 1 teacher; 2 students x 3 methods x (4 + 2 candidates, 3 seeds). */
static void test_follows(score_rule rule, size_t winner) {
    course c;
    begin(&c, NULL);
    assert_int_equal(kd2m_stages_total(c.plan), 1 + 2 * 3 * (4 + 2 + 3));
    follow(&c, rule);
    assert_int_equal(c.trials, kd2m_stages_total(c.plan));
    assert_int_equal(c.report, 2 * 3 * 3);
    assert_int_equal(c.winner, winner);
    end(&c);
}

static void test_best_wins(void **state) {
    (void)state;
    test_follows(rising, 3);
}

static void test_first_of_equals_wins(void **state) {
    (void)state;
    test_follows(tied, 0);
}

static void test_diverged_loses(void **state) {
    (void)state;
    test_follows(diverging, 0);
}

/* A failed trial holds its method's later stages back, and no other's. */
static void test_failure_blocks(void **state) {
    (void)state;
    course c;
    kd2m_claim claim;
    bool found, failed = false;
    begin(&c, NULL);
    for (;;) {
        EXPECT_OK(c.context, kd2m_stages_advance(c.store, c.plan));
        EXPECT_OK(c.context, kd2m_store_claim(c.store, &claim, &found));
        if (!found)
            break;
        bool now = !failed && claim.place.stage == KD2M_STAGE_SEARCH;
        const kd2m_outcome outcome = {.failed = now, .message = "x", .score = 0, .result = "{}"};
        failed |= now;
        EXPECT_OK(c.context, kd2m_store_finish(c.store, claim.trial, &outcome));
        kd2m_claim_clear(&claim);
        c.trials++;
    }
    assert_int_equal(c.trials, kd2m_stages_total(c.plan) - 2 - 3);
    EXPECT_OK(c.context, kd2m_store_retry(c.store));
    c.trials = 0;
    follow(&c, rising);
    assert_int_equal(c.trials, 1 + 2 + 3);
    end(&c);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_best_wins),        cmocka_unit_test(test_first_of_equals_wins),
        cmocka_unit_test(test_diverged_loses),   cmocka_unit_test(test_failure_blocks),
        cmocka_unit_test(test_single_candidate),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
