# Tests of src/linalg.
kd2m_test(linalg_gemm unit/linalg/test_gemm.c)
kd2m_test(linalg_rows unit/linalg/test_rows.c)
kd2m_test(linalg_exponential unit/linalg/test_exponential.c)
kd2m_test(linalg_factor unit/linalg/test_factor.c)
kd2m_test(linalg_polar unit/linalg/test_polar.c)
