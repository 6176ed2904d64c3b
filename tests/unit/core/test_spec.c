/* The spec grammar: what is read, where it ends, what is refused and where, round trips. */
#include "testing.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "memory.h"
#include "rng.h"
#include "spec.h"

static kd2m_context *context;

/* A spec with all its borders shown: name{inner}<key=value><bare>. */
static size_t show(char *out, size_t size, const kd2m_spec *spec) {
    size_t used = (size_t)snprintf(out, size, "%s", spec->name);
    if (spec->inner) {
        used += (size_t)snprintf(out + used, size - used, "{");
        used += show(out + used, size - used, spec->inner);
        used += (size_t)snprintf(out + used, size - used, "}");
    }
    for (size_t i = 0; i < spec->item_count; i++)
        used += (size_t)snprintf(out + used, size - used, "<%s%s%s>",
                                 spec->items[i].key ? spec->items[i].key : "",
                                 spec->items[i].key ? "=" : "", spec->items[i].value);
    assert_true(used < size);
    return used;
}

static void whole_texts_are_read(void **state) {
    static const struct {
        const char *text, *shown;
    } cases[] = {
        {"ce", "ce"},
        {"  ce \n", "ce"},
        {"kd:T=4", "kd<T=4>"},
        {"kd : T = 4 ", "kd<T=4>"},
        {"cond(w2)", "cond{w2}"},
        {"cond( w2 : p = 2 ) : k = 1 , j = 2", "cond{w2<p=2>}<k=1><j=2>"},
        {"a(b(c:x=1):y=2):z=3", "a{b{c<x=1>}<y=2>}<z=3>"},
        {"mlp:784-512-256-10,width=2", "mlp<784-512-256-10><width=2>"},
        {"idx:/data/mnist", "idx</data/mnist>"},
        {"idx:/odd + name@home/(1)*~", "idx</odd + name@home/(1)*~>"},
        {"npy:train=X.npy;Y.npy,test=a b.npy;c.npy", "npy<train=X.npy;Y.npy><test=a b.npy;c.npy>"},
        {"npy:X.npy;a=b.npy", "npy<X.npy;a=b.npy>"},
        {"x:k=a=b", "x<k=a=b>"},
        {"x:k=a:b", "x<k=a:b>"},
        {"x:1,2,3", "x<1><2><3>"},
        {"x:\"a,b\",k=\"c)=\"", "x<a,b><k=c)=>"},
        {"x:\"\"", "x<>"},
        {"x:k=\"\"", "x<k=>"},
        {"\"odd name, really\":k=v", "odd name, really<k=v>"},
        {"bearing:load=1e+3,speed=-.5", "bearing<load=1e+3><speed=-.5>"},
        {"gauss-w2", "gauss-w2"},
        {"a(b):k=x)y", "a{b}<k=x)y>"},
        {"f(idx:/a b)", "f{idx</a b>}"},
    };
    (void)state;
    for (size_t c = 0; c < sizeof cases / sizeof *cases; c++) {
        kd2m_spec *spec = NULL;
        char shown[200];
        EXPECT_OK(context, kd2m_spec_parse(&spec, context, cases[c].text));
        show(shown, sizeof shown, spec);
        assert_string_equal(cases[c].shown, shown);
        kd2m_spec_free(context, spec);
    }
}

