/* The queue with a worker that does what the tests say: order, progress, second thoughts, limits, and that
 * everything is gone when nobody wants it any more. Also the archive of its results. */
#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
#include <zip.h>

#include "base/clock.h"
#include "serve/archive.h"
#include "serve/queue.h"

/* A worker that stops at the gate in its second stage until it is opened that many times. */
typedef struct gate {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    int passes, waiting;
    char order[256]; /* the names as they were begun */
    bool wanted;     /* what vkp_queue_stage said latest */
} gate;

static gate g;

static void open_gate(int passes)
{
    pthread_mutex_lock(&g.lock);
    g.passes += passes;
    pthread_cond_broadcast(&g.changed);
    pthread_mutex_unlock(&g.lock);
}

static void pass_gate(const char *name)
{
    pthread_mutex_lock(&g.lock);
    strcat(strcat(g.order, name), " ");
    g.waiting++;
    while (!g.passes) pthread_cond_wait(&g.changed, &g.lock);
    g.passes--;
    g.waiting--;
    pthread_mutex_unlock(&g.lock);
}

/* The "result" is the original's bytes with the strength after them. */
static vkp_status work(void *user, const vkp_task *task, vkp_coloured *coloured)
{
    (void)user;
    vkp_queue_stage(task->queue, VKP_STAGE_PREDICT);
    pass_gate(task->name);
    g.wanted = vkp_queue_stage(task->queue, VKP_STAGE_WRITE);
    if (strcmp(task->name, "bad") == 0) return vkp_fail(VKP_INPUT, "cannot read bad (it is; use a good one)");
    for (int i = VKP_PART_RESULT; i < VKP_PARTS; i++) {
        VKP_TRY(vkp_blob_make(vkp_queue_bank(task->queue), task->original->size + 1, &coloured->parts[i]));
        memcpy(coloured->parts[i]->bytes, task->original->bytes, task->original->size);
        coloured->parts[i]->bytes[task->original->size] = (uint8_t)(10 * task->wish.strength);
    }
    coloured->width = 3;
    coloured->height = 2;
    return VKP_OK;
}

static void rest(void) { nanosleep(&(struct timespec){.tv_nsec = 2000000}, NULL); }

static vkp_queue *make_queue(double idle)
{
    vkp_queue *q;
    const vkp_queue_options options = {
        .bytes = 4096, .per_session = 5, .sessions = 2, .idle_seconds = idle, .work = work};
    g.passes = g.waiting = 0;
    *g.order = 0;
    if (vkp_queue_create(&options, &q) != VKP_OK) fail_msg("%s", vkp_error());
    return q;
}

static void add(vkp_queue *q, const char *session, const char *name, char id[VKP_ID_ROOM])
{
    vkp_blob *file;
    assert_int_equal(vkp_blob_make(vkp_queue_bank(q), 100, &file), VKP_OK);
    memset(file->bytes, 7, 100);
    assert_int_equal(vkp_queue_add(q, session, name, file, &(vkp_wish){.strength = 1}, id), VKP_OK);
    vkp_blob_drop(file);
}

static vkp_look look_at(vkp_queue *q, const char *id)
{
    vkp_look look;
    assert_true(vkp_queue_look(q, id, &look));
    return look;
}

static void wait_for(vkp_queue *q, const char *id, vkp_state state)
{
    for (const double end = vkp_clock() + 5; look_at(q, id).state != state; rest())
        if (vkp_clock() > end) fail_msg("it did not come to state %d", state);
}

static void wait_at_gate(void)
{
    for (const double end = vkp_clock() + 5; vkp_clock() < end; rest()) {
        pthread_mutex_lock(&g.lock);
        const int waiting = g.waiting;
        pthread_mutex_unlock(&g.lock);
        if (waiting) return;
    }
    fail_msg("nobody came to the gate");
}

static void one_after_the_other(void **state)
{
    (void)state;
    vkp_queue *q = make_queue(60);
    char session[VKP_ID_ROOM], ids[3][VKP_ID_ROOM];
    assert_int_equal(vkp_queue_begin(q, session), VKP_OK);
    static const char *const names[] = {"a", "bad", "c"};
    for (int i = 0; i < 3; i++) add(q, session, names[i], ids[i]);
    wait_at_gate();
    vkp_look look = look_at(q, ids[0]);
    assert_int_equal(look.state, VKP_STATE_WORKING);
    assert_int_equal(look.stage, VKP_STAGE_PREDICT);
    assert_true(isnan(look.seconds_left));
    assert_null(vkp_queue_part(q, ids[0], VKP_PART_RESULT));
    assert_int_equal(look_at(q, ids[1]).ahead, 1);
    assert_int_equal(look_at(q, ids[2]).ahead, 2);
    open_gate(1);
    wait_for(q, ids[0], VKP_STATE_DONE);
    look = look_at(q, ids[0]);
    assert_true(look.version == 1 && look.width == 3 && look.height == 2 && look.progress == 1);
    vkp_blob *result = vkp_queue_part(q, ids[0], VKP_PART_RESULT);
    assert_true(result && result->size == 101 && result->bytes[0] == 7 && result->bytes[100] == 10);
    vkp_blob_drop(result);
    wait_at_gate();
    look = look_at(q, ids[2]);
    assert_true(look.ahead == 1 && look.seconds_left > 0); /* now it knows what one takes */
    open_gate(2);
    wait_for(q, ids[2], VKP_STATE_DONE);
    look = look_at(q, ids[1]);
    assert_int_equal(look.state, VKP_STATE_FAILED);
    assert_int_equal(look.status, VKP_INPUT);
    assert_string_equal(look.error, "cannot read bad (it is; use a good one)");
    assert_string_equal(g.order, "a bad c ");
    vkp_queue_destroy(q);
}

