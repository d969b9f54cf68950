/*
 * unix_rights.c: open files on their way in messages of UNIX sockets.
 *
 * What:       a message may carry references to files. When the file is a UNIX socket, its queue
 *             may carry further ones, and sockets may end up in each other's queues with nobody
 *             else to close them. So sockets on their way are counted, and when a UNIX socket is
 *             closed the circles that nothing outside refers to are emptied.
 * Invariants: (1) a socket's in_flight is the number of queued messages' references to its file.
 *             (2) a suspect, all of whose references are in queues, gets no further reference but
 *             by a receive from such a queue: so what is judged under LOCK_NET stays true.
 *             (3) files are put without a lock, by one thread at a time: putting one may drop more
 *             messages, which are then put by the same loop, not by recursion.
 * Locking:    LOCK_NET. May sleep: unix_rights_settle.
 * Failure:    -ETOOMANYREFS: more are on their way than there could be descriptors. A circle that
 *             closes by something else than a UNIX socket's close waits for the next such close.
 * Source:     Linux unix(7), net/unix/garbage.c (what is garbage), net/core/scm.c.
 */
#include "base/errno.h"
#include "fs/fdtable.h"
#include "kernel/cred.h"
#include "kernel/mm/kmem.h"
#include "kernel/process.h"
#include "lib/string.h"
#include "net/net_priv.h"
#include "net/unix_priv.h"

static struct {
	struct unix_queue in_flight; /* [n] sockets */
	uint32_t files; /* [n] references in all queues */
	struct unix_messages dropped; /* [n] whose files wait to be put */
	bool settling; /* [n] (3) */
	struct unix_queue work; /* [n] sockets that a search has still to deal with */
	_Atomic uint32_t dropped_count; /* written under LOCK_NET; a thread sees what it dropped */
} rights = { .in_flight = TAILQ_HEAD_INITIALIZER(rights.in_flight),
	.dropped = STAILQ_HEAD_INITIALIZER(rights.dropped),
	.work = TAILQ_HEAD_INITIALIZER(rights.work) };

struct socket_credentials unix_own_credentials(void)
{
	const struct cred *c = cred_current();

	return (struct socket_credentials){ PROCESS_PID, c->euid, c->egid };
}

/* NULL: another kind of file. */
static struct unix_socket *socket_in(struct file *f)
{
	return socket_is(f) && socket_family(f) == SOCKET_UNIX ? unix_of(socket_of(f)) : NULL;
}

/* ------------------------------------------------------------------ on the way */
int unix_rights_check_locked(const struct socket_files *files)
{
	net_assert_locked();
	if (files == NULL)
		return 0;
	return rights.files + files->count > FDTABLE_LIMIT ? -ETOOMANYREFS : 0;
}

void unix_rights_depart_locked(const struct unix_message *m)
{
	struct unix_socket *u;
	uint32_t i;

	net_assert_locked();
	for (i = 0; m->files != NULL && i < m->files->count; i++) {
		rights.files++;
		u = socket_in(m->files->file[i]);
		if (u != NULL && u->in_flight++ == 0)
			TAILQ_INSERT_TAIL(&rights.in_flight, u, flight_link);
	}
}

struct socket_files *unix_rights_arrive_locked(struct unix_message *m)
{
	struct socket_files *files = m->files;
	struct unix_socket *u;
	uint32_t i;

	net_assert_locked();
	for (i = 0; files != NULL && i < files->count; i++) {
		rights.files--;
		u = socket_in(files->file[i]);
		if (u != NULL && --u->in_flight == 0)
			TAILQ_REMOVE(&rights.in_flight, u, flight_link);
	}
	m->files = NULL;
	return files;
}

struct socket_files *unix_rights_copy_locked(const struct socket_files *files)
{
	size_t bytes = sizeof(*files) + files->count * sizeof(void *);
	struct socket_files *copy = kmem_alloc(bytes);
	uint32_t i;

	if (copy == NULL)
		return NULL;
	memcpy(copy, files, bytes);
	for (i = 0; i < copy->count; i++)
		file_get(copy->file[i]);
	return copy;
}

