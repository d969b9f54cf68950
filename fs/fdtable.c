/*
 * fdtable.c: the process's descriptors, in chunks that come when they are needed.
 *
 * What:       a table of chunks of 512 descriptors; two bitmaps per chunk say which are open and
 *             which have FD_CLOEXEC. The search for the lowest free number starts at a hint.
 * Invariants: (1) a bit in open is set when files[i] is not NULL, or the number is reserved: it is
 *             going to be open. (2) no number below lowest_free is free. (3) an open descriptor
 *             holds one reference of its file.
 * Locking:    fdtable.lock, LOCK_FDTABLE; files are put after it is released.
 * Failure:    -EMFILE, -ENOMEM, -EBADF; -EBUSY: dup to a reserved number.
 * Source:     POSIX dup, close; Linux's fs/file.c for the lowest number.
 */
#include "fs/fdtable.h"

#include <linux/fcntl.h>

#include "base/assert.h"
#include "base/errno.h"
#include "base/units.h"
#include "fs/inode.h"
#include "fs/lock.h"
#include "kernel/mm/kmem.h"

#define CHUNK_BITS 512u
#define WORDS (CHUNK_BITS / 64)
#define CHUNKS (FDTABLE_LIMIT / CHUNK_BITS)
#define SIZE_MIN 64u /* Linux: NR_OPEN_DEFAULT */

struct fd_chunk {
	struct file *files[CHUNK_BITS];
	uint64_t open[WORDS];
	uint64_t close_on_exec[WORDS];
};

static struct {
	struct spinlock lock;
	struct fd_chunk *chunks[CHUNKS]; /* [lock] */
	uint32_t lowest_free; /* [lock] (2) */
	uint32_t size; /* [lock] a power of two above each number that was ever open */
	struct fdtable_limits limits; /* [lock] */
} fdtable;

void fdtable_init(void)
{
	spinlock_init(&fdtable.lock, LOCK_FDTABLE);
	fdtable.limits = (struct fdtable_limits){ FDTABLE_LIMIT, FDTABLE_LIMIT };
	fdtable.size = SIZE_MIN;
}

uint32_t fdtable_size(void)
{
	uint32_t size;

	spin_lock(&fdtable.lock);
	size = fdtable.size;
	spin_unlock(&fdtable.lock);
	return size;
}

struct fdtable_limits fdtable_limits(void)
{
	struct fdtable_limits l;

	spin_lock(&fdtable.lock);
	l = fdtable.limits;
	spin_unlock(&fdtable.lock);
	return l;
}

void fdtable_set_limits(struct fdtable_limits l)
{
	ASSERT(l.soft <= l.hard && l.hard <= FDTABLE_LIMIT);
	spin_lock(&fdtable.lock);
	fdtable.limits = l;
	spin_unlock(&fdtable.lock);
}

static struct file **slot_locked(int fd)
{
	struct fd_chunk *c;

	lock_assert_held(&fdtable.lock);
	if (fd < 0 || (uint32_t)fd >= FDTABLE_LIMIT)
		return NULL;
	c = fdtable.chunks[(uint32_t)fd / CHUNK_BITS];
	if (!c || !c->files[(uint32_t)fd % CHUNK_BITS])
		return NULL;
	return &c->files[(uint32_t)fd % CHUNK_BITS];
}

static uint32_t chunk_first_free(const struct fd_chunk *c, uint32_t from)
{
	for (uint32_t i = from; i < CHUNK_BITS;) {
		uint64_t free_bits = ~c->open[i / 64] >> (i % 64);

		if (free_bits)
			return i + (uint32_t)__builtin_ctzll(free_bits);
		i = ROUND_DOWN(i, 64u) + 64;
	}
	return CHUNK_BITS;
}

/* FDTABLE_LIMIT: none. */
static uint32_t find_free_locked(uint32_t min)
{
	uint32_t fd = MAX(min, fdtable.lowest_free);

	lock_assert_held(&fdtable.lock);
	while (fd < FDTABLE_LIMIT) {
		const struct fd_chunk *c = fdtable.chunks[fd / CHUNK_BITS];
		uint32_t i;

		if (!c)
			return fd;
		i = chunk_first_free(c, fd % CHUNK_BITS);
		fd = ROUND_DOWN(fd, CHUNK_BITS) + i;
		if (i < CHUNK_BITS)
			return fd;
	}
	return FDTABLE_LIMIT;
}

static void set_flag(struct fd_chunk *c, uint32_t i, bool close_on_exec)
{
	uint64_t bit = 1ull << (i % 64);

	if (close_on_exec)
		c->close_on_exec[i / 64] |= bit;
	else
		c->close_on_exec[i / 64] &= ~bit;
}

/* Puts f there and returns what was there before in *old. Takes the reference. */
static int place_locked(struct file *f, uint32_t fd, bool close_on_exec, struct file **old)
{
	struct fd_chunk **chunk = &fdtable.chunks[fd / CHUNK_BITS];
	uint32_t i = fd % CHUNK_BITS;

	lock_assert_held(&fdtable.lock);
	if (!*chunk)
		*chunk = kmem_zalloc(sizeof(**chunk));
	if (!*chunk)
		return -ENOMEM;
	while (fdtable.size <= fd)
		fdtable.size *= 2;
	*old = (*chunk)->files[i];
	(*chunk)->files[i] = f;
	(*chunk)->open[i / 64] |= 1ull << (i % 64);
	set_flag(*chunk, i, close_on_exec);
	return 0;
}

