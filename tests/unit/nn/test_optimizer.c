/* Optimisers and schedules: PyTorch's golden values (tools/golden_optimizer.py), the plain kernels,
 * closed forms, bit-identity over threads and over storing. */
#include "testing.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "json.h"
#include "optimizer.h"
#include "rng.h"
#include "update.h"
#include "zoo.h"

/* A training net of the zoo, initialised, its gradients filled with normal numbers. */
typedef struct trainee {
    kd2m_graph *graph;
    kd2m_net *net;
} trainee;

static trainee make_trainee(kd2m_context *context, const char *spec, size_t in, size_t out) {
    trainee made = {NULL, NULL};
    EXPECT_OK(context, kd2m_zoo_build(&made.graph, context, spec, 1, (size_t[3]){in}, out));
    EXPECT_OK(context,
              kd2m_net_create(&made.net, context, made.graph, 2, KD2M_NET_TRAINING, false));
    EXPECT_OK(context, kd2m_net_initialise(made.net, 5));
    return made;
}

static void free_trainee(trainee *made) {
    kd2m_net_free(made->net);
    kd2m_graph_free(made->graph);
}

static void fill_gradients(kd2m_net *net, uint64_t seed) {
    size_t count;
    kd2m_parameter *parameters = kd2m_net_parameters(net, &count);
    for (size_t i = 0; i < count; i++) {
        kd2m_rng rng;
        kd2m_rng_init(&rng, seed, KD2M_STREAM_TEST, i);
        for (size_t k = 0; k < parameters[i].count; k++)
            parameters[i].gradient[k] = (float)kd2m_rng_normal(&rng);
    }
}

static const kd2m_optimizer_settings sgd = {
    .kind = KD2M_SGD, .momentum = 0.9, .nesterov = true, .weight_decay = 1e-2, .clip = 1};
static const kd2m_optimizer_settings adamw = {.kind = KD2M_ADAMW,
                                              .weight_decay = 1e-2,
                                              .beta1 = 0.9,
                                              .beta2 = 0.999,
                                              .epsilon = 1e-8,
                                              .clip = 1};

/* ---- against PyTorch ---- */

static double number(const json_t *object, const char *key) {
    return json_number_value(json_object_get(object, key));
}

static kd2m_optimizer_settings read_settings(const json_t *json) {
    bool is_sgd = strcmp(json_string_value(json_object_get(json, "kind")), "sgd") == 0;
    return (kd2m_optimizer_settings){
        .kind = is_sgd ? KD2M_SGD : KD2M_ADAMW,
        .momentum = number(json, "momentum"),
        .nesterov = json_is_true(json_object_get(json, "nesterov")),
        .weight_decay = number(json, "weight_decay"),
        .beta1 = number(json, "beta1"),
        .beta2 = number(json, "beta2"),
        .epsilon = number(json, "epsilon"),
        .clip = number(json, "clip"),
    };
}

/* Copies `json`, an object of lists, into values or gradients of the parameters of those names. */
static void set_parameters(kd2m_net *net, const json_t *json, bool gradients) {
    size_t count;
    kd2m_parameter *parameters = kd2m_net_parameters(net, &count);
    assert_int_equal(count, json_object_size(json));
    for (size_t i = 0; i < count; i++) {
        const json_t *list = json_object_get(json, parameters[i].name);
        assert_int_equal(json_array_size(list), parameters[i].count);
        float *to = gradients ? parameters[i].gradient : parameters[i].values;
        for (size_t k = 0; k < parameters[i].count; k++)
            to[k] = (float)json_number_value(json_array_get(list, k));
    }
}

static void expect_list(const json_t *list, const float *values, size_t count) {
    assert_int_equal(json_array_size(list), count);
    for (size_t k = 0; k < count; k++)
        EXPECT_CLOSE(json_number_value(json_array_get(list, k)), (double)values[k], 2e-7, 2e-6);
}