/* ------------------------------------------------------------------ dropping */
void unix_rights_drop_locked(struct unix_message *m)
{
	struct socket_files *files = unix_rights_arrive_locked(m);

	if (files == NULL) {
		kmem_free(m);
		return;
	}
	m->files = files;
	STAILQ_INSERT_TAIL(&rights.dropped, m, link);
	atomic_fetch_add_explicit(&rights.dropped_count, 1, memory_order_relaxed);
}

static struct unix_message *take_dropped(void)
{
	struct unix_message *m = STAILQ_FIRST(&rights.dropped);

	if (m == NULL)
		return NULL;
	STAILQ_REMOVE_HEAD(&rights.dropped, link);
	atomic_fetch_sub_explicit(&rights.dropped_count, 1, memory_order_relaxed);
	return m;
}

void unix_rights_settle(void)
{
	struct unix_message *m;

	if (atomic_load_explicit(&rights.dropped_count, memory_order_relaxed) == 0)
		return;
	net_lock();
	if (rights.settling) { /* (3) */
		net_unlock_batch();
		return;
	}
	rights.settling = true;
	while ((m = take_dropped()) != NULL) {
		net_unlock();
		socket_put_files(m->files);
		kmem_free(m);
		net_lock();
	}
	rights.settling = false;
	net_unlock();
}

/* ------------------------------------------------------------------ circles */
static void each_in_queue(struct unix_socket *u, void (*visit)(struct unix_socket *found))
{
	struct unix_message *m;
	struct unix_socket *found;
	uint32_t i;

	STAILQ_FOREACH(m, &u->messages, link) {
		for (i = 0; m->files != NULL && i < m->files->count; i++) {
			found = socket_in(m->files->file[i]);
			if (found != NULL && found->is_suspect)
				visit(found);
		}
	}
}

/* Suspects in u's queue, and in those of connections that wait to be accepted. */
static void each_carried(struct unix_socket *u, void (*visit)(struct unix_socket *found))
{
	struct unix_socket *child;

	each_in_queue(u, visit);
	TAILQ_FOREACH(child, &u->accept_queue, accept_link)
		each_in_queue(child, visit);
}

static void explain(struct unix_socket *u)
{
	u->unexplained--;
}

static void reach(struct unix_socket *u)
{
	if (u->is_reached)
		return;
	u->is_reached = true;
	TAILQ_INSERT_TAIL(&rights.work, u, work_link);
}

static struct unix_socket *take_work(void)
{
	struct unix_socket *u = TAILQ_FIRST(&rights.work);

	if (u != NULL)
		TAILQ_REMOVE(&rights.work, u, work_link);
	return u;
}

/* A suspect is reached when a queue refers to it whose socket is none, or is reached itself. */
static void find_reached(void)
{
	struct unix_socket *u;

	TAILQ_FOREACH(u, &rights.in_flight, flight_link) {
		u->is_suspect = atomic_load_explicit(&u->base.file->refs, memory_order_acquire) ==
			u->in_flight;
		u->is_reached = false;
		u->unexplained = u->in_flight;
	}
	TAILQ_FOREACH(u, &rights.in_flight, flight_link)
		if (u->is_suspect)
			each_carried(u, explain);
	TAILQ_FOREACH(u, &rights.in_flight, flight_link)
		if (u->is_suspect && u->unexplained != 0)
			reach(u);
	while ((u = take_work()) != NULL)
		each_carried(u, reach);
}

void unix_rights_collect_locked(void)
{
	struct unix_socket *u, *child;

	net_assert_locked();
	if (TAILQ_EMPTY(&rights.in_flight))
		return;
	find_reached();
	TAILQ_FOREACH(u, &rights.in_flight, flight_link)
		if (u->is_suspect)
			reach(u); /* what is reached now was not before: garbage */
	while ((u = take_work()) != NULL) {
		unix_drop_messages_locked(u);
		TAILQ_FOREACH(child, &u->accept_queue, accept_link)
			unix_drop_messages_locked(child);
	}
}
