# Fuzz targets: fuzz/fuzz_<name>.c with a corpus in fuzz/corpus/<name>. With KD2M_FUZZ (clang) each
# is a libFuzzer program that runs for KD2M_FUZZ_SECONDS from its corpus; in every other build the
# same target replays its corpus as a regression test.
set(KD2M_FUZZ_SECONDS 10 CACHE STRING "Seconds that each fuzz target runs for in the tests")

add_custom_target(fuzzers) # all of them

function(kd2m_fuzz name)
    set(corpus ${CMAKE_CURRENT_SOURCE_DIR}/fuzz/corpus/${name})
    add_executable(fuzz_${name} fuzz/fuzz_${name}.c)
    target_link_libraries(fuzz_${name} PRIVATE kd2m_internal kd2m_host)
    target_include_directories(fuzz_${name} PRIVATE fuzz)
    if(KD2M_FUZZ)
        target_link_options(fuzz_${name} PRIVATE -fsanitize=fuzzer)
        set(found ${CMAKE_BINARY_DIR}/fuzz/${name})
        file(MAKE_DIRECTORY ${found})
        add_test(NAME fuzz_${name} WORKING_DIRECTORY ${found}
                 COMMAND fuzz_${name} -max_total_time=${KD2M_FUZZ_SECONDS} -timeout=10
                         -rss_limit_mb=2048 -max_len=65536 -print_final_stats=1 ${found} ${corpus})
    else()
        target_sources(fuzz_${name} PRIVATE fuzz/replay.c)
        add_test(NAME fuzz_${name} COMMAND fuzz_${name} ${corpus})
    endif()
    add_dependencies(fuzzers fuzz_${name})
    set_tests_properties(fuzz_${name} PROPERTIES ENVIRONMENT "${KD2M_TEST_ENVIRONMENT}")
endfunction()

kd2m_fuzz(spec)
kd2m_fuzz(number_list)
kd2m_fuzz(npy)
kd2m_fuzz(chain)
kd2m_fuzz(idx)
kd2m_fuzz(cifar)
kd2m_fuzz(csv)
if(KD2M_NN)
    kd2m_fuzz(loss)
    kd2m_fuzz(safetensors)
    kd2m_fuzz(features)
endif()
