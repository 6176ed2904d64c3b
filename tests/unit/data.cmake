# Tests of src/data.
kd2m_test(data_npy unit/data/test_npy.c)
kd2m_test(data_loader unit/data/test_loader.c unit/data/fixture.c)
kd2m_test(data_bearing unit/data/test_bearing.c)
kd2m_test(data_dataset unit/data/test_dataset.c unit/data/fixture.c)
kd2m_test(data_idx unit/data/test_idx.c)
kd2m_test(data_real_data unit/data/test_real_data.c)
kd2m_test(data_signal_transforms unit/data/test_signal_transforms.c)
kd2m_test(data_transform unit/data/test_transform.c)
