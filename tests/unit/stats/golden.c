/* Golden values: see golden.h; tools/golden_stats.py writes them. */
#include "golden.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "testing.h"

/* The numbers from `text` to the next ':' or the end. */
static size_t numbers(double *out, char **text) {
    size_t count = 0;
    for (;;) {
        char *end;
        double value = strtod(*text, &end);
        if (end == *text)
            break;
        assert_true(count < GOLDEN_NUMBERS);
        out[count++] = value;
        *text = end;
    }
    *text += strspn(*text, " :\n");
    return count;
}

void golden_each(const char *file, const char *name, size_t least,
                 void (*check)(const golden_line *line)) {
    char path[512], text[8192];
    size_t found = 0, length = strlen(name);
    snprintf(path, sizeof path, "%s/golden/stats/%s", KD2M_TEST_SOURCE, file);
    FILE *lines = fopen(path, "r");
    assert_non_null(lines);
    while (fgets(text, sizeof text, lines)) {
        assert_non_null(strchr(text, '\n'));
        if (strncmp(text, name, length) != 0 || strncmp(text + length, " : ", 3) != 0)
            continue;
        golden_line line;
        char *rest = text + length + 3;
        line.ins = numbers(line.in, &rest);
        line.outs = numbers(line.out, &rest);
        check(&line);
        found++;
    }
    fclose(lines);
    assert_true(found >= least);
}

void golden_expect(const golden_line *line, const double *found, size_t count) {
    assert_int_equal(line->outs, count);
    for (size_t i = 0; i < count; i++)
        EXPECT_CLOSE(line->out[i], found[i], 1e-13, 1e-11);
}
