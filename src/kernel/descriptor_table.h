/* descriptor_table: for how many descriptors a process's table has ever had room (FDSize in /proc/PID/status,
 * man 5 proc), which everybody may read. The table grows in powers of two from 64 and never shrinks: below a
 * limit, it proves that the limit was never reached. */
#ifndef KERNEL_DESCRIPTOR_TABLE_H
#define KERNEL_DESCRIPTOR_TABLE_H

#include <stdint.h>
#include <sys/types.h>

/* Reads the text of such a file. -1 where it does not tell. */
int64_t descriptor_table_parse(const char *text);

/* -1 where it is not known. */
int64_t descriptor_table_size(pid_t pid);

#endif
