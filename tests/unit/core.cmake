# Tests of src/core.
foreach(subject context digest failing_memory json memory normalisation number number_list parallel profile progress
                rng settings source spec table writer)
    kd2m_test(core_${subject} unit/core/test_${subject}.c)
endforeach()
