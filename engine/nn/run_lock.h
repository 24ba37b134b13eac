/* One process at a time trains in RUN: a lock on the file RUN/lock, which the system drops with the process
 * that holds it, however that ends. The file itself means nothing. */
#ifndef VKP_NN_RUN_LOCK_H
#define VKP_NN_RUN_LOCK_H

#include "base/status.h"

/* Locks the folder `run`, which exists; *lock goes to vkp_run_lock_release, also after a failure. On a file
 * system without locks there is none, and that is no failure. INPUT: another process holds it; IO; MEMORY. */
VKP_MUST_USE vkp_status vkp_run_lock_take(const char *run, int *lock);
void vkp_run_lock_release(int lock); /* what was not taken, -1, is fine */

#endif
