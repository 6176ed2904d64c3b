# Tests of src/model.
kd2m_test(model_graph unit/model/test_graph.c)
kd2m_test(model_tensors unit/model/test_tensors.c)
kd2m_test(model_safetensors unit/model/test_safetensors.c)
kd2m_test(model_file unit/model/test_model_file.c)
