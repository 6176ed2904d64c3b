# Fuzz targets: fuzz/fuzz_<reader>.c with a corpus in fuzz/corpus/<reader>.
