# Tests of src/distill.
