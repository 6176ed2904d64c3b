# Tests of the whole: the command, the installed library.