static void run_golden_case(kd2m_context *context, const json_t *golden, const json_t *want) {
    trainee made = make_trainee(context, "mlp:5-3-2", 5, 2);
    const kd2m_optimizer_settings settings = read_settings(json_object_get(want, "settings"));
    const char *const prefixes[] = {"student"};
    kd2m_optimizer *optimizer = NULL;
    EXPECT_OK(context,
              kd2m_optimizer_create(&optimizer, context, &settings, &made.net, prefixes, 1));
    set_parameters(made.net, json_object_get(golden, "initial"), false);
    const json_t *gradients = json_object_get(golden, "gradients");
    const json_t *rates = json_object_get(want, "rates");
    const kd2m_schedule schedule = {.kind = KD2M_SCHEDULE_COSINE,
                                    .lr = number(golden, "lr"),
                                    .final_lr = number(golden, "final_lr"),
                                    .total_steps = (double)json_array_size(rates)};
    for (size_t step = 0; step < json_array_size(rates); step++) {
        double lr = kd2m_schedule_at(&schedule, step);
        EXPECT_CLOSE(json_number_value(json_array_get(rates, step)), lr, 0, 1e-12);
        set_parameters(made.net, json_array_get(gradients, step), true);
        double norm = json_number_value(json_array_get(json_object_get(want, "norms"), step));
        EXPECT_CLOSE(norm, kd2m_optimizer_gradient_norm(optimizer), 0, 1e-6);
        EXPECT_OK(context, kd2m_optimizer_step(optimizer, lr));
    }

    size_t count;
    const kd2m_parameter *parameters = kd2m_net_parameters(made.net, &count);
    for (size_t i = 0; i < count; i++)
        expect_list(json_object_get(json_object_get(want, "weights"), parameters[i].name),
                    parameters[i].values, parameters[i].count);
    kd2m_tensors *stored = NULL;
    EXPECT_OK(context, kd2m_tensors_create(&stored, context));
    EXPECT_OK(context, kd2m_optimizer_store(optimizer, stored));
    const char *name;
    json_t *list;
    json_object_foreach(json_object_get(want, "state"), name, list) {
        char full[128];
        snprintf(full, sizeof full, "optimizer.student.%s", name);
        const kd2m_tensor *tensor = kd2m_tensors_find(stored, full);
        assert_non_null(tensor);
        expect_list(list, tensor->values, tensor->count);
    }
    kd2m_tensors_free(stored);
    kd2m_optimizer_free(optimizer);
    free_trainee(&made);
}

static void agrees_with_pytorch(void **state) {
    (void)state;
    kd2m_context *context = testing_context(2);
    json_t *golden = NULL;
    EXPECT_OK(context,
              kd2m_json_read(context, &golden, KD2M_TEST_SOURCE "/golden/nn/optimizer.json"));
    const char *name;
    json_t *want;
    assert_int_equal(json_object_size(json_object_get(golden, "cases")), 6);
    json_object_foreach(json_object_get(golden, "cases"), name, want) {
        print_message("%s\n", name);
        run_golden_case(context, golden, want);
    }
    json_decref(golden);
    kd2m_context_free(context);
}

/* ---- kernels against their plain form ---- */

#define LONGEST 1003

static void normals(float *values, uint64_t stream) {
    kd2m_rng rng;
    kd2m_rng_init(&rng, 3, KD2M_STREAM_TEST, stream);
    for (size_t i = 0; i < LONGEST; i++)
        values[i] = (float)kd2m_rng_normal(&rng);
}

static void expect_arrays(const float *want, const float *got, size_t count) {
    for (size_t i = 0; i < LONGEST; i++)
        EXPECT_CLOSE((double)want[i], (double)got[i], i < count ? 1e-6 : 0, 0);
}