/* Inside an expression a spec ends where it can't go on; what follows is another's. */
static void embedded_specs_end_in_time(void **state) {
    static const struct {
        const char *text;
        size_t position;
        const char *shown, *rest;
    } cases[] = {
        {"ce", 0, "ce", ""},
        {"1*ce + 2*w2", 2, "ce", " + 2*w2"},
        {"ce+w2", 0, "ce", "+w2"},
        {"kd:T=4 + ce", 0, "kd<T=4>", " + ce"},
        {"kd:T=4+1*ce", 0, "kd<T=4>", "+1*ce"},
        {"kd:T=1e+3 + x", 0, "kd<T=1e+3>", " + x"},
        {"kd:T=1e+3+x", 0, "kd<T=1e+3>", "+x"},
        {"kd:T=1e3+4", 0, "kd<T=1e3>", "+4"},
        {"kd:T=+4+x", 0, "kd<T=+4>", "+x"},
        {"kd:T=1e+x", 0, "kd<T=1e>", "+x"},
        {"w2@features/positions", 0, "w2", "@features/positions"},
        {"w2:p=2@features", 0, "w2<p=2>", "@features"},
        {"w2~other", 0, "w2", "~other"},
        {"w2:p=2~other", 0, "w2<p=2>", "~other"},
        {"cond(w2)@a", 0, "cond{w2}", "@a"},
        {"cond(mmd:kernel=rbf,bandwidth=1.5e+1):k=2@a", 0,
         "cond{mmd<kernel=rbf><bandwidth=1.5e+1>}<k=2>", "@a"},
        {"m:a=1 , b=2 + c", 0, "m<a=1><b=2>", " + c"},
        {"m:k=\"a + b\"+c", 0, "m<k=a + b>", "+c"},
        {"\"a+b\"+c", 0, "a+b", "+c"},
        {"  a  b", 0, "a", "  b"},
    };
    (void)state;
    for (size_t c = 0; c < sizeof cases / sizeof *cases; c++) {
        kd2m_spec *spec = NULL;
        char shown[200];
        size_t position = cases[c].position;
        EXPECT_OK(context, kd2m_spec_parse_embedded(&spec, context, cases[c].text, &position));
        show(shown, sizeof shown, spec);
        assert_string_equal(cases[c].shown, shown);
        assert_string_equal(cases[c].rest, cases[c].text + position);
        kd2m_spec_free(context, spec);
    }
}

static void positions_are_kept(void **state) {
    kd2m_spec *spec = NULL;
    (void)state;
    EXPECT_OK(context, kd2m_spec_parse(&spec, context, " cond( w2:p=2 ): k=1, v"));
    assert_int_equal(1, spec->position);
    assert_int_equal(7, spec->inner->position);
    assert_int_equal(10, spec->inner->items[0].position);
    assert_int_equal(17, spec->items[0].position);
    assert_int_equal(22, spec->items[1].position);
    kd2m_spec_free(context, spec);
    kd2m_spec_free(context, NULL);
}

/* The '^' of the message, as an offset into the line above it. */
static size_t pointed_at(void) {
    const char *message = kd2m_context_message(context);
    const char *line = strrchr(message, '\n');
    assert_non_null(line);
    assert_int_equal('^', line[strlen(line) - 1]);
    return strlen(line) - 4; /* newline, two blanks, '^' */
}

static void bad_texts_are_refused_in_place(void **state) {
    static const struct {
        const char *text;
        size_t position; /* from 0 */
        const char *message;
    } cases[] = {
        {"", 0, "a name is missing"},
        {"   ", 3, "a name is missing"},
        {":a=1", 0, "a name is missing"},
        {"(a)", 0, "a name is missing"},
        {"a()", 2, "a name is missing"},
        {"a(b", 3, "')' is expected (for the '(' at position 2)"},
        {"a(b c)", 4, "')' is expected"},
        {"a)", 1, "the end is expected"},
        {"a b", 2, "the end is expected"},
        {"a+b", 1, "the end is expected"},
        {"a(b)c", 4, "the end is expected"},
        {"a:", 2, "a value is missing"},
        {"a:k=", 4, "a value is missing"},
        {"a:k=1,", 6, "a value is missing"},
        {"a:,k=1", 2, "a value is missing"},
        {"a:k=1,,j=2", 6, "a value is missing"},
        {"a(b:k=)", 6, "a value is missing"},
        {"a:k=1,k=2", 6, "'k' is given twice"},
        {"a:a-b_c=1,a_b-c=2", 10, "'a_b-c' is given twice"},
        {"a:k=1,j=2,k=1", 10, "'k' is given twice"},
        {"\"a", 0, "the quote is not closed"},
        {"a:k=\"b", 4, "the quote is not closed"},
        {"a:k=\"b\"c", 7, "the end is expected"},
        {"a:k=b\"c\"", 5, "the end is expected"},
    };
    (void)state;
    for (size_t c = 0; c < sizeof cases / sizeof *cases; c++) {
        kd2m_spec *spec = (kd2m_spec *)&spec;
        char place[40];
        EXPECT_STATUS(context, KD2M_ERROR_USAGE, kd2m_spec_parse(&spec, context, cases[c].text));
        assert_null(spec);
        EXPECT_MESSAGE(context, cases[c].message);
        snprintf(place, sizeof place, "at position %zu\n", cases[c].position + 1);
        EXPECT_MESSAGE(context, place);
        assert_int_equal(cases[c].position, pointed_at());
    }
}

