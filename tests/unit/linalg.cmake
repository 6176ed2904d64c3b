# Tests of src/linalg.
