/* Golden values of src/stats: lines 'name : what goes in : what comes out'. */
#ifndef KD2M_TESTS_STATS_GOLDEN_H
#define KD2M_TESTS_STATS_GOLDEN_H

#include <stddef.h>

#define GOLDEN_NUMBERS 512

typedef struct golden_line {
    double in[GOLDEN_NUMBERS], out[GOLDEN_NUMBERS];
    size_t ins, outs;
} golden_line;

/* Calls `check` on every line of tests/golden/stats/FILE that begins with `name`, `least` of them
 * or more. */
void golden_each(const char *file, const char *name, size_t least,
                 void (*check)(const golden_line *line));

/* Fails unless what comes out are these `count` numbers, to 11 digits or 1e-13. */
void golden_expect(const golden_line *line, const double *found, size_t count);

#endif