/* In a long text a part is shown, and the pointer still stands below the place. */
static void errors_in_long_texts_show_the_place(void **state) {
    char text[501];
    kd2m_spec *spec = NULL;
    (void)state;
    memset(text, 'a', 500);
    text[500] = '\0';
    text[300] = '!';
    text[301] = ')';
    EXPECT_STATUS(context, KD2M_ERROR_USAGE, kd2m_spec_parse(&spec, context, text));
    EXPECT_MESSAGE(context, "at position 302\n");
    const char *shown = strchr(kd2m_context_message(context), '\n') + 3;
    assert_int_equal(')', shown[pointed_at()]);
    assert_int_equal('!', shown[pointed_at() - 1]);
    assert_true(strlen(kd2m_context_message(context)) < 200);

    EXPECT_STATUS(context, KD2M_ERROR_USAGE,
                  kd2m_spec_fail(context, "short", 5000, "beyond %s", "the end"));
    EXPECT_MESSAGE(context, "beyond the end at position 6\n");
    assert_int_equal(5, pointed_at());
}

/* 'a(a(a' with `depth` names; owned. */
static char *nest(size_t depth, bool closed) {
    char *text = NULL;
    EXPECT_OK(context, kd2m_alloc(context, (void **)&text, 3 * depth + 1, 1));
    for (size_t i = 0; i < depth; i++)
        strcat(text + (i > 0 ? 2 * i - 2 : 0), i > 0 ? "(a" : "a");
    for (size_t i = 1; closed && i < depth; i++)
        strcat(text + 2 * depth - 1, ")");
    return text;
}

static void nesting_is_limited(void **state) {
    static const size_t refused[] = {17, 18, 100, 10000};
    kd2m_spec *spec = NULL;
    char *text = nest(16, true);
    (void)state;
    EXPECT_OK(context, kd2m_spec_parse(&spec, context, text));
    size_t depth = 0;
    for (const kd2m_spec *at = spec; at; at = at->inner)
        depth++;
    assert_int_equal(16, depth);
    kd2m_spec_free(context, spec);
    kd2m_free(context, text);
    for (size_t c = 0; c < 2 * sizeof refused / sizeof *refused; c++) {
        size_t position = 0;
        text = nest(refused[c / 2], c % 2);
        EXPECT_STATUS(context, KD2M_ERROR_USAGE, kd2m_spec_parse(&spec, context, text));
        EXPECT_MESSAGE(context, "nested deeper than 16 at position 33\n");
        assert_null(spec);
        EXPECT_STATUS(context, KD2M_ERROR_USAGE,
                      kd2m_spec_parse_embedded(&spec, context, text, &position));
        assert_int_equal(0, position);
        assert_null(spec);
        kd2m_free(context, text);
    }
}

/* Depth counts what is open, not what was. */
static void siblings_do_not_nest(void **state) {
    const char *text = "a(b(c))+a(b(c))+a";
    size_t position = 0;
    (void)state;
    for (int i = 0; i < 3; i++) {
        kd2m_spec *spec = NULL;
        EXPECT_OK(context, kd2m_spec_parse_embedded(&spec, context, text, &position));
        position++;
        kd2m_spec_free(context, spec);
    }
}

static void length_is_limited(void **state) {
    static char text[KD2M_SPEC_LENGTH + 2];
    kd2m_spec *spec = NULL;
    (void)state;
    memset(text, 'a', KD2M_SPEC_LENGTH);
    EXPECT_OK(context, kd2m_spec_parse(&spec, context, text));
    assert_int_equal(KD2M_SPEC_LENGTH, strlen(spec->name));
    kd2m_spec_free(context, spec);
    text[KD2M_SPEC_LENGTH] = 'a';
    EXPECT_STATUS(context, KD2M_ERROR_USAGE, kd2m_spec_parse(&spec, context, text));
    EXPECT_MESSAGE(context, "65536");
    assert_null(spec);
}

static void the_number_of_items_is_limited(void **state) {
    char text[2000] = "a:0";
    kd2m_spec *spec = NULL;
    (void)state;
    for (int i = 1; i < 256; i++)
        strcat(text, ",0");
    EXPECT_OK(context, kd2m_spec_parse(&spec, context, text));
    assert_int_equal(256, spec->item_count);
    kd2m_spec_free(context, spec);
    strcat(text, ",0");
    EXPECT_STATUS(context, KD2M_ERROR_USAGE, kd2m_spec_parse(&spec, context, text));
    EXPECT_MESSAGE(context, "more than 256 values");
}