static void second_thoughts(void **state)
{
    (void)state;
    vkp_queue *q = make_queue(60);
    char session[VKP_ID_ROOM], a[VKP_ID_ROOM], b[VKP_ID_ROOM];
    assert_int_equal(vkp_queue_begin(q, session), VKP_OK);
    add(q, session, "a", a);
    add(q, session, "b", b);
    wait_at_gate();
    /* Another wish while it is in work: what comes out is that of the other wish, after b. */
    assert_true(vkp_queue_again(q, a, &(vkp_wish){.strength = 2}));
    assert_int_equal(look_at(q, a).state, VKP_STATE_WAITING);
    open_gate(3);
    wait_for(q, a, VKP_STATE_DONE);
    assert_string_equal(g.order, "a b a ");
    assert_int_equal(look_at(q, a).version, 1);
    vkp_blob *result = vkp_queue_part(q, a, VKP_PART_AFTER);
    assert_int_equal(result->bytes[100], 20);
    /* And again: the old result stays until the new one is there; what was taken stays for good. */
    assert_true(vkp_queue_again(q, a, &(vkp_wish){.strength = 3}));
    wait_at_gate();
    vkp_blob *old = vkp_queue_part(q, a, VKP_PART_AFTER);
    assert_ptr_equal(old, result);
    vkp_blob_drop(old);
    open_gate(1);
    wait_for(q, a, VKP_STATE_DONE);
    assert_int_equal(look_at(q, a).version, 2);
    assert_int_equal(result->bytes[100], 20);
    vkp_blob_drop(result);
    vkp_queue_destroy(q);
}

static void expect_empty(vkp_queue *q)
{
    vkp_queue_load load;
    for (const double end = vkp_clock() + 5; vkp_clock() < end; rest()) {
        vkp_queue_measure(q, &load);
        if (!load.bytes && !load.pictures && !load.sessions) return;
    }
    fail_msg("%u sessions, %u pictures, %zu bytes are left", load.sessions, load.pictures, load.bytes);
}

/* A page that is closed, in the middle of one picture and with others waiting. */
static void closing_frees_the_work(void **state)
{
    (void)state;
    vkp_queue *q = make_queue(60);
    char session[VKP_ID_ROOM], other[VKP_ID_ROOM], ids[3][VKP_ID_ROOM], id[VKP_ID_ROOM];
    assert_int_equal(vkp_queue_begin(q, session), VKP_OK);
    assert_int_equal(vkp_queue_begin(q, other), VKP_OK);
    for (int i = 0; i < 3; i++) add(q, session, "x", ids[i]);
    add(q, other, "y", id);
    wait_at_gate();
    assert_true(vkp_queue_end(q, session));
    assert_false(vkp_queue_end(q, session));
    vkp_look look;
    for (int i = 0; i < 3; i++) assert_false(vkp_queue_look(q, ids[i], &look));
    open_gate(2);
    wait_for(q, id, VKP_STATE_DONE);
    assert_string_equal(g.order, "x y "); /* the other two were never begun */
    assert_true(vkp_queue_remove(q, id));
    assert_false(vkp_queue_remove(q, id));
    assert_true(vkp_queue_end(q, other));
    expect_empty(q);
    vkp_queue_destroy(q);
}

static void work_is_told_that_nobody_waits(void **state)
{
    (void)state;
    vkp_queue *q = make_queue(60);
    char session[VKP_ID_ROOM], id[VKP_ID_ROOM];
    assert_int_equal(vkp_queue_begin(q, session), VKP_OK);
    add(q, session, "x", id);
    wait_at_gate();
    assert_true(vkp_queue_remove(q, id));
    open_gate(1);
    assert_true(vkp_queue_end(q, session));
    expect_empty(q);
    assert_false(g.wanted);
    vkp_queue_destroy(q);
}

static void idle_sessions_end(void **state)
{
    (void)state;
    vkp_queue *q = make_queue(0.05);
    char session[VKP_ID_ROOM], id[VKP_ID_ROOM];
    assert_int_equal(vkp_queue_begin(q, session), VKP_OK);
    add(q, session, "x", id);
    open_gate(1);
    expect_empty(q);
    assert_false(vkp_queue_knows(q, session));
    vkp_queue_destroy(q);
}

