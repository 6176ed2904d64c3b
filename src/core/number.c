/* Numbers as text, the same in every locale: see spec.h. */
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

double kd2m_parse_number(const char *text, size_t *length) {
    char copy[NUMBER_LENGTH + 16];
    *length = number_length(text);
    if (*length == 0 || *length > NUMBER_LENGTH) {
        *length = 0;
        return NAN;
    }
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