/* f NULL: reserved. */
static int take_lowest(struct file *f, uint32_t min, bool close_on_exec, int *fd)
{
	struct file *old = NULL;
	uint32_t n;
	int r = -EMFILE;

	spin_lock(&fdtable.lock);
	n = find_free_locked(min);
	if (n < fdtable.limits.soft)
		r = place_locked(f, n, close_on_exec, &old);
	if (r == 0) {
		*fd = (int)n;
		if (min <= fdtable.lowest_free)
			fdtable.lowest_free = n + 1;
	}
	spin_unlock(&fdtable.lock);
	ASSERT(!old);
	return r;
}

int fdtable_install(struct file *f, uint32_t min, bool close_on_exec, int *fd)
{
	return take_lowest(f, min, close_on_exec, fd);
}

int fdtable_reserve(bool close_on_exec, int *fd)
{
	return take_lowest(NULL, 0, close_on_exec, fd);
}

static bool is_reserved_locked(uint32_t fd)
{
	const struct fd_chunk *c = fdtable.chunks[fd / CHUNK_BITS];
	uint32_t i = fd % CHUNK_BITS;

	lock_assert_held(&fdtable.lock);
	return c && !c->files[i] && (c->open[i / 64] >> (i % 64) & 1);
}

void fdtable_settle(int fd, struct file *f)
{
	uint32_t n = (uint32_t)fd, i = n % CHUNK_BITS;

	spin_lock(&fdtable.lock);
	ASSERT(is_reserved_locked(n));
	fdtable.chunks[n / CHUNK_BITS]->files[i] = f;
	if (!f) {
		fdtable.chunks[n / CHUNK_BITS]->open[i / 64] &= ~(1ull << (i % 64));
		fdtable.lowest_free = MIN(fdtable.lowest_free, n);
	}
	spin_unlock(&fdtable.lock);
}

/* What close means beyond the descriptor: the process's record locks on the file go. */
static void drop_closed(struct file *f)
{
	if (f->inode)
		lock_descriptor_closed(f);
	file_put(f);
}

int fdtable_install_at(struct file *f, uint32_t fd, bool close_on_exec)
{
	struct file *old = NULL;
	int r = -EBADF;

	spin_lock(&fdtable.lock);
	if (fd < fdtable.limits.soft)
		r = is_reserved_locked(fd) ? -EBUSY : place_locked(f, fd, close_on_exec, &old);
	spin_unlock(&fdtable.lock);
	if (old)
		drop_closed(old);
	return r;
}

int fdtable_dup_at(int old_fd, uint32_t new_fd, bool close_on_exec)
{
	struct file *f;
	int r = fdtable_get(old_fd, &f);

	if (r < 0)
		return r;
	r = fdtable_install_at(f, new_fd, close_on_exec);
	if (r < 0)
		file_put(f);
	return r;
}

int fdtable_get(int fd, struct file **out)
{
	struct file **slot;

	spin_lock(&fdtable.lock);
	slot = slot_locked(fd);
	if (slot) {
		*out = *slot;
		file_get(*out);
	}
	spin_unlock(&fdtable.lock);
	return slot ? 0 : -EBADF;
}

int fdtable_get_open(int fd, struct file **out)
{
	int r = fdtable_get(fd, out);

	if (r == 0 && file_flags(*out) & O_PATH) {
		file_put(*out);
		r = -EBADF;
	}
	return r;
}

int fdtable_get_node(int fd, struct inode **node, struct file **file)
{
	struct file **slot;

	*node = NULL;
	*file = NULL;
	spin_lock(&fdtable.lock);
	slot = slot_locked(fd);
	if (slot && (*slot)->inode) {
		*node = (*slot)->inode;
		inode_get(*node);
	} else if (slot) {
		*file = *slot;
		file_get(*file);
	}
	spin_unlock(&fdtable.lock);
	return slot ? 0 : -EBADF;
}

int fdtable_close(int fd)
{
	struct file **slot, *f = NULL;

	spin_lock(&fdtable.lock);
	slot = slot_locked(fd);
	if (slot) {
		uint32_t n = (uint32_t)fd, i = n % CHUNK_BITS;

		f = *slot;
		*slot = NULL;
		fdtable.chunks[n / CHUNK_BITS]->open[i / 64] &= ~(1ull << (i % 64));
		fdtable.lowest_free = MIN(fdtable.lowest_free, n);
	}
	spin_unlock(&fdtable.lock);
	if (!f)
		return -EBADF;
	drop_closed(f);
	return 0;
}

int fdtable_get_flags(int fd)
{
	int r = -EBADF;

	spin_lock(&fdtable.lock);
	if (slot_locked(fd)) {
		uint32_t n = (uint32_t)fd, i = n % CHUNK_BITS;
		uint64_t word = fdtable.chunks[n / CHUNK_BITS]->close_on_exec[i / 64];

		r = (word >> (i % 64)) & 1 ? FD_CLOEXEC : 0;
	}
	spin_unlock(&fdtable.lock);
	return r;
}

int fdtable_set_flags(int fd, bool close_on_exec)
{
	int r = -EBADF;

	spin_lock(&fdtable.lock);
	if (slot_locked(fd)) {
		uint32_t n = (uint32_t)fd;

		set_flag(fdtable.chunks[n / CHUNK_BITS], n % CHUNK_BITS, close_on_exec);
		r = 0;
	}
	spin_unlock(&fdtable.lock);
	return r;
}

int fdtable_next(int from)
{
	uint32_t n = from < 0 ? 0 : (uint32_t)from;
	int found = -1;

	spin_lock(&fdtable.lock);
	for (; n < FDTABLE_LIMIT && found < 0; n++) {
		if (!fdtable.chunks[n / CHUNK_BITS])
			n |= CHUNK_BITS - 1;
		else if (slot_locked((int)n))
			found = (int)n;
	}
	spin_unlock(&fdtable.lock);
	return found;
}
