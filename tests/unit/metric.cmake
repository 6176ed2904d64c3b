# Tests of src/metric.
add_library(kd2m_metric_testing STATIC unit/metric/problem.c unit/metric/reference.c
            unit/metric/reference_gaussian.c unit/metric/reference_full.c unit/metric/reference_kernel.c
            unit/metric/reference_paired.c unit/metric/reference_transport.c)
target_link_libraries(kd2m_metric_testing PUBLIC kd2m_testing)
target_include_directories(kd2m_metric_testing PUBLIC unit/metric)
foreach(subject spec reference golden traits edges cond joint entropic draws memory threads parts bias large)
    kd2m_test(metric_${subject} unit/metric/test_${subject}.c)
    target_link_libraries(test_metric_${subject} PRIVATE kd2m_metric_testing)
endforeach()
