#include "serve/curve.h"

#include <errno.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/file.h"

/* Joins neighbours, so that there is room again. */
static void halve(vkp_curve *c)
{
    for (size_t i = 0; i < VKP_CURVE_POINTS / 2; i++)
        for (size_t k = 0; k < VKP_CURVE_COLUMNS; k++) {
            c->sums[i][k] = c->sums[2 * i][k] + c->sums[2 * i + 1][k];
            c->counts[i][k] = c->counts[2 * i][k] + c->counts[2 * i + 1][k];
        }
    c->points = VKP_CURVE_POINTS / 2;
    c->width *= 2;
}

static void add_row(vkp_curve *c, const double row[VKP_CURVE_COLUMNS])
{
    if (c->points == VKP_CURVE_POINTS) halve(c);
    if (!c->width) c->width = 1;
    if (!c->in_last) {
        memset(c->sums[c->points], 0, sizeof c->sums[0]);
        memset(c->counts[c->points], 0, sizeof c->counts[0]);
    }
    for (size_t k = 0; k < VKP_CURVE_COLUMNS; k++) {
        if (!isfinite(row[k])) continue;
        c->sums[c->points][k] += row[k];
        c->counts[c->points][k]++;
    }
    c->rows++;
    if (++c->in_last == c->width) {
        c->points++;
        c->in_last = 0;
    }
}

/* A line as a row: fields that are empty are NaN. False: it is none. */
static bool parse(const char *line, double row[VKP_CURVE_COLUMNS])
{
    for (size_t k = 0; k < VKP_CURVE_COLUMNS; k++) {
        const char stop = k + 1 < VKP_CURVE_COLUMNS ? ',' : '\n';
        char *end = (char *)line;
        row[k] = *line == stop ? NAN : strtod(line, &end);
        if (*end != stop) return false;
        line = end + 1;
    }
    return isfinite(row[0]);
}

static vkp_status read_rows(vkp_curve *c, FILE *file, const char *path)
{
    char line[512];
    double row[VKP_CURVE_COLUMNS];
    if (fseeko(file, (off_t)c->offset, SEEK_SET) != 0) return vkp_fail_errno("read", path, errno);
    while (fgets(line, sizeof line, file)) {
        const size_t length = strlen(line);
        if (!length || line[length - 1] != '\n') {
            if (length + 1 < sizeof line) break;
        } else if (parse(line, row)) {
            add_row(c, row);
        }
        c->offset += (int64_t)length;
    }
    return ferror(file) ? vkp_fail_errno("read", path, errno) : VKP_OK;
}

vkp_status vkp_curve_update(vkp_curve *c, const char *path)
{
    struct stat info;
    FILE *file = fopen(path, "rb");
    if (!file) return vkp_fail_errno("read", path, errno);
    if (fstat(fileno(file), &info) != 0) {
        const int error = errno;
        fclose(file);
        return vkp_fail_errno("read", path, error);
    }
    if ((int64_t)info.st_size < c->offset || (uint64_t)info.st_ino != c->file) *c = (vkp_curve){0};
    c->file = (uint64_t)info.st_ino;
    const vkp_status status = read_rows(c, file, path);
    fclose(file);
    return status;
}

uint32_t vkp_curve_count(const vkp_curve *c) { return c->points + (c->in_last > 0); }

double vkp_curve_mean(const vkp_curve *c, uint32_t point, int column)
{
    const uint32_t count = c->counts[point][column];
    return count ? c->sums[point][column] / count : NAN;
}
