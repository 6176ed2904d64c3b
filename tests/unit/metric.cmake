# Tests of src/metric.