static void limits(void **state)
{
    (void)state;
    vkp_queue *q = make_queue(60);
    char session[VKP_ID_ROOM], other[VKP_ID_ROOM], id[VKP_ID_ROOM];
    vkp_look *looks;
    size_t count;
    vkp_blob *file, *large;
    assert_int_equal(vkp_queue_begin(q, session), VKP_OK);
    assert_int_equal(vkp_queue_begin(q, other), VKP_OK);
    assert_string_not_equal(session, other);
    assert_int_equal(vkp_queue_begin(q, id), VKP_MEMORY);
    for (int i = 0; i < 5; i++) add(q, session, "x", id);
    assert_int_equal(vkp_blob_make(vkp_queue_bank(q), 100, &file), VKP_OK);
    assert_int_equal(vkp_queue_add(q, session, "y", file, &(vkp_wish){0}, id), VKP_MEMORY);
    assert_int_equal(vkp_queue_add(q, "nobody", "y", file, &(vkp_wish){0}, id), VKP_USAGE);
    assert_int_equal(vkp_blob_make(vkp_queue_bank(q), 4096, &large), VKP_MEMORY);
    assert_null(large);
    assert_int_equal(vkp_queue_list(q, "nobody", &looks, &count), VKP_USAGE);
    assert_int_equal(vkp_queue_list(q, session, &looks, &count), VKP_OK);
    assert_int_equal(count, 5);
    free(looks);
    vkp_blob_drop(file);
    open_gate(5);
    vkp_queue_destroy(q);
}

static void archive(void **state)
{
    (void)state;
    vkp_queue *q = make_queue(60);
    vkp_bank bank = {.limit = 4096};
    char session[VKP_ID_ROOM], id[VKP_ID_ROOM];
    vkp_blob *zip;
    assert_int_equal(vkp_queue_begin(q, session), VKP_OK);
    assert_int_equal(vkp_archive_make(q, session, &bank, &zip), VKP_INPUT);
    assert_int_equal(vkp_archive_make(q, "nobody", &bank, &zip), VKP_USAGE);
    static const char *const names[] = {"a.tif", "bad", "a.tif", "sch\xc3\xb6n"};
    for (int i = 0; i < 4; i++) add(q, session, names[i], id);
    open_gate(4);
    wait_for(q, id, VKP_STATE_DONE);
    assert_int_equal(vkp_archive_make(q, session, &bank, &zip), VKP_OK);
    assert_int_equal(bank.used, zip->size);
    zip_source_t *source = zip_source_buffer_create(zip->bytes, zip->size, 0, NULL);
    zip_t *file = zip_open_from_source(source, ZIP_RDONLY | ZIP_CHECKCONS, NULL);
    assert_non_null(file);
    assert_int_equal(zip_get_num_entries(file, 0), 3);
    static const char *const stored[] = {"a-coloured.png", "a-coloured (2).png", "sch\xc3\xb6n-coloured.png"};
    for (int i = 0; i < 3; i++) {
        uint8_t bytes[200];
        zip_file_t *entry = zip_fopen(file, stored[i], 0);
        if (!entry) fail_msg("%s is missing", stored[i]);
        assert_int_equal(zip_fread(entry, bytes, sizeof bytes), 101);
        assert_int_equal(bytes[100], 10);
        zip_fclose(entry);
    }
    zip_discard(file);
    vkp_blob_drop(zip);
    bank.limit = 100;
    assert_int_equal(vkp_archive_make(q, session, &bank, &zip), VKP_MEMORY);
    assert_null(zip);
    assert_int_equal(bank.used, 0);
    vkp_queue_destroy(q);
}

static void result_names(void **state)
{
    (void)state;
    char text[VKP_NAME_ROOM], longest[VKP_NAME_ROOM];
    uint8_t jpeg[] = {0xff, 0xd8, 0xff, 0xe0}, none[] = {0};
    const vkp_blob as_jpeg = {.bytes = jpeg, .size = sizeof jpeg},
                   as_png = {.bytes = none, .size = sizeof none};
    vkp_result_name("old.photo.JPG", &as_jpeg, text);
    assert_string_equal(text, "old.photo-coloured.jpg");
    vkp_result_name(".hidden", &as_png, text);
    assert_string_equal(text, ".hidden-coloured.png");
    memset(longest, 'x', sizeof longest - 1);
    longest[sizeof longest - 1] = 0;
    vkp_result_name(longest, &as_jpeg, text);
    assert_true(strlen(text) < VKP_NAME_ROOM && strstr(text, "xx-coloured.jpg"));
}

int main(void)
{
    pthread_mutex_init(&g.lock, NULL);
    pthread_cond_init(&g.changed, NULL);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_after_the_other),
        cmocka_unit_test(second_thoughts),
        cmocka_unit_test(closing_frees_the_work),
        cmocka_unit_test(work_is_told_that_nobody_waits),
        cmocka_unit_test(idle_sessions_end),
        cmocka_unit_test(limits),
        cmocka_unit_test(archive),
        cmocka_unit_test(result_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
