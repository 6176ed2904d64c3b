# Tests of src/ot.
set(problem unit/ot/problem.c)
kd2m_test(ot_scan unit/ot/test_scan.c)
kd2m_test(ot_assignment unit/ot/test_assignment.c ${problem})


kd2m_test(ot_network_simplex unit/ot/test_network_simplex.c ${problem})
kd2m_test(ot_sinkhorn unit/ot/test_sinkhorn.c ${problem})
kd2m_test(ot_line unit/ot/test_line.c)
kd2m_test(ot_gromov unit/ot/test_gromov.c)
