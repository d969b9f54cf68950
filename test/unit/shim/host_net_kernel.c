/*
 * host_net_kernel.c: what the network core asks of the rest of the kernel, on the host.
 *
 * What:       one process that is root and has no file tree; files that only count references;
 *             program memory that is all there; random numbers and hashes that repeat.
 * Invariants: none.
 * Locking:    none.
 * Failure:    memory, when host_kmem.c is told so.
 * Source:     fs/file.h, fs/vfs.h, kernel/cred.h, kernel/entropy.h.
 */
#include <string.h>

#include <bearssl_hash.h>

#include "base/errno.h"
#include "fs/file.h"
#include "fs/fs.h"
#include "fs/perm.h"
#include "fs/vfs.h"
#include "host.h"
#include "kernel/cred.h"
#include "kernel/entropy.h"
#include "kernel/mm/kmem.h"
#include "kernel/process.h"
#include "kernel/signal/signal.h"
#include "kernel/stats.h"
#include "kernel/uio.h"

void entropy_fill(void *out, size_t bytes)
{
	static uint64_t seed;
	uint8_t *p = out;

	while (bytes-- != 0)
		*p++ = (uint8_t)host_random(&seed);
}

void br_sha256_init(br_sha256_context *cc)
{
	cc->count = 14695981039346656037ull;
}

void br_sha224_update(br_sha224_context *cc, const void *data, size_t len)
{
	const uint8_t *p = data;

	while (len-- != 0)
		cc->count = (cc->count ^ *p++) * 1099511628211ull;
}

void br_sha256_out(const br_sha256_context *cc, void *out)
{
	memset(out, 0, br_sha256_SIZE);
	memcpy(out, &cc->count, sizeof(cc->count));
}

void boot_mark(const char *what)
{
	(void)what;
}

int thread_create_kernel(const char *name, void (*entry)(void *), void *arg)
{
	(void)name;
	(void)entry;
	(void)arg;
	return 0;
}

void fs_set_resolv(const uint32_t *dns, uint32_t count, const char *search)
{
	(void)dns;
	(void)count;
	(void)search;
}

/* No file tree: abstract names only. */
int vfs_make_node(const struct vfs_at *at, uint32_t mode, uint64_t device, struct inode **out)
{
	(void)at;
	(void)mode;
	(void)device;
	(void)out;
	return -ENOSPC;
}

int vfs_resolve(const struct vfs_at *at, enum vfs_follow follow, struct inode **out)
{
	(void)at;
	(void)follow;
	(void)out;
	return -ENOENT;
}

int perm_check(struct inode *i, unsigned mask)
{
	(void)i;
	(void)mask;
	return 0;
}

void inode_put(struct inode *i)
{
	(void)i;
}

const struct cred *cred_current(void)
{
	static const struct cred root;

	return &root;
}

bool cred_has(const struct cred *c, unsigned cap)
{
	(void)c;
	(void)cap;
	return true;
}

void signal_send_thread(struct thread *t, const struct signal_info *info)
{
	(void)t;
	(void)info;
}

int user_copy_in(void *dst, uaddr_t src, size_t n)
{
	memcpy(dst, (const void *)src, n);
	return 0;
}

int user_copy_out(uaddr_t dst, const void *src, size_t n)
{
	memcpy((void *)dst, src, n);
	return 0;
}

int user_zero(uaddr_t dst, size_t n)
{
	memset((void *)dst, 0, n);
	return 0;
}

int file_alloc(const struct file_ops *ops, void *object, uint32_t flags, struct file **out)
{
	struct file *f = kmem_zalloc(sizeof(*f));

	if (f == NULL)
		return -ENOMEM;
	f->ops = ops;
	f->object = object;
	f->refs = 1;
	f->flags = flags;
	*out = f;
	return 0;
}

void file_get(struct file *f)
{
	f->refs++;
}

void file_put(struct file *f)
{
	if (--f->refs != 0)
		return;
	f->ops->release(f);
	kmem_free(f);
}

bool process_is_ending(void)
{
	return false;
}

void net_proc_init(void);
void net_proc_init(void)
{
}
