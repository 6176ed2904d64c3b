# Tests of the whole: the command, the installed library.
function(kd2m_script_test name)
    add_test(NAME e2e_${name} COMMAND ${CMAKE_CURRENT_SOURCE_DIR}/e2e/${name}.sh
             $<TARGET_FILE:kd2m_command> ${ARGN})
    set_tests_properties(e2e_${name} PROPERTIES SKIP_RETURN_CODE 77 TIMEOUT 300
                         ENVIRONMENT "${KD2M_TEST_ENVIRONMENT}")
endfunction()

kd2m_script_test(metrics_doc ${CMAKE_SOURCE_DIR}/docs/metrics.md)
if(KD2M_NN)
    kd2m_script_test(resume)
    kd2m_script_test(profile)
    kd2m_script_test(threads)
    kd2m_script_test(study)
    kd2m_script_test(bad_input)
    kd2m_script_test(full_disk)
    kd2m_script_test(stored_teacher ${CMAKE_SOURCE_DIR}/docs/teachers-from-files.md)
    if(NOT KD2M_SANITIZE)
        kd2m_script_test(guide ${CMAKE_SOURCE_DIR} ${KD2M_TEST_DATA}/cwru_bearing)
        kd2m_script_test(install ${CMAKE_BINARY_DIR} ${CMAKE_SOURCE_DIR} ${CMAKE_C_COMPILER})
    endif()
    kd2m_script_test(mnist ${KD2M_TEST_DATA}/mnist ${KD2M_TEST_DATA}/usps)
endif()
