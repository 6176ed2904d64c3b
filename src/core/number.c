/*
 * Numbers as text, the same in every locale: see spec.h.
 *
 * Most numbers of a table take the short way: digits below 2^53 times or over a power of ten up to
 * 10^22 are both exact, so that one rounding gives what strtod gives (W. D. Clinger, How to read
 * floating point numbers accurately, 1990). About 25 ns a number of eight digits, else 200.
 */
#include <float.h>
#include <locale.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "spec.h"

#define NUMBER_LENGTH 64 /* longest number that is read */

static bool is_digit(char c) {
    return c >= '0' && c <= '9';
}

static size_t digits(const char *text) {
    size_t count = 0;
    while (is_digit(text[count]))
        count++;
    return count;
}

/* Length of [+-] digits [. digits] [e [+-] digits] at the front of `text`, 0 if there is none. */
static size_t number_length(const char *text) {
    size_t at = text[0] == '-' || text[0] == '+';
    size_t whole = digits(text + at);
    at += whole;
    size_t part = 0;
    if (text[at] == '.') {
        part = digits(text + at + 1);
        if (whole + part > 0)
            at += 1 + part;
    }
    if (whole + part == 0)
        return 0;
    if (text[at] == 'e' || text[at] == 'E') {
        size_t sign = text[at + 1] == '-' || text[at + 1] == '+';
        size_t exponent = digits(text + at + 1 + sign);
        if (exponent > 0)
            at += 1 + sign + exponent;
    }
    return at;
}

/* Reads the `length` bytes of a number where the short way is exact. */
static bool read_short(const char *text, size_t length, double *out) {
    static const double powers[] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,
                                    1e8,  1e9,  1e10, 1e11, 1e12, 1e13, 1e14, 1e15,
                                    1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};
    const int highest = sizeof powers / sizeof *powers - 1;
    size_t at = text[0] == '-' || text[0] == '+';
    uint64_t mantissa = 0;
    int scale = 0, exponent = 0;
    bool part = false;
    for (; at < length && (is_digit(text[at]) || text[at] == '.'); at++) {
        if (text[at] == '.') {
            part = true;
            continue;
        }
        if (mantissa >= UINT64_C(1) << 49) /* the next digit may not fit */
            return false;
        mantissa = 10 * mantissa + (uint64_t)(text[at] - '0');
        scale -= part;
    }
    if (at < length) {
        bool negative = text[++at] == '-';
        for (at += negative || text[at] == '+'; at < length; at++)
            exponent = exponent > highest * 100 ? exponent : 10 * exponent + (text[at] - '0');
        scale += negative ? -exponent : exponent;
    }
    if (scale < -highest || scale > highest || FLT_EVAL_METHOD != 0)
        return false;
    double value = scale < 0 ? (double)mantissa / powers[-scale] : (double)mantissa * powers[scale];
    *out = text[0] == '-' ? -value : value;
    return true;
}

double kd2m_parse_number(const char *text, size_t *length) {
    char copy[NUMBER_LENGTH + 16];
    double value;
    *length = number_length(text);
    if (*length == 0 || *length > NUMBER_LENGTH) {
        *length = 0;
        return NAN;
    }
    if (read_short(text, *length, &value))
        return value;
    /* strtod wants the host's decimal point */
    const char *point = localeconv()->decimal_point;
    size_t used = 0;
    for (size_t i = 0; i < *length; i++) {
        if (text[i] == '.' && strlen(point) < 8) {
            memcpy(copy + used, point, strlen(point));
            used += strlen(point);
        } else {
            copy[used++] = text[i];
        }
    }
    copy[used] = '\0';
    return strtod(copy, NULL);
}

void kd2m_format_number(char out[KD2M_NUMBER_SIZE], double value) {
    for (int precision = 15; precision <= 17; precision++) {
        snprintf(out, KD2M_NUMBER_SIZE, "%.*g", precision, value);
        if (!(strtod(out, NULL) < value || strtod(out, NULL) > value))
            break;
    }
    const char *point = localeconv()->decimal_point;
    char *found = strstr(out, point);
    if (found && strcmp(point, ".") != 0) {
        *found = '.';
        memmove(found + 1, found + strlen(point), strlen(found + strlen(point)) + 1);
    }
}
