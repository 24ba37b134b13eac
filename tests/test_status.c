#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/status.h"

static void text_is_one_line(void **state)
{
    (void)state;
    assert_int_equal(vkp_fail(VKP_IO, "cannot read %s (no such file; check)", "a\nb\tc"), VKP_IO);
    assert_string_equal(vkp_error(), "cannot read a?b?c (no such file; check)");
}

static void long_texts_keep_their_ends(void **state)
{
    (void)state;
    char path[5000];
    memset(path, 'p', sizeof path);
    path[sizeof path - 1] = 0;
    assert_int_equal(vkp_fail(VKP_IO, "cannot read %s (no such file; check)", path), VKP_IO);
    const char *text = vkp_error();
    assert_int_equal(strlen(text), 1003);
    assert_memory_equal(text, "cannot read ppp", 15);
    assert_non_null(strstr(text, "p...p"));
    assert_non_null(strstr(text, "ppp (no such file; check)"));
}

static void text_may_quote_the_text_before(void **state)
{
    (void)state;
    assert_int_equal(vkp_fail(VKP_IO, "inner"), VKP_IO);
    assert_int_equal(vkp_fail(VKP_FORMAT, "outer: %s", vkp_error()), VKP_FORMAT);
    assert_string_equal(vkp_error(), "outer: inner");
}

static void codes_have_names(void **state)
{
    (void)state;
    assert_string_equal(vkp_status_name(VKP_OK), "OK");
    assert_string_equal(vkp_status_name(VKP_INTERNAL), "INTERNAL");
    assert_string_equal(vkp_status_name((vkp_status)99), "unknown");
    assert_true(strlen(vkp_status_meaning(VKP_DEVICE_LOST)) > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(text_is_one_line),
        cmocka_unit_test(long_texts_keep_their_ends),
        cmocka_unit_test(text_may_quote_the_text_before),
        cmocka_unit_test(codes_have_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
