/* The two CSV files of a run; both are tables of numbers with a header, and share all code. */
#include "nn/run_log.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"

enum { FILE_LIMIT = 1 << 30, ROW_TEXT = 512, TABLES = 2, EPOCHS = 0, STEPS = 1 };

static const struct {
    const char *file, *header;
    size_t columns;
} kinds[TABLES] = {
#define X(name) "," #name
    /* + 1 leaves out the first comma */
    {"log.csv", &("" VKP_LOG_COLUMN_MAP(X) "\n")[1], VKP_LOG_COLUMNS},
    {"steps.csv", &("" VKP_STEPS_COLUMN_MAP(X) "\n")[1], VKP_STEPS_COLUMNS},
#undef X
};

enum { MOST_COLUMNS = VKP_LOG_COLUMNS };

struct vkp_run_log {
    char *paths[TABLES];
    int fds[TABLES];
};

/* A file's content while it is read. */
typedef struct scan {
    const char *path;
    const char *at, *end; /* the content not yet read */
    size_t columns;
    unsigned line;
} scan;

/* One field at *at, which ends at `stop`; *at moves behind it. */
static bool read_field(const char **at, char stop, double *value)
{
    *value = NAN;
    if (**at != stop) {
        char *end;
        *value = strtod(*at, &end);
        if (end == *at || *end != stop) return false;
        *at = end;
    }
    ++*at;
    return true;
}

/* Reads the next row. *got is false at the end, where a line without its end counts as not written. */
static vkp_status next_row(scan *rows, double *row, bool *got)
{
    const char *newline = memchr(rows->at, '\n', (size_t)(rows->end - rows->at));
    *got = newline != NULL;
    if (!newline) return VKP_OK;
    const char *at = rows->at;
    bool whole = true;
    rows->line++;
    for (size_t i = 0; whole && i < rows->columns; i++) {
        whole = read_field(&at, i + 1 < rows->columns ? ',' : '\n', &row[i]);
    }
    if (!whole || at != newline + 1 || isnan(row[0])) {
        return vkp_fail(VKP_FORMAT, "cannot use %s (line %u is not a row of %zu numbers; remove it)",
                        rows->path, rows->line, rows->columns);
    }
    rows->at = at;
    return VKP_OK;
}

/* Begins reading `content`, which is zero-terminated; a header without its line end counts as not written. */
static vkp_status start_scan(scan *rows, int kind, const char *path, const char *content, size_t bytes)
{
    const char *header = kinds[kind].header;
    const size_t length = strlen(header);
    *rows = (scan){path, content, content + bytes, kinds[kind].columns, 1};
    if (bytes < length && memcmp(content, header, bytes) == 0) {
        rows->at = rows->end;
        return VKP_OK;
    }
    if (bytes < length || memcmp(content, header, length) != 0) {
        return vkp_fail(VKP_FORMAT, "cannot use %s (its first line is not vkpix's; move it away)", path);
    }
    rows->at += length;
    return VKP_OK;
}

/* The content up to the row numbered `last`, its length in *kept. */
static vkp_status measure_kept(int kind, const char *path, const char *content, size_t bytes, int64_t last,
                               size_t *kept)
{
    scan rows;
    double row[MOST_COLUMNS];
    bool got = true;
    VKP_TRY(start_scan(&rows, kind, path, content, bytes));
    const char *end = rows.at;
    while (got && last >= 0) {
        VKP_TRY(next_row(&rows, row, &got));
        if (got && row[0] > (double)last) break;
        end = rows.at;
        /* Rows behind it go in any case, and a power cut may have left anything there. */
        if (got && row[0] >= (double)last) break;
    }
    *kept = (size_t)(end - content);
    return VKP_OK;
}

/* Leaves the header and the rows up to `last` in the file. */
static vkp_status trim(int kind, const char *path, int64_t last)
{
    const char *header = kinds[kind].header;
    void *content;
    size_t bytes, kept = 0;
    if (!vkp_file_exists(path)) return vkp_file_write(path, header, strlen(header));
    VKP_TRY(vkp_file_read(path, FILE_LIMIT, &content, &bytes));
    vkp_status status = measure_kept(kind, path, content, bytes, last, &kept);
    if (status == VKP_OK && kept < strlen(header)) status = vkp_file_write(path, header, strlen(header));
    else if (status == VKP_OK && kept < bytes) status = vkp_file_write(path, content, kept);
    free(content);
    return status;
}

static vkp_status open_table(vkp_run_log *log, const char *run, int kind, int64_t last)
{
    VKP_TRY(vkp_path_join(run, kinds[kind].file, &log->paths[kind]));
    VKP_TRY(trim(kind, log->paths[kind], last));
    log->fds[kind] = open(log->paths[kind], O_WRONLY | O_APPEND | O_CLOEXEC);
    return log->fds[kind] < 0 ? vkp_fail_errno("write", log->paths[kind], errno) : VKP_OK;
}

