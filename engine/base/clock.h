/* The time that passes, for deadlines and rates. */
#ifndef VKP_BASE_CLOCK_H
#define VKP_BASE_CLOCK_H

/* Seconds since some moment in the past; never goes backwards. */
double vkp_clock(void);

#endif
