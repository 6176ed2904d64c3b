# Tests of src/nn.
