/*
 * stats.h: counters. One list gives the enum, the names and the report.
 */
#pragma once

#include "base/types.h"

/* clang-format off */
#define STATS_LIST(X) \
	X(syscalls) X(syscalls_unknown) X(page_faults) X(page_faults_zero) X(page_faults_file) \
	X(exceptions) X(interrupts) X(timer_interrupts) X(context_switches) X(threads_created) \
	X(threads_exited) X(futex_waits) X(futex_wakes) X(signals_delivered) X(net_rx_packets) \
	X(net_rx_bytes) X(net_rx_dropped) X(net_rx_bad) X(net_neighbours_failed) \
	X(net_syn_cookies_sent) X(net_syn_cookies_redeemed) \
	X(net_tx_packets) X(net_tx_bytes) X(net_tx_dropped) \
	X(channel_out_bytes) X(channel_in_bytes) X(pages_zeroed) \
	X(pages_huge) X(pages_split) X(idle_waits) X(device_errors) \
	X(reported_bytes) X(net_lock_holds) X(net_lock_hold_ns) X(net_lock_hold_max_ns) \
	X(reschedule_ipis) X(preemptions) X(steals) X(idle_polls) X(idle_poll_hits) \
	X(tlb_shootdowns) X(tlb_ipis) X(tlb_spared) X(tlb_wait_ns) X(tlb_full) X(tlb_ranges) \
	X(read_calls) X(read_bytes) X(write_calls) X(write_bytes) X(tcp_retransmits)

enum stat {
#define X(name) STAT_##name,
	STATS_LIST(X)
#undef X
	STAT_COUNT
};
/* clang-format on */

void stat_add(enum stat s, uint64_t n); /* this CPU's; kernel context */
static inline void stat_inc(enum stat s)
{
	stat_add(s, 1);
}
/* For a counter whose name has "_max_": keeps the largest value there was. Kernel context. */
void stat_raise(enum stat s, uint64_t value);
/* Over all CPUs, the sum or the largest; a moment's view. */
uint64_t stat_sum(enum stat s);
uint64_t stat_on(enum stat s, uint32_t cpu); /* cpu < cpu_count; a moment's view */
const char *stat_unit(enum stat s); /* "bytes", "ns" or "count": what its name says */
const char *stat_name(enum stat s);