vkp_status vkp_run_log_open(const char *run, int64_t last_epoch, int64_t last_step, vkp_run_log **log)
{
    *log = NULL;
    vkp_run_log *made = calloc(1, sizeof *made);
    if (!made) return vkp_fail(VKP_MEMORY, "cannot log %s (host memory ran out; free some memory)", run);
    made->fds[EPOCHS] = made->fds[STEPS] = -1;
    vkp_status status = open_table(made, run, EPOCHS, last_epoch);
    if (status == VKP_OK) status = open_table(made, run, STEPS, last_step);
    if (status == VKP_OK) *log = made;
    else vkp_run_log_close(made);
    return status;
}

/* Takes a partly written row back, and tells why it could not be written. */
static vkp_status take_back(const vkp_run_log *log, int kind, off_t before, int error)
{
    if (before < 0 || ftruncate(log->fds[kind], before) != 0) {
        /* The torn row has no line end, and will count as not written. */
        return vkp_fail_errno("take a torn row back from", log->paths[kind], error);
    }
    return vkp_fail_errno("write", log->paths[kind], error);
}

static vkp_status add_row(vkp_run_log *log, int kind, const double *row)
{
    char text[ROW_TEXT];
    size_t length = (size_t)snprintf(text, sizeof text, "%.0f", row[0]);
    for (size_t i = 1; i < kinds[kind].columns; i++) {
        text[length++] = ',';
        if (!isnan(row[i])) length += (size_t)snprintf(text + length, sizeof text - length, "%.9g", row[i]);
    }
    text[length++] = '\n';
    const off_t before = lseek(log->fds[kind], 0, SEEK_END);
    /* Less than asked for is how a full disk begins; what it is follows with the rest. */
    for (size_t done = 0; done < length;) {
        const ssize_t written = write(log->fds[kind], text + done, length - done);
        if (written < 0 && errno != EINTR) return take_back(log, kind, before, errno);
        if (written > 0) done += (size_t)written;
    }
    return VKP_OK;
}

vkp_status vkp_run_log_add_epoch(vkp_run_log *log, const double row[VKP_LOG_COLUMNS])
{
    return add_row(log, EPOCHS, row);
}

vkp_status vkp_run_log_add_step(vkp_run_log *log, const double row[VKP_STEPS_COLUMNS])
{
    return add_row(log, STEPS, row);
}

vkp_status vkp_run_log_sync(vkp_run_log *log)
{
    for (int kind = 0; kind < TABLES; kind++) {
        while (fsync(log->fds[kind]) != 0) {
            if (errno != EINTR) return vkp_fail_errno("write", log->paths[kind], errno);
        }
    }
    return VKP_OK;
}

void vkp_run_log_close(vkp_run_log *log)
{
    if (!log) return;
    for (int kind = 0; kind < TABLES; kind++) {
        if (log->fds[kind] >= 0) close(log->fds[kind]);
        free(log->paths[kind]);
    }
    free(log);
}

static vkp_status count_rows(scan rows, size_t *count)
{
    double row[MOST_COLUMNS];
    bool got = true;
    *count = 0;
    while (got) {
        VKP_TRY(next_row(&rows, row, &got));
        *count += got;
    }
    return VKP_OK;
}

static vkp_status fill_table(scan rows, vkp_run_table *table)
{
    double row[MOST_COLUMNS];
    bool got;
    for (size_t r = 0; r < table->rows; r++) {
        VKP_TRY(next_row(&rows, row, &got));
        for (size_t c = 0; c < table->columns; c++) table->values[c * table->rows + r] = row[c];
    }
    return VKP_OK;
}

static vkp_status parse_table(int kind, const char *path, const char *content, size_t bytes,
                              vkp_run_table *table)
{
    scan rows;
    VKP_TRY(start_scan(&rows, kind, path, content, bytes));
    VKP_TRY(count_rows(rows, &table->rows));
    if (!table->rows) return VKP_OK;
    table->values = calloc(table->rows, table->columns * sizeof *table->values);
    if (!table->values) {
        return vkp_fail(VKP_MEMORY, "cannot hold %s (host memory ran out; free some memory)", path);
    }
    return fill_table(rows, table);
}

static vkp_status read_table(const char *run, int kind, vkp_run_table *table)
{
    char *path;
    void *content = NULL;
    size_t bytes = 0;
    *table = (vkp_run_table){.columns = kinds[kind].columns};
    VKP_TRY(vkp_path_join(run, kinds[kind].file, &path));
    vkp_status status = vkp_file_read(path, FILE_LIMIT, &content, &bytes);
    if (status == VKP_OK) status = parse_table(kind, path, content, bytes, table);
    if (status != VKP_OK) vkp_run_table_free(table);
    free(content);
    free(path);
    return status;
}

vkp_status vkp_run_log_read_epochs(const char *run, vkp_run_table *table)
{
    return read_table(run, EPOCHS, table);
}

vkp_status vkp_run_log_read_steps(const char *run, vkp_run_table *table)
{
    return read_table(run, STEPS, table);
}

void vkp_run_table_free(vkp_run_table *table)
{
    free(table->values);
    table->values = NULL;
    table->rows = 0;
}
