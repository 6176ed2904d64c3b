/* Named tensors in memory. */
#include "testing.h"

#include <stdio.h>
#include <string.h>

#include "tensors.h"

static void adds_and_finds(void **state) {
    (void)state;
    kd2m_context *context = testing_context(1);
    kd2m_tensors *tensors = NULL;
    kd2m_tensor *tensor = NULL;
    EXPECT_OK(context, kd2m_tensors_create(&tensors, context));
    for (size_t i = 0; i < 1000; i++) {
        char name[32];
        snprintf(name, sizeof name, "t%zu", i);
        EXPECT_OK(context, kd2m_tensors_add(tensors, &tensor, name, KD2M_TENSOR_F64, 2,
                                            (size_t[]){i % 4, 3}));
        assert_int_equal(tensor->count, i % 4 * 3);
        for (size_t k = 0; k < tensor->count; k++) {
            assert_true(((double *)tensor->values)[k] == 0);
            ((double *)tensor->values)[k] = (double)i;
        }
    }
    tensor = kd2m_tensors_find(tensors, "t123");
    assert_non_null(tensor);
    assert_string_equal(tensor->name, "t123");
    assert_true(((double *)tensor->values)[8] == 123);
    assert_null(kd2m_tensors_find(tensors, "t1000"));
    kd2m_tensors_free(tensors);
    kd2m_context_free(context);
}

static void says_what_is_there_instead(void **state) {
    (void)state;
    kd2m_context *context = testing_context(1);
    kd2m_tensors *tensors = NULL;
    kd2m_tensor *tensor = NULL;
    EXPECT_OK(context, kd2m_tensors_create(&tensors, context));
    EXPECT_OK(context,
              kd2m_tensors_add(tensors, &tensor, "w", KD2M_TENSOR_F64, 2, (size_t[]){3, 3}));
    EXPECT_OK(context, kd2m_tensors_add(tensors, &tensor, "scalar", KD2M_TENSOR_I64, 0, NULL));
    assert_int_equal(tensor->count, 1);
    EXPECT_OK(context,
              kd2m_tensors_expect(tensors, &tensor, "w", KD2M_TENSOR_F64, 2, (size_t[]){3, 3}));
    assert_string_equal(tensor->name, "w");
    EXPECT_STATUS(context, KD2M_ERROR_INPUT,
                  kd2m_tensors_expect(tensors, &tensor, "w", KD2M_TENSOR_F64, 2, (size_t[]){3, 4}));
    assert_null(tensor);
    EXPECT_MESSAGE(context, "tensor 'w' is 3 x 3 F64, it must be 3 x 4 F64");
    EXPECT_STATUS(context, KD2M_ERROR_INPUT,
                  kd2m_tensors_expect(tensors, &tensor, "scalar", KD2M_TENSOR_F32, 0, NULL));
    EXPECT_MESSAGE(context, "is I64, it must be F32");
    EXPECT_STATUS(context, KD2M_ERROR_INPUT,
                  kd2m_tensors_expect(tensors, &tensor, "none", KD2M_TENSOR_F32, 1, (size_t[]){5}));
    EXPECT_MESSAGE(context, "no tensor 'none' (5 F32)");
    kd2m_tensors_free(tensors);
    kd2m_context_free(context);
}

static void keeps_texts(void **state) {
    (void)state;
    kd2m_context *context = testing_context(1);
    kd2m_tensors *tensors = NULL;
    EXPECT_OK(context, kd2m_tensors_create(&tensors, context));
    EXPECT_OK(context, kd2m_tensors_set_text(tensors, "key", "one"));
    EXPECT_OK(context, kd2m_tensors_set_text(tensors, "key", "two"));
    assert_string_equal(kd2m_tensors_text(tensors, "key"), "two");
    assert_null(kd2m_tensors_text(tensors, "other"));
    kd2m_tensors_free(tensors);
    kd2m_context_free(context);
}

static void refuses_bad_names_and_shapes(void **state) {
    (void)state;
    kd2m_context *context = testing_context(1);
    kd2m_tensors *tensors = NULL;
    kd2m_tensor *tensor = NULL;
    char long_name[KD2M_TENSOR_NAME + 2];
    memset(long_name, 'x', sizeof long_name - 1);
    long_name[sizeof long_name - 1] = '\0';
    EXPECT_OK(context, kd2m_tensors_create(&tensors, context));
    EXPECT_OK(context, kd2m_tensors_add(tensors, &tensor, "a", KD2M_TENSOR_U8, 1, (size_t[]){2}));
    const char *const names[] = {"a", "", long_name, "a\tb", "a\x7f", "\xff\xfe", "__metadata__"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        EXPECT_STATUS(
            context, KD2M_ERROR_INPUT,
            kd2m_tensors_add(tensors, &tensor, names[i], KD2M_TENSOR_U8, 1, (size_t[]){2}));
        assert_null(tensor);
    }
    EXPECT_OK(context,
              kd2m_tensors_add(tensors, &tensor, long_name + 1, KD2M_TENSOR_U8, 1, (size_t[]){2}));
    EXPECT_STATUS(
        context, KD2M_ERROR_INPUT,
        kd2m_tensors_add(tensors, &tensor, "b", KD2M_TENSOR_U8, 6, (size_t[]){1, 1, 1, 1, 1, 1}));
    EXPECT_STATUS(
        context, KD2M_ERROR_INPUT,
        kd2m_tensors_add(tensors, &tensor, "b", KD2M_TENSOR_U8, 2, (size_t[]){SIZE_MAX, 2}));
    EXPECT_STATUS(
        context, KD2M_ERROR_MEMORY,
        kd2m_tensors_add(tensors, &tensor, "b", KD2M_TENSOR_F64, 1, (size_t[]){SIZE_MAX / 4}));
    assert_null(kd2m_tensors_find(tensors, "b"));
    assert_int_equal(tensors->count, 2);
    EXPECT_OK(context, kd2m_tensors_add(tensors, &tensor, "b", KD2M_TENSOR_U8, 1, (size_t[]){2}));
    kd2m_tensors_free(tensors);
    kd2m_context_free(context);
}

static kd2m_status fill(kd2m_tensors **out, kd2m_context *context) {
    kd2m_tensor *tensor;
    kd2m_status status = kd2m_tensors_create(out, context);
    if (status == KD2M_OK)
        status = kd2m_tensors_add(*out, &tensor, "a", KD2M_TENSOR_F32, 1, (size_t[]){3});
    if (status == KD2M_OK)
        status = kd2m_tensors_add(*out, &tensor, "b", KD2M_TENSOR_F32, 1, (size_t[]){3});
    return status;
}

static void survives_failing_memory(void **state) {
    (void)state;
    kd2m_status status = KD2M_ERROR_MEMORY;
    for (size_t k = 0; status != KD2M_OK; k++) {
        kd2m_context *context = testing_failing_context(k);
        kd2m_tensors *tensors = NULL;
        status = fill(&tensors, context);
        if (status != KD2M_OK)
            EXPECT_STATUS(context, KD2M_ERROR_MEMORY, status);
        kd2m_tensors_free(tensors);
        assert_int_equal(testing_live(), 0);
        kd2m_context_free(context);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(adds_and_finds),
        cmocka_unit_test(says_what_is_there_instead),
        cmocka_unit_test(keeps_texts),
        cmocka_unit_test(refuses_bad_names_and_shapes),
        cmocka_unit_test(survives_failing_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
