# Tests of src/nn. `pair` sets a net beside the float64 `reference`.
set(nn_pair unit/nn/pair.c unit/nn/reference.c)
kd2m_test(nn_operators unit/nn/test_operators.c ${nn_pair})
# other processors, other layouts
add_test(NAME nn_operators_avx2 COMMAND test_nn_operators)
set_tests_properties(nn_operators_avx2 PROPERTIES TIMEOUT 300
                     ENVIRONMENT "${KD2M_TEST_ENVIRONMENT};ONEDNN_MAX_CPU_ISA=AVX2")
kd2m_test(nn_batch_last unit/nn/test_batch_last.c ${nn_pair})
add_test(NAME nn_batch_last_avx2 COMMAND test_nn_batch_last)
set_tests_properties(nn_batch_last_avx2 PROPERTIES TIMEOUT 300
                     ENVIRONMENT "${KD2M_TEST_ENVIRONMENT};ONEDNN_MAX_CPU_ISA=AVX2")
kd2m_test(nn_net unit/nn/test_net.c ${nn_pair})
kd2m_test(nn_merge unit/nn/test_merge.c ${nn_pair})
add_test(NAME nn_merge_avx2 COMMAND test_nn_merge)
set_tests_properties(nn_merge_avx2 PROPERTIES TIMEOUT 300
                     ENVIRONMENT "${KD2M_TEST_ENVIRONMENT};ONEDNN_MAX_CPU_ISA=AVX2")
kd2m_test(nn_parameters unit/nn/test_parameters.c ${nn_pair})
kd2m_test(nn_refusals unit/nn/test_refusals.c ${nn_pair})
kd2m_test(nn_profile unit/nn/test_profile.c ${nn_pair})
kd2m_test(nn_golden unit/nn/test_golden.c unit/nn/golden.c ${nn_pair})
kd2m_test(nn_golden_resnet unit/nn/test_golden_resnet.c unit/nn/golden.c)
kd2m_test(nn_memory unit/nn/test_memory.c ${nn_pair})
if(NOT KD2M_SANITIZE)
    target_compile_definitions(test_nn_memory PRIVATE COUNT_ALIGNED)
endif()

kd2m_test(nn_optimizer unit/nn/test_optimizer.c)
kd2m_test(nn_zoo unit/nn/test_zoo.c)
kd2m_test(nn_predictor unit/nn/test_predictor.c)
