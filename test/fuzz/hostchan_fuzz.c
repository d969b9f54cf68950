/* sources: drivers/virtio/console.c drivers/virtio/console_stream.c drivers/virtio/ring.c
 * kernel/dev/hostchan.c kernel/sync/pollq.c lib/fmt.c test/unit/shim/host.c
 * test/unit/shim/host_kmem.c test/unit/shim/host_pmm.c test/unit/shim/host_ram.c
 * test/unit/shim/host_virtio.c test/unit/shim/host_console.c */
/*
 * hostchan_fuzz.c: any bytes from the host on the guest's control port and standard input.
 *
 * What:       the input is a row of pieces, each for one of the two ports, cut anywhere.
 * Invariants: (1) signals are numbers that a signal can have. (2) input is read in order, and never
 *             past its end. (3) a host that spoke nonsense is not listened to any more; here it
 *             is forgiven for the next input.
 * Locking:    one thread; host.c checks lock ranks.
 * Failure:    ASan, UBSan, or a failed check.
 * Source:     include/gosolo_abi.h; drivers/virtio/console_outbox.c, which is included for (3).
 */
#include "drivers/virtio/console_outbox.c"

#include <stdio.h>

#include "host.h"
#include "host_console.h"
#include "host_virtio.h"
#include "kernel/signal/signal.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void set_up(void)
{
	static bool is_up;

	if (!is_up)
		host_console_start();
	is_up = true;
	inbox.is_lost = false;
	inbox.have_bytes = 0;
	console.in.eof_bytes = UINT64_MAX;
	host_ports[CONTROL].count = 0;
	host_console.last_signal = 0;
}

/* As console_control_service_locked does with each buffer. */
static void feed_control(const uint8_t *data, uint32_t n)
{
	console_enter(&console.lock);
	while (n && !inbox.is_lost) {
		uint32_t used = parse_locked((const char *)data, n);

		CHECK(used >= 1 && used <= n);
		data += used;
		n -= used;
	}
	console_leave(&console.lock);
}

/* All that was written must come back; an end of input may come sooner. */
static void read_back(const uint8_t *data, size_t size)
{
	uint8_t got[64];

	while (size) {
		long n = guest_read(got, sizeof(got), true);

		if (n <= 0)
			return;
		CHECK((size_t)n <= size && memcmp(got, data, (size_t)n) == 0); /* (2) */
		data += n;
		size -= (size_t)n;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char drop[64];

	set_up();
	while (size > 2) {
		bool is_input = data[0] & 1;
		size_t n = MIN(size - 2, (size_t)data[1] + 1);

		data += 2;
		size -= 2;
		if (is_input) {
			/* Past the end of input the guest takes no more buffers. */
			if (!host_queue_send(2 * STDIO + 2, data, (uint32_t)n))
				break;
			(void)host_interrupt();
			read_back(data, n);
		} else {
			feed_control(data, (uint32_t)n);
		}
		data += n;
		size -= n;
		CHECK(host_console.last_signal >= 0 && host_console.last_signal <= 64); /* (1) */
	}
	console.in.eof_bytes = UINT64_MAX;
	while (guest_read(drop, sizeof(drop), true) > 0)
		continue;
	CHECK(!host_device.failure);
	CHECK_EQ(host_locks_held(), 0);
	return 0;
}