static void fast_kernels_follow_plain_ones(void **state) {
    (void)state;
    float g[LONGEST], w[2][LONGEST], first[2][LONGEST], second[2][LONGEST];
    const size_t counts[] = {0, 1, 7, 16, 33, 1000, LONGEST};
    for (size_t c = 0; c < sizeof counts / sizeof *counts; c++)
        for (int nesterov = 0; nesterov < 2; nesterov++) {
            const kd2m_sgd sgd_step = {0.1f, 0.9f, 0.01f, 0.5f, nesterov};
            const kd2m_adamw adamw_step = {.keep = 0.99f,
                                           .beta1 = 0.9f,
                                           .beta2 = 0.99f,
                                           .new1 = 0.1f,
                                           .new2 = 0.01f,
                                           .step = 0.3f,
                                           .root = 0.2f,
                                           .epsilon = 1e-6f,
                                           .clip = 0.5f};
            normals(g, 0);
            for (int side = 0; side < 2; side++) {
                normals(w[side], 1);
                normals(first[side], 2);
            }
            kd2m_update_sgd(&sgd_step, counts[c], g, first[0], w[0]);
            kd2m_reference_update_sgd(&sgd_step, counts[c], g, first[1], w[1]);
            expect_arrays(w[1], w[0], counts[c]);
            expect_arrays(first[1], first[0], counts[c]);
            for (int side = 0; side < 2; side++) {
                normals(second[side], 3);
                for (size_t i = 0; i < LONGEST; i++)
                    second[side][i] *= second[side][i];
            }
            kd2m_update_adamw(&adamw_step, counts[c], g, first[0], second[0], w[0]);
            kd2m_reference_update_adamw(&adamw_step, counts[c], g, first[1], second[1], w[1]);
            expect_arrays(w[1], w[0], counts[c]);
            expect_arrays(first[1], first[0], counts[c]);
            expect_arrays(second[1], second[0], counts[c]);
            EXPECT_CLOSE(kd2m_reference_sum_squares(counts[c], g), kd2m_sum_squares(counts[c], g),
                         0, 1e-13);
        }
}

/* ---- the whole optimiser ---- */

/* The weights after three steps with `threads` threads; owned by the caller. */
static float *three_steps(const kd2m_optimizer_settings *settings, int threads, size_t *count) {
    kd2m_context *context = testing_context(threads);
    trainee made = make_trainee(context, "mlp:200-300-100-10", 200, 10);
    const char *const prefixes[] = {"student"};
    kd2m_optimizer *optimizer = NULL;
    EXPECT_OK(context,
              kd2m_optimizer_create(&optimizer, context, settings, &made.net, prefixes, 1));
    for (uint64_t step = 0; step < 3; step++) {
        fill_gradients(made.net, step);
        EXPECT_OK(context, kd2m_optimizer_step(optimizer, 0.1));
    }
    size_t parameter_count;
    const kd2m_parameter *parameters = kd2m_net_parameters(made.net, &parameter_count);
    *count = 0;
    for (size_t i = 0; i < parameter_count; i++)
        *count += parameters[i].count;
    float *weights = malloc(*count * sizeof *weights);
    assert_non_null(weights);
    size_t used = 0;
    for (size_t i = 0; i < parameter_count; used += parameters[i].count, i++)
        memcpy(weights + used, parameters[i].values, parameters[i].count * sizeof *weights);
    kd2m_optimizer_free(optimizer);
    free_trainee(&made);
    kd2m_context_free(context);
    return weights;
}

static void steps_are_the_same_for_any_threads(void **state) {
    (void)state;
    const kd2m_optimizer_settings *const kinds[] = {&sgd, &adamw};
    for (size_t i = 0; i < 2; i++) {
        size_t count, again;
        float *one = three_steps(kinds[i], 1, &count);
        float *three = three_steps(kinds[i], 3, &again);
        assert_int_equal(count, again);
        assert_memory_equal(one, three, count * sizeof *one);
        free(one);
        free(three);
    }
}

/* Two nets under one optimiser, as a student and its projector are. */
typedef struct pair {
    trainee made[2];
    kd2m_optimizer *optimizer;
} pair;

