/* Curve: the rows of a file of numbers that grows, read once each and kept as a bounded number of means. */
#ifndef VKP_SERVE_CURVE_H
#define VKP_SERVE_CURVE_H

#include <stdint.h>

#include "base/status.h"

enum { VKP_CURVE_POINTS = 512, VKP_CURVE_COLUMNS = 4 };

/* Zeroed, it has read nothing. */
typedef struct vkp_curve {
    uint64_t file;    /* its inode: a file that was replaced is another one */
    int64_t offset;   /* bytes of it that are read, up to the end of a line */
    uint64_t rows;    /* in all */
    uint64_t width;   /* rows to a point */
    uint32_t points;  /* whole ones, and after them the one that is being filled */
    uint64_t in_last; /* rows in that one */
    double sums[VKP_CURVE_POINTS][VKP_CURVE_COLUMNS]; /* NaN fields count as nothing */
    uint32_t counts[VKP_CURVE_POINTS][VKP_CURVE_COLUMNS];
} vkp_curve;

/* Reads the rows of a steps.csv (nn/run_log.h) that were not there before; a file that was replaced
 * or has become shorter is read anew. A last line without its end is left for later; lines that are no rows
 * are passed over. VKP_IO. */
VKP_MUST_USE vkp_status vkp_curve_update(vkp_curve *curve, const char *path);

/* The number of points with any rows, and one's mean in a column: NaN where there is none. */
uint32_t vkp_curve_count(const vkp_curve *curve);
double vkp_curve_mean(const vkp_curve *curve, uint32_t point, int column);

#endif
