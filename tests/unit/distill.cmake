# Tests of src/distill.
kd2m_test(distill_loss unit/distill/test_loss.c)
kd2m_test(distill_bank unit/distill/test_bank.c unit/distill/fixture.c)
kd2m_test(distill_feature_file unit/distill/test_feature_file.c unit/distill/stored.c
          unit/distill/fixture.c)
kd2m_test(distill_stored_teacher unit/distill/test_stored_teacher.c unit/distill/stored.c
          unit/distill/fixture.c)
kd2m_test(distill_teacher_cache unit/distill/test_teacher_cache.c unit/distill/fixture.c)
kd2m_test(distill_unpaired_teacher unit/distill/test_unpaired_teacher.c unit/distill/stored.c
          unit/distill/fixture.c)
kd2m_test(distill_match unit/distill/test_match.c unit/distill/fixture.c)
kd2m_test(distill_objective unit/distill/test_objective.c unit/distill/fixture.c)
kd2m_test(distill_positions unit/distill/test_positions.c)
kd2m_test(distill_run unit/distill/test_run.c unit/distill/fixture.c)
kd2m_test(distill_runs unit/distill/test_runs.c)
kd2m_test(distill_threads unit/distill/test_threads.c unit/distill/fixture.c)
kd2m_test(distill_training unit/distill/test_training.c)
kd2m_test(distill_transformed_run unit/distill/test_transformed_run.c)
kd2m_test(distill_columns unit/distill/test_columns.c)