static void specs_are_written_plainly(void **state) {
    static const struct {
        const char *text, *written;
    } cases[] = {
        {" cond( w2 : p = 2 ) : k = 1 ", "cond(w2:p=2):k=1"},
        {"\"w2\":\"k\",j=\"4\"", "w2:k,j=4"},
        {"kd:T=1e+3", "kd:T=1e+3"},
        {"kd:T=\"1e+3x\"", "kd:T=\"1e+3x\""},
        {"x:\"\",k=\"\"", "x:\"\",k=\"\""},
        {"x:\"k=v\"", "x:\"k=v\""},
        {"x:k=a b", "x:k=\"a b\""},
        {"\"1e+3\"", "\"1e+3\""},
        {"\"a b\"(\"c,d\")", "\"a b\"(\"c,d\")"},
    };
    (void)state;
    for (size_t c = 0; c < sizeof cases / sizeof *cases; c++) {
        kd2m_spec *spec = NULL;
        char *written = NULL;
        EXPECT_OK(context, kd2m_spec_parse(&spec, context, cases[c].text));
        EXPECT_OK(context, kd2m_spec_text(context, &written, spec));
        assert_string_equal(cases[c].written, written);
        kd2m_text_free(context, written);
        kd2m_spec_free(context, spec);
    }
}

/* What is written reads back the same, alone and inside an expression. */
static void expect_round_trip(const kd2m_spec *spec, const char *origin) {
    char shown[400], again[400];
    char *written = NULL;
    kd2m_spec *back = NULL;
    size_t position = 0;
    show(shown, sizeof shown, spec);
    EXPECT_OK(context, kd2m_spec_text(context, &written, spec));
    for (int embedded = 0; embedded < 2; embedded++) {
        kd2m_status status = embedded ? kd2m_spec_parse_embedded(&back, context, written, &position)
                                      : kd2m_spec_parse(&back, context, written);
        if (status != KD2M_OK)
            fail_msg("'%s' was written as '%s': %s", origin, written,
                     kd2m_context_message(context));
        show(again, sizeof again, back);
        if (strcmp(shown, again) != 0)
            fail_msg("'%s' was written as '%s' and became %s", origin, written, again);
        kd2m_spec_free(context, back);
    }
    assert_int_equal(strlen(written), position);
    kd2m_text_free(context, written);
}

/* Random texts from the grammar's signs: most are refused, the others make the round trip. */
static void random_texts_make_the_round_trip(void **state) {
    static const char *const signs[] = {"a", "b", "k=", "1", "e+", ".",  "-", "+", ":", ":",
                                        ",", ",", "=",  "(", ")",  "\"", " ", "@", "*", "/"};
    kd2m_rng rng;
    int accepted = 0;
    (void)state;
    kd2m_rng_init(&rng, 1, KD2M_STREAM_TEST, 0);
    for (int i = 0; i < 200000; i++) {
        char text[64] = "a";
        kd2m_spec *spec = NULL;
        size_t length = (size_t)kd2m_rng_below(&rng, 16), position = 0;
        if (kd2m_rng_below(&rng, 2))
            text[0] = '\0';
        for (size_t s = 0; s < length; s++)
            strcat(text, signs[kd2m_rng_below(&rng, sizeof signs / sizeof *signs)]);
        if (kd2m_spec_parse(&spec, context, text) == KD2M_OK) {
            accepted++;
            expect_round_trip(spec, text);
            kd2m_spec_free(context, spec);
        } else {
            assert_null(spec);
        }
        if (kd2m_spec_parse_embedded(&spec, context, text, &position) == KD2M_OK) {
            assert_in_range(position, 1, strlen(text));
            expect_round_trip(spec, text);
            kd2m_spec_free(context, spec);
        } else {
            assert_null(spec);
        }
    }
    assert_in_range(accepted, 5000, 200000);
}

#define THING_SETTINGS(X)                                                                          \
    X(TEXT, folder, NULL, 0, 0, "DIR", "where it is")                                              \
    X(REAL, speed, "1", 0, 10, "V", "how fast")                                                    \
    X(INTEGER, max_count, "3", 1, 9, "N", "how many")

typedef struct thing {
    THING_SETTINGS(KD2M_SETTINGS_FIELD)
} thing;

#define ROW(...) KD2M_SETTINGS_ROW(thing, __VA_ARGS__)
static const kd2m_setting rows[] = {THING_SETTINGS(ROW)};
static const kd2m_setting_list list = {rows, sizeof rows / sizeof *rows};

