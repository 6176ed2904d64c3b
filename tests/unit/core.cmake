# Tests of src/core.
foreach(subject context memory parallel rng)
    kd2m_test(core_${subject} unit/core/test_${subject}.c)
endforeach()