static pair make_pair(kd2m_context *context, const kd2m_optimizer_settings *settings) {
    pair both = {.optimizer = NULL};
    both.made[0] = make_trainee(context, "mlp:70-300-10", 70, 10);
    EXPECT_OK(context, kd2m_zoo_projector(&both.made[1].graph, context, 6, 9));
    EXPECT_OK(context, kd2m_net_create(&both.made[1].net, context, both.made[1].graph, 2,
                                       KD2M_NET_TRAINING, false));
    EXPECT_OK(context, kd2m_net_initialise(both.made[1].net, 6));
    kd2m_net *const nets[] = {both.made[0].net, both.made[1].net};
    const char *const prefixes[] = {"student", "projector"};
    EXPECT_OK(context,
              kd2m_optimizer_create(&both.optimizer, context, settings, nets, prefixes, 2));
    return both;
}

static void step_pair(kd2m_context *context, pair *both, uint64_t step) {
    fill_gradients(both->made[0].net, step);
    fill_gradients(both->made[1].net, step + 100);
    EXPECT_OK(context, kd2m_optimizer_step(both->optimizer, 0.1));
}

static void free_pair(pair *both) {
    kd2m_optimizer_free(both->optimizer);
    free_trainee(&both->made[0]);
    free_trainee(&both->made[1]);
}

static void expect_same_weights(kd2m_net *a, kd2m_net *b) {
    size_t count;
    const kd2m_parameter *x = kd2m_net_parameters(a, &count);
    const kd2m_parameter *y = kd2m_net_parameters(b, &count);
    for (size_t i = 0; i < count; i++)
        assert_memory_equal(x[i].values, y[i].values, x[i].count * sizeof(float));
}

static void stored_state_goes_on_to_the_bit(void **state) {
    (void)state;
    const kd2m_optimizer_settings *const kinds[] = {&sgd, &adamw};
    for (size_t kind = 0; kind < 2; kind++) {
        kd2m_context *context = testing_context(2);
        kd2m_tensors *tensors = NULL, *read = NULL;
        char path[128];
        snprintf(path, sizeof path, "%s/state.safetensors", testing_folder());
        pair kept = make_pair(context, kinds[kind]);
        pair resumed = make_pair(context, kinds[kind]);
        for (uint64_t step = 0; step < 3; step++)
            step_pair(context, &kept, step);
        EXPECT_OK(context, kd2m_tensors_create(&tensors, context));
        EXPECT_OK(context, kd2m_optimizer_store(kept.optimizer, tensors));
        EXPECT_OK(context, kd2m_tensors_write(tensors, path));
        EXPECT_OK(context, kd2m_tensors_read(&read, context, path));
        EXPECT_OK(context, kd2m_optimizer_load(resumed.optimizer, read));
        for (size_t i = 0; i < 2; i++)
            EXPECT_OK(context, kd2m_net_copy(resumed.made[i].net, kept.made[i].net));
        for (uint64_t step = 3; step < 5; step++) {
            step_pair(context, &kept, step);
            step_pair(context, &resumed, step);
        }
        for (size_t i = 0; i < 2; i++)
            expect_same_weights(kept.made[i].net, resumed.made[i].net);
        kd2m_tensors_free(tensors);
        kd2m_tensors_free(read);
        free_pair(&kept);
        free_pair(&resumed);
        kd2m_context_free(context);
    }
}

static void refuses_the_state_of_another(void **state) {
    (void)state;
    kd2m_context *context = testing_context(1);
    kd2m_tensors *tensors = NULL;
    pair one = make_pair(context, &sgd);
    pair other = make_pair(context, &adamw);
    EXPECT_OK(context, kd2m_tensors_create(&tensors, context));
    EXPECT_STATUS(context, KD2M_ERROR_INPUT, kd2m_optimizer_load(one.optimizer, tensors));
    EXPECT_MESSAGE(context, "optimizer.step");
    EXPECT_OK(context, kd2m_optimizer_store(one.optimizer, tensors));
    EXPECT_STATUS(context, KD2M_ERROR_INPUT, kd2m_optimizer_load(other.optimizer, tensors));
    EXPECT_MESSAGE(context, "first_moment");
    kd2m_tensors_free(tensors);
    free_pair(&one);
    free_pair(&other);
    kd2m_context_free(context);
}

