# Tests of src/study.
kd2m_test(study_plan unit/study/test_plan.c unit/study/plans.c)
kd2m_test(study_store unit/study/test_store.c unit/study/plans.c)
kd2m_test(study_stages unit/study/test_stages.c unit/study/plans.c)
kd2m_test(study_run unit/study/test_run.c unit/study/plans.c)
kd2m_test(study_figures unit/study/test_figures.c unit/study/made_study.c unit/study/plans.c)
kd2m_test(study_answers unit/study/test_answers.c unit/study/made_study.c unit/study/plans.c)
