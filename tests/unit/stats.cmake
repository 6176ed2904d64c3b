# Tests of src/stats.
set(golden unit/stats/golden.c)
kd2m_test(stats_distributions unit/stats/test_distributions.c ${golden})
kd2m_test(stats_means unit/stats/test_means.c ${golden})
kd2m_test(stats_counts unit/stats/test_counts.c ${golden})
kd2m_test(stats_resampling unit/stats/test_resampling.c ${golden})
kd2m_test(stats_scores unit/stats/test_scores.c ${golden})
