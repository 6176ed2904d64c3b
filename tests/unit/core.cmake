# Tests of src/core.
foreach(subject context memory number parallel progress rng settings source spec writer)
    kd2m_test(core_${subject} unit/core/test_${subject}.c)
endforeach()
