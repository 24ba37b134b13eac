/* docs/operations.md is the table of all operations, made from their descriptions: `test_docs --write` makes
 * it, without an argument the file must be what would be written. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/file.h"
#include "ops/op.h"

#define PATH VKP_TEST_SOURCE_DIR "/../docs/operations.md"

static const char head[] =
    "# Operations\n\n"
    "Made by `build/tests/test_docs --write` from the descriptions in engine/ops; do not edit it by hand.\n\n"
    "Tensors are (n,c,h,w). *Gradient by*: the inputs that a backward pass gives gradients for.\n\n"
    "| operation | what it computes | reads | writes | gradient by |\n"
    "|---|---|---|---|---|\n";

static void print_places(FILE *to, const vkp_place *places, size_t count, bool differentiable)
{
    const char *separator = " ";
    for (size_t i = 0; i < count; i++) {
        const vkp_role role = places[i].role;
        if (role == VKP_NONE || (differentiable && role != VKP_ACTIVATION && role != VKP_PARAMETER)) continue;
        fprintf(to, "%s%s", separator, places[i].name);
        separator = ", ";
    }
    fputs(" |", to);
}

static void print_table(FILE *to)
{
    fputs(head, to);
    for (size_t i = 0; i < vkp_op_count; i++) {
        const vkp_op *op = vkp_ops[i];
        fprintf(to, "| %s | %s |", op->name, op->summary);
        print_places(to, op->in, VKP_MAX_IN, false);
        print_places(to, op->out, VKP_MAX_OUT, false);
        if (op->backward)
            print_places(to, op->in, VKP_MAX_IN, true);
        else
            fputs(" none |", to);
        fputc('\n', to);
    }
}

static void the_table_is_up_to_date(void **state)
{
    (void)state;
    char *want = NULL;
    size_t want_size = 0, have_size = 0;
    void *have = NULL;
    FILE *memory = open_memstream(&want, &want_size);
    assert_non_null(memory);
    print_table(memory);
    assert_int_equal(fclose(memory), 0);
    if (vkp_file_read(PATH, 1 << 20, &have, &have_size) != VKP_OK) fail_msg("%s", vkp_error());
    if (have_size != want_size || memcmp(have, want, want_size) != 0)
        fail_msg("docs/operations.md is not what the operations say (run build/tests/test_docs --write)");
    free(have);
    free(want);
}

int main(int argc, char **argv)
{
    if (argc > 1 && strcmp(argv[1], "--write") == 0) {
        FILE *file = fopen(PATH, "w");
        if (!file) return 1;
        print_table(file);
        return fclose(file) == 0 ? 0 : 1;
    }
    const struct CMUnitTest tests[] = {cmocka_unit_test(the_table_is_up_to_date)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
