/*
 * console.c: the host channel's three streams as files.
 *
 * What:       reads and writes go to kernel/dev/hostchan.h. A stream that is a terminal on the
 *             host answers the terminal calls; one that is not answers ENOTTY, as a pipe does.
 * Invariants: (1) options.tty says what a stream is; it never changes.
 * Locking:    none of its own. Read, write and settings sleep in the channel.
 * Failure:    -ENOTTY, -EIO never; what the channel says.
 * Source:     tty_ioctl(4); hostchan.h. The host's terminal does echo and line editing itself, or
 *             not, as the program sets it.
 */
#include "fs/console.h"

#include <asm/ioctls.h>
#include <asm/termbits.h>
#include <asm/termios.h>
#include <linux/fcntl.h>

#include "base/assert.h"
#include "base/errno.h"
#include "fs/inode.h"
#include "fs/stat.h"
#include "fs/vfs.h"
#include "kernel/dev/hostchan.h"
#include "kernel/options.h"
#include "kernel/process.h"
#include "lib/string.h"

#define TTY_RDEV 0x8800u /* 136:0, /dev/pts/0 */
STATIC_ASSERT(sizeof(((struct termios *)0)->c_cc) == GOSOLO_TERMINAL_CHARS, "Linux's");

struct stream {
	unsigned number;
};

static const struct stream streams[HOSTCHAN_STREAMS] = { { 0 }, { 1 }, { 2 } };

static const struct file_ops console_ops;

bool file_is_console(const struct file *f)
{
	return f->ops == &console_ops;
}

static unsigned stream_of(const struct file *f)
{
	const struct stream *s = f->object;

	return s->number;
}

static long console_read(struct file *f, struct uio *u, int64_t offset_bytes)
{
	if (offset_bytes != FILE_AT_POSITION)
		return -ESPIPE;
	if (u->left_bytes == 0)
		return 0;
	return hostchan_read(u, file_is_nonblocking(f));
}

static long console_write(struct file *f, struct uio *u, int64_t offset_bytes)
{
	unsigned to = stream_of(f);
	long done = 0;

	if (offset_bytes != FILE_AT_POSITION)
		return -ESPIPE;
	if (to == HOSTCHAN_STDIN)
		to = HOSTCHAN_STDOUT; /* a terminal is one thing with three names */
	while (u->left_bytes > 0) {
		long n = hostchan_write(to, u, file_is_nonblocking(f));

		if (n <= 0)
			return done ? done : n;
		done += n;
	}
	return done;
}

static uint32_t console_poll(struct file *f)
{
	return hostchan_poll(stream_of(f));
}

static struct pollq *console_pollq(struct file *f)
{
	return hostchan_pollq(stream_of(f));
}

static bool is_tty(const struct file *f)
{
	return options.tty[stream_of(f)];
}

static long copy_to_program(uaddr_t arg, const void *from, size_t bytes)
{
	struct uio_range range = { .base = arg, .bytes = bytes };
	struct uio u;

	uio_init_range(&u, &range);
	return uio_copy_to(&u, from, bytes) == (long)bytes ? 0 : -EFAULT;
}

static long get_termios(uaddr_t arg)
{
	struct gosolo_terminal now;
	struct termios t = { 0 };

	hostchan_get_terminal(&now);
	t.c_iflag = now.input;
	t.c_oflag = now.output;
	t.c_cflag = now.control;
	t.c_lflag = now.local;
	memcpy(t.c_cc, now.chars, sizeof(t.c_cc));
	return copy_to_program(arg, &t, sizeof(t));
}

/* wait: after what was written before has gone out. */
static long set_termios(uaddr_t arg, bool wait)
{
	struct uio_range range = { .base = arg, .bytes = sizeof(struct termios) };
	struct gosolo_terminal wanted = { 0 };
	struct termios t;
	struct uio u;

	uio_init_range(&u, &range);
	if (uio_copy_from(&u, &t, sizeof(t)) != (long)sizeof(t))
		return -EFAULT;
	wanted.input = t.c_iflag;
	wanted.output = t.c_oflag;
	wanted.control = t.c_cflag;
	wanted.local = t.c_lflag;
	memcpy(wanted.chars, t.c_cc, sizeof(t.c_cc));
	if (wait)
		hostchan_drain();
	return hostchan_set_terminal(&wanted);
}

static long console_ioctl(struct file *f, uint32_t command, uaddr_t arg)
{
	struct winsize size = { 0 };
	int32_t group = PROCESS_PID;

	if (!is_tty(f))
		return -ENOTTY;
	switch (command) {
	case TCGETS:
		return get_termios(arg);
	case TCSETS:
	case TCSETSW:
	case TCSETSF: /* CAVEAT: what was typed and not read yet stays */
		return set_termios(arg, command != TCSETS);
	case TIOCGWINSZ:
		hostchan_window_size(&size.ws_row, &size.ws_col);
		return copy_to_program(arg, &size, sizeof(size));
	case TIOCGPGRP:
	case TIOCGSID:
		return copy_to_program(arg, &group, sizeof(group));
	default:
		return -ENOTTY;
	}
}

static int console_stat(struct file *f, struct file_stat *out)
{
	out->device = VFS_DEVICE_PIPE;
	out->inode = 1 + stream_of(f);
	out->mode = is_tty(f) ? S_IFCHR | 0620 : S_IFIFO | 0600;
	out->special_device = is_tty(f) ? TTY_RDEV : 0;
	out->atime_ns = out->mtime_ns = out->ctime_ns = vfs_boot_time_ns();
	return 0;
}

static const struct file_ops console_ops = {
	.kind = "pipe:",
	.read = console_read,
	.write = console_write,
	.poll = console_poll,
	.pollq = console_pollq,
	.ioctl = console_ioctl,
	.stat = console_stat,
};

int console_open(unsigned stream, uint32_t flags, struct file **out)
{
	ASSERT(stream < HOSTCHAN_STREAMS);
	/* Shared by all descriptions, never written through. */
	return file_alloc(&console_ops, (void *)(uintptr_t)&streams[stream], flags, out);
}

int console_open_tty(uint32_t flags, struct file **out)
{
	for (unsigned i = 0; i < HOSTCHAN_STREAMS; i++)
		if (options.tty[i])
			return console_open(i, flags, out);
	return -ENXIO;
}

int console_reopen(const struct file *f, uint32_t flags, struct file **out)
{
	return console_open(stream_of(f), flags, out);
}
