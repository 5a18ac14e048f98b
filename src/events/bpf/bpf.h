/* bpf: what skel_internal.h, which comes from libbpf unchanged, takes from its own bpf.h. */
#ifndef EVENTS_BPF_BPF_H
#define EVENTS_BPF_BPF_H

#include <errno.h>
#include <linux/bpf.h>
#include <stddef.h>
#include <string.h>

#endif