static void refuses_bad_settings(void **state) {
    (void)state;
    kd2m_context *context = testing_context(1);
    trainee made = make_trainee(context, "mlp:4-2", 4, 2);
    kd2m_net *idle = NULL;
    EXPECT_OK(context, kd2m_net_create(&idle, context, made.graph, 2, KD2M_NET_INFERENCE, false));
    const char *const prefixes[] = {"student"};
    kd2m_optimizer *optimizer = NULL;
    kd2m_optimizer_settings cases[9] = {sgd, sgd, sgd, sgd, sgd, adamw, adamw, adamw, sgd};
    cases[0].momentum = 1;
    cases[1].momentum = -0.1;
    cases[2].weight_decay = NAN;
    cases[3].clip = -1;
    cases[4].momentum = 0; /* with Nesterov */
    cases[5].beta1 = 1;
    cases[6].beta2 = -1;
    cases[7].epsilon = 0;
    cases[8].kind = (kd2m_optimizer_kind)7;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        EXPECT_STATUS(
            context, KD2M_ERROR_USAGE,
            kd2m_optimizer_create(&optimizer, context, &cases[i], &made.net, prefixes, 1));
        assert_null(optimizer);
    }
    EXPECT_STATUS(context, KD2M_ERROR_USAGE,
                  kd2m_optimizer_create(&optimizer, context, &sgd, &idle, prefixes, 1));
    EXPECT_MESSAGE(context, "nothing to train");
    kd2m_net_free(idle);
    free_trainee(&made);
    kd2m_context_free(context);
}

static void leaves_the_weights_where_the_gradient_is_not_finite(void **state) {
    (void)state;
    kd2m_context *context = testing_context(1);
    pair both = make_pair(context, &adamw);
    pair untouched = make_pair(context, &adamw);
    size_t count;
    fill_gradients(both.made[0].net, 1);
    fill_gradients(both.made[1].net, 1);
    kd2m_net_parameters(both.made[1].net, &count)[0].gradient[5] = NAN;
    EXPECT_STATUS(context, KD2M_ERROR_NUMERIC, kd2m_optimizer_step(both.optimizer, 0.1));
    EXPECT_MESSAGE(context, "not finite");
    for (size_t i = 0; i < 2; i++)
        expect_same_weights(both.made[i].net, untouched.made[i].net);
    free_pair(&both);
    free_pair(&untouched);
    kd2m_context_free(context);
}

static void a_step_allocates_nothing(void **state) {
    (void)state;
    kd2m_context *context = testing_failing_context(SIZE_MAX);
    pair both = make_pair(context, &sgd);
    size_t before = testing_allocations();
    step_pair(context, &both, 1);
    assert_int_equal(testing_allocations(), before);
    free_pair(&both);
    assert_int_equal(testing_live(), 0);
    kd2m_context_free(context);
}

static void survives_failing_memory(void **state) {
    (void)state;
    kd2m_context *context = testing_context(1);
    trainee made = make_trainee(context, "mlp:4-3-2", 4, 2);
    const char *const prefixes[] = {"student"};
    kd2m_status status = KD2M_ERROR_MEMORY;
    for (size_t k = 0; status != KD2M_OK; k++) {
        kd2m_context *failing = testing_failing_context(k);
        kd2m_optimizer *optimizer = NULL;
        kd2m_tensors *tensors = NULL;
        status = kd2m_optimizer_create(&optimizer, failing, &adamw, &made.net, prefixes, 1);
        assert_true((status == KD2M_OK) == (optimizer != NULL));
        if (status == KD2M_OK)
            status = kd2m_tensors_create(&tensors, failing);
        if (status == KD2M_OK)
            status = kd2m_optimizer_store(optimizer, tensors);
        if (status == KD2M_OK)
            status = kd2m_optimizer_load(optimizer, tensors);
        if (status != KD2M_OK)
            EXPECT_STATUS(failing, KD2M_ERROR_MEMORY, status);
        kd2m_tensors_free(tensors);
        kd2m_optimizer_free(optimizer);
        assert_int_equal(testing_live(), 0);
        kd2m_context_free(failing);
    }
    free_trainee(&made);
    kd2m_context_free(context);
}

