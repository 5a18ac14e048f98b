/* time_slice: how long a process runs before others of its kind have their turn. Who asks for a short one is
 * run sooner after it wakes, and gets no more of the processor for it (Linux 6.12: EEVDF, sched_setattr(2)).
 */
#ifndef KERNEL_TIME_SLICE_H
#define KERNEL_TIME_SLICE_H

#include <stdint.h>

/* Of the calling thread; 100 us to 100 ms. Needs no right. Returns 0 or a negative errno; older kernels
 * return 0 and do nothing. */
int time_slice_ask(int64_t us);

#endif