static void items_become_settings(void **state) {
    kd2m_spec *spec = NULL;
    thing made;
    (void)state;
    kd2m_settings_default(&list, &made);
    EXPECT_OK(context, kd2m_spec_parse(&spec, context, "x:/a/b,speed=2.5,max-count=4"));
    EXPECT_OK(context, kd2m_spec_settings(context, spec, "folder", &list, &made));
    assert_string_equal("/a/b", made.folder);
    EXPECT_CLOSE(2.5, made.speed, 0, 0);
    assert_int_equal(4, made.max_count);
    kd2m_spec_free(context, spec);

    kd2m_settings_default(&list, &made);
    EXPECT_OK(context, kd2m_spec_parse(&spec, context, "x"));
    EXPECT_OK(context, kd2m_spec_settings(context, spec, NULL, &list, &made));
    assert_null(made.folder);
    kd2m_spec_free(context, spec);
}

static void bad_items_are_refused(void **state) {
    static const struct {
        const char *text, *bare, *message;
    } cases[] = {
        {"x:/a", NULL, "x: '/a' at position 3 needs a key: 'key=/a'"},
        {"x:/a,/b", "folder", "x: '/b' at position 6 needs a key"},
        {"x:speed=2,/b", "folder", "x: '/b' at position 11 needs a key"},
        {"x:speed=11", NULL, "x, position 3: speed takes a number from 0 to 10, not '11'"},
        {"x:/a, sped=1", "folder", "x, position 7: no setting 'sped'; did you mean 'speed'?"},
        {"x:fast=1", NULL, "x, position 3: no setting 'fast'"},
        {"x:/a,folder=/b", "folder", "x: 'folder' at position 6 is given twice"},
    };
    (void)state;
    for (size_t c = 0; c < sizeof cases / sizeof *cases; c++) {
        kd2m_spec *spec = NULL;
        thing made;
        kd2m_settings_default(&list, &made);
        EXPECT_OK(context, kd2m_spec_parse(&spec, context, cases[c].text));
        EXPECT_STATUS(context, KD2M_ERROR_USAGE,
                      kd2m_spec_settings(context, spec, cases[c].bare, &list, &made));
        EXPECT_MESSAGE(context, cases[c].message);
        kd2m_spec_free(context, spec);
    }
}

static void the_nearest_name_is_found(void **state) {
    static const char *const names[] = {"w2", "gauss-w2", "kernel", "bandwidth", "mse"};
    static const struct {
        const char *given, *nearest;
    } cases[] = {
        {"w2", "w2"},
        {"w3", "w2"},
        {"gaus-w2", "gauss-w2"},
        {"gauss_w2", "gauss-w2"},
        {"kernle", "kernel"},
        {"bandwith", "bandwidth"},
        {"sme", "mse"},
        {"xyzxyz", NULL},
        {"", NULL},
        {"bandwidth and kernel", NULL},
    };
    char longest[5000];
    (void)state;
    for (size_t c = 0; c < sizeof cases / sizeof *cases; c++) {
        const char *nearest = kd2m_nearest_name(cases[c].given, names, 5);
        if (cases[c].nearest)
            assert_string_equal(cases[c].nearest, nearest);
        else
            assert_null(nearest);
    }
    assert_null(kd2m_nearest_name("w2", names, 0));
    memset(longest, 'w', sizeof longest);
    longest[sizeof longest - 1] = '\0';
    assert_null(kd2m_nearest_name(longest, names, 5));
    const char *const with_longest[] = {longest, "w2"};
    assert_string_equal("w2", kd2m_nearest_name("w", with_longest, 2));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(whole_texts_are_read),
        cmocka_unit_test(embedded_specs_end_in_time),
        cmocka_unit_test(positions_are_kept),
        cmocka_unit_test(bad_texts_are_refused_in_place),
        cmocka_unit_test(errors_in_long_texts_show_the_place),
        cmocka_unit_test(nesting_is_limited),
        cmocka_unit_test(siblings_do_not_nest),
        cmocka_unit_test(length_is_limited),
        cmocka_unit_test(the_number_of_items_is_limited),
        cmocka_unit_test(specs_are_written_plainly),
        cmocka_unit_test(random_texts_make_the_round_trip),
        cmocka_unit_test(items_become_settings),
        cmocka_unit_test(bad_items_are_refused),
        cmocka_unit_test(the_nearest_name_is_found),
    };
    context = testing_context(1);
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    kd2m_context_free(context);
    return failed;
}
