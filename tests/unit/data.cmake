# Tests of src/data.
kd2m_test(data_npy unit/data/test_npy.c)
kd2m_test(data_loader unit/data/test_loader.c unit/data/fixture.c)
