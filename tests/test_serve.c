/* vkpix serve as a user starts it: the model's own colours come out, the same bytes as vkpix colorize writes,
 * and it ends when it is told to. */
#define _XOPEN_SOURCE 700
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "blob.h"
#include "device_fixture.h"
#include "http.h"
#include "model_folder.h"
#include "program.h"
#include "scratch.h"
#include "small_picture.h"

typedef struct served {
    pid_t pid;
    uint16_t port;
} served;

/* Starts the program and waits for the line that says where it is. */
static served start(void)
{
    int ends[2], length = 0;
    char text[1024];
    assert_int_equal(pipe(ends), 0);
    served s = {.pid = fork()};
    assert_true(s.pid >= 0);
    if (!s.pid) {
        dup2(ends[1], STDOUT_FILENO);
        close(ends[0]);
        close(ends[1]);
        if (!freopen("serve-errors", "w", stderr)) _exit(126);
        execl(getenv("VKPIX_TEST_PROGRAM"), "vkpix", "serve", "--port", "0", "--json", "--model",
              "model.safetensors", (char *)NULL);
        _exit(127);
    }
    close(ends[1]);
    ssize_t n;
    while ((n = read(ends[0], text + length, sizeof text - 1 - (size_t)length)) > 0) {
        text[length += (int)n] = 0;
        if (strstr(text, "}\n")) break;
    }
    close(ends[0]);
    cJSON *document = cJSON_Parse(text);
    if (!document) fail_msg("it did not start: %s", text);
    s.port = (uint16_t)cJSON_GetNumberValue(cJSON_GetObjectItem(document, "port"));
    cJSON_Delete(document);
    return s;
}

static void stop(const served *s)
{
    int status;
    assert_int_equal(kill(s->pid, SIGTERM), 0);
    assert_int_equal(waitpid(s->pid, &status, 0), s->pid);
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) fail_msg("it ended with status %d", status);
}

/* Follows a picture to its end, and returns its last state. */
static cJSON *follow(uint16_t port, cJSON *picture)
{
    char path[80];
    snprintf(path, sizeof path, "/api/pictures/%s", cJSON_GetStringValue(cJSON_GetObjectItem(picture, "id")));
    for (const double end = vkp_clock() + 60; vkp_clock() < end;) {
        cJSON_Delete(picture);
        http_answer a = http_ask(port, "GET", path, "", NULL, 0);
        picture = http_json(&a, 200);
        const char *state = cJSON_GetStringValue(cJSON_GetObjectItem(picture, "state"));
        if (strcmp(state, "done") == 0 || strcmp(state, "failed") == 0) return picture;
        nanosleep(&(struct timespec){.tv_nsec = 20000000}, NULL);
    }
    fail_msg("the picture was not done");
    return NULL;
}

static void expect_result(uint16_t port, const cJSON *picture, const char *file)
{
    char path[96];
    snprintf(path, sizeof path, "/api/pictures/%s/result",
             cJSON_GetStringValue(cJSON_GetObjectItem(picture, "id")));
    http_answer a = http_ask(port, "GET", path, "", NULL, 0);
    assert_int_equal(a.status, 200);
    blob expected = blob_read(file);
    assert_true(a.size == expected.size && memcmp(a.body, expected.bytes, a.size) == 0);
    blob_free(&expected);
    http_free(&a);
}

static cJSON *post(uint16_t port, const char *path, const blob *file)
{
    http_answer a = http_ask(port, "POST", path, "", file ? file->bytes : NULL, file ? file->size : 0);
    return http_json(&a, file ? 202 : 200);
}

static void the_same_as_colorize(void **state)
{
    (void)state;
    char path[128];
    model_folder_new("same");
    small_picture_write("in.jpg", 60, 44, 0);
    small_picture_write("in.png", 33, 40, 1);
    program_expect(program_run("", "colorize in.jpg --out jpg.jpg --model model.safetensors --size 64"), 0,
                   "");
    program_expect(program_run("", "colorize in.png --out png.png --model model.safetensors --size 96 "
                                   "--saturation 0.5"),
                   0, "");
    const served s = start();
    blob jpg = blob_read("in.jpg"), png = blob_read("in.png");
    cJSON *picture = follow(s.port, post(s.port, "/api/pictures?name=in.jpg&size=64", &jpg));
    expect_result(s.port, picture, "jpg.jpg");
    cJSON_Delete(picture);
    picture = follow(s.port, post(s.port, "/api/pictures?name=in.png&size=64&model=model.safetensors", &png));
    snprintf(path, sizeof path, "/api/pictures/%s/again?size=96&strength=0.5",
             cJSON_GetStringValue(cJSON_GetObjectItem(picture, "id")));
    cJSON_Delete(picture);
    picture = follow(s.port, post(s.port, path, NULL));
    expect_result(s.port, picture, "png.png");
    assert_true(cJSON_GetNumberValue(cJSON_GetObjectItem(picture, "width")) == 33);
    cJSON_Delete(picture);
    /* A file whose header is right and whose rest is missing fails by itself. */
    png.size -= 40;
    picture = follow(s.port, post(s.port, "/api/pictures?name=cut.png&size=64", &png));
    const cJSON *error = cJSON_GetObjectItem(picture, "error");
    assert_string_equal(cJSON_GetStringValue(cJSON_GetObjectItem(error, "code")), "FORMAT");
    assert_non_null(
        strstr(cJSON_GetStringValue(cJSON_GetObjectItem(error, "message")), "cannot read cut.png ("));
    cJSON_Delete(picture);
    http_answer a = http_ask(s.port, "POST", "/api/pictures?size=63", "", jpg.bytes, jpg.size);
    cJSON_Delete(http_json(&a, 400));
    a = http_ask(s.port, "POST", "/api/pictures?model=/etc/passwd", "", jpg.bytes, jpg.size);
    cJSON_Delete(http_json(&a, 400));
    blob_free(&jpg);
    blob_free(&png);
    stop(&s);
}

static void wrong_usage(void **state)
{
    (void)state;
    model_folder_new("wrong");
    static const struct {
        const char *arguments, *word;
        int status;
    } runs[] = {
        {"serve picture.jpg", "picture.jpg", 2},
        {"serve --port 70000", "--port", 2},
        {"serve --runs nowhere", "nowhere", 1},
        {"serve --model nowhere", "nowhere", 1},
        {"serve --model model.safetensors --port 0 --listen somewhere", "somewhere", 2},
    };
    for (size_t i = 0; i < sizeof runs / sizeof *runs; i++)
        program_expect(program_run("", "%s", runs[i].arguments), runs[i].status, runs[i].word);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(the_same_as_colorize, model_folder_leave),
        cmocka_unit_test_teardown(wrong_usage, model_folder_leave),
    };
    return cmocka_run_group_tests(tests, model_folders_enter, scratch_leave);
}