/* ---- schedules ---- */

static void schedules_follow_their_formulas(void **state) {
    (void)state;
    kd2m_schedule schedule = {.kind = KD2M_SCHEDULE_COSINE,
                              .lr = 0.2,
                              .final_lr = 0.01,
                              .warmup_steps = 5,
                              .total_steps = 45,
                              .step_every = 10,
                              .step_factor = 0.5};
    for (size_t step = 0; step < 5; step++)
        EXPECT_CLOSE(0.2 * (double)(step + 1) / 5, kd2m_schedule_at(&schedule, step), 0, 1e-15);
    EXPECT_CLOSE(0.2, kd2m_schedule_at(&schedule, 5), 0, 1e-15);
    EXPECT_CLOSE(0.01 + 0.19 * (1 + sqrt(0.5)) / 2, kd2m_schedule_at(&schedule, 15), 0, 1e-14);
    EXPECT_CLOSE((0.2 + 0.01) / 2, kd2m_schedule_at(&schedule, 25), 0, 1e-14);
    EXPECT_CLOSE(0.01, kd2m_schedule_at(&schedule, 45), 0, 1e-14);
    EXPECT_CLOSE(0.01, kd2m_schedule_at(&schedule, 1000), 0, 1e-14);
    for (size_t step = 5; step < 45; step++)
        assert_true(kd2m_schedule_at(&schedule, step + 1) < kd2m_schedule_at(&schedule, step));

    schedule.kind = KD2M_SCHEDULE_STEP;
    EXPECT_CLOSE(0.04, kd2m_schedule_at(&schedule, 0), 0, 1e-15);
    EXPECT_CLOSE(0.2, kd2m_schedule_at(&schedule, 14), 0, 1e-15);
    EXPECT_CLOSE(0.1, kd2m_schedule_at(&schedule, 15), 0, 1e-15);
    EXPECT_CLOSE(0.2 / 16, kd2m_schedule_at(&schedule, 45), 0, 1e-15);

    schedule.kind = KD2M_SCHEDULE_CONSTANT;
    EXPECT_CLOSE(0.08, kd2m_schedule_at(&schedule, 1), 0, 1e-15);
    EXPECT_CLOSE(0.2, kd2m_schedule_at(&schedule, 1000000), 0, 0);
}

/* A warm-up of a broken number of steps, or one as long as the run, has no jump and no NaN. */
static void schedules_stand_their_edges(void **state) {
    (void)state;
    for (int kind = 0; kind < 3; kind++)
        for (double warmup = 0; warmup <= 20; warmup += 2.5) {
            kd2m_schedule schedule = {.kind = (kd2m_schedule_kind)kind,
                                      .lr = 1,
                                      .warmup_steps = warmup,
                                      .total_steps = 20,
                                      .step_every = 0.5,
                                      .step_factor = 0};
            for (size_t step = 0; step < 25; step++) {
                double lr = kd2m_schedule_at(&schedule, step);
                assert_true(lr >= 0 && lr <= 1);
                if (step + 1 < (size_t)warmup)
                    assert_true(kd2m_schedule_at(&schedule, step + 1) >= lr);
            }
        }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(agrees_with_pytorch),
        cmocka_unit_test(fast_kernels_follow_plain_ones),
        cmocka_unit_test(steps_are_the_same_for_any_threads),
        cmocka_unit_test(stored_state_goes_on_to_the_bit),
        cmocka_unit_test(refuses_the_state_of_another),
        cmocka_unit_test(refuses_bad_settings),
        cmocka_unit_test(leaves_the_weights_where_the_gradient_is_not_finite),
        cmocka_unit_test(a_step_allocates_nothing),
        cmocka_unit_test(survives_failing_memory),
        cmocka_unit_test(schedules_follow_their_formulas),
        cmocka_unit_test(schedules_stand_their_edges),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
