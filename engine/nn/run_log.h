/* What a run reports: RUN/log.csv, a row an epoch, and RUN/steps.csv, a row a step.
 *
 * A row is written by a single call, so that a kill leaves whole rows; a last row without its line end is
 * taken as not written. A resumed run first drops the rows that its checkpoint does not know. */
#ifndef VKP_NN_RUN_LOG_H
#define VKP_NN_RUN_LOG_H

#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

/* name of the column, in the order of the file */
#define VKP_LOG_COLUMN_MAP(X) \
    X(epoch)                  \
    X(train_D_adv_loss)       \
    X(train_G_adv_loss)       \
    X(train_G_l1_loss)        \
    X(val_G_l1_loss)          \
    X(train_psnr)             \
    X(val_psnr)               \
    X(lr)                     \
    X(seconds)
#define VKP_STEPS_COLUMN_MAP(X) \
    X(step)                     \
    X(d_adv)                    \
    X(g_adv)                    \
    X(g_l1)

/* Indices into a row: VKP_LOG_epoch ... VKP_LOG_COLUMNS, VKP_STEPS_step ... VKP_STEPS_COLUMNS. */
enum {
#define X(name) VKP_LOG_##name,
    VKP_LOG_COLUMN_MAP(X)
#undef X
    VKP_LOG_COLUMNS
};
enum {
#define X(name) VKP_STEPS_##name,
    VKP_STEPS_COLUMN_MAP(X)
#undef X
    VKP_STEPS_COLUMNS
};

typedef struct vkp_run_log vkp_run_log;

/* Opens both files in the folder `run`, which exists, and makes them where they are missing. Rows after
 * `last_epoch` and `last_step` are removed, the files replaced atomically; -1 removes all, as for a new run.
 * VKP_FORMAT: a file with another header, or a line within that is no row (the text names it); VKP_IO;
 * VKP_INPUT; VKP_MEMORY. On success the caller closes *log; else it is NULL. */
VKP_MUST_USE vkp_status vkp_run_log_open(const char *run, int64_t last_epoch, int64_t last_step,
                                         vkp_run_log **log);
/* Appends a row: the first column a whole number, the others with 9 significant digits, NaN as an empty
 * field. VKP_IO: the row is taken back, and the file is as before. */
VKP_MUST_USE vkp_status vkp_run_log_add_epoch(vkp_run_log *log, const double row[VKP_LOG_COLUMNS]);
VKP_MUST_USE vkp_status vkp_run_log_add_step(vkp_run_log *log, const double row[VKP_STEPS_COLUMNS]);
/* Brings all rows to the disk; to be called before a checkpoint is written. VKP_IO. */
VKP_MUST_USE vkp_status vkp_run_log_sync(vkp_run_log *log);
void vkp_run_log_close(vkp_run_log *log); /* NULL is allowed */

/* A file read back, column by column: values[column * rows + row], NaN where a field is empty. */
typedef struct vkp_run_table {
    size_t rows, columns;
    double *values; /* NULL when there are no rows; freed by vkp_run_table_free */
} vkp_run_table;

/* Reads RUN/log.csv, RUN/steps.csv. Errors as vkp_run_log_open; *table is empty then. */
VKP_MUST_USE vkp_status vkp_run_log_read_epochs(const char *run, vkp_run_table *table);
VKP_MUST_USE vkp_status vkp_run_log_read_steps(const char *run, vkp_run_table *table);
void vkp_run_table_free(vkp_run_table *table);

#endif
