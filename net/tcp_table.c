/*
 * tcp_table.c: lwIP's connection lists in buckets, and TCP's time, which runs only where it must.
 *
 * What:       a hash table of connections under lwIP's two global lists: selecting a bucket stores
 *             the lists of the one before and loads its own. Each bucket knows what its
 *             connections wait for: the next fast tick (a delayed ACK), the next slow tick
 *             (unacknowledged data and the like), a later tick (keepalive, TIME_WAIT), or nothing.
 *             Ticks run for buckets that wait, and lwIP's tick counter follows the clock whether
 *             ticks ran or not.
 * Invariants: (1) lwIP's two lists are those of the current bucket whenever lwIP runs. (2) Outside
 *             the lock no bucket is on the touched list: needs are known. (3) An idle connection
 *             costs no tick. (4) A jump of the clock (a stopped machine) is not counted as time.
 *             (5) lwIP's tick counter never goes back, for it subtracts without sign.
 * Locking:    LOCK_NET.
 * Failure:    none; no allocation.
 * Source:     lwIP 2.1.3 tcp.c (tcp_slowtmr, tcp_fasttmr) for what each state waits for;
 *             Linux tcp_timer.c for the times.
 */
#include "net/tcp_table.h"

#include <lwip/priv/tcp_priv.h>

#include "base/assert.h"
#include "base/units.h"
#include "kernel/entropy.h"
#include "net/address.h"
#include "net/counters.h"
#include "net/net_priv.h"
#include "net/tcp_socket_priv.h"

#define BUCKETS TCP_TABLE_BUCKETS
#define TICK_NS (TCP_FAST_INTERVAL * NS_PER_MS) /* a slow tick is every second of these */
#define TICKS_LATE_MAX 8u
#define JUMP_NS (5 * NS_PER_S)
#define TIME_WAIT_PER_BUCKET 16u
#define SLOW_NEVER UINT32_MAX
#define SLOW_TICKS(ms) ((uint32_t)((ms) / TCP_SLOW_INTERVAL))
#define SYN_RTO_TICKS SLOW_TICKS(1000)
#define RTO_MAX_TICKS SLOW_TICKS(120000)

STATIC_ASSERT(TCP_SLOW_INTERVAL == 2 * TCP_FAST_INTERVAL, "one slow tick is two fast ones");

struct bucket {
	struct tcp_pcb *active, *time_wait; /* of the current bucket: in lwIP's variables */
	uint32_t wake_slow; /* slow tick at which to look again; SLOW_NEVER */
	uint16_t touched_next; /* index + 1 in the touched list; 0: last */
	bool touched, fast, slow;
};

static struct {
	struct bucket buckets[BUCKETS];
	uint32_t current;
	uint32_t touched_first; /* index + 1; 0: none */
	uint32_t fast_count, slow_count; /* buckets */
	uint32_t wake_slow; /* no bucket's is earlier */
	uint64_t base_ns; /* time of tick 0 */
	uint64_t ticks_done; /* fast ticks */
	uint64_t now_ns;
	uint32_t slow_now; /* lwIP's tcp_ticks: follows the clock, never goes back: (5) */
	uint64_t key;
} table;

/* ------------------------------------------------------------------ buckets */
static uint64_t mix(uint64_t h, const struct net_ip *ip)
{
	h ^= (uint64_t)ip->word[0] << 32 | ip->word[1];
	h *= 0x9e3779b97f4a7c15ull;
	h ^= h >> 29;
	h += (uint64_t)ip->word[2] << 32 | ip->word[3];
	h *= 0xbf58476d1ce4e5b9ull;
	return h ^ h >> 32;
}

static uint32_t hash(const struct net_ip *local_ip, uint16_t local_port,
	const struct net_ip *remote_ip, uint16_t remote_port)
{
	uint64_t h = mix(mix(table.key, remote_ip), local_ip);

	h = (h + ((uint64_t)local_port << 16 | remote_port)) * 0x94d049bb133111ebull;
	return (uint32_t)(h >> 40) % BUCKETS;
}

static void touch(uint32_t index)
{
	struct bucket *b = &table.buckets[index];

	if (b->touched)
		return;
	b->touched = true;
	b->touched_next = (uint16_t)table.touched_first;
	table.touched_first = index + 1;
}

static void load(uint32_t index)
{
	struct bucket *old = &table.buckets[table.current], *b = &table.buckets[index];

	if (index == table.current)
		return;
	old->active = tcp_active_pcbs;
	old->time_wait = tcp_tw_pcbs;
	tcp_active_pcbs = b->active;
	tcp_tw_pcbs = b->time_wait;
	table.current = index;
}

void tcp_table_select_locked(const struct net_ip *local_ip, uint16_t local_port,
	const struct net_ip *remote_ip, uint16_t remote_port)
{
	uint32_t index = hash(local_ip, local_port, remote_ip, remote_port);

	net_assert_locked();
	load(index);
	touch(index);
}

void tcp_table_select_pcb_locked(const struct tcp_pcb *pcb)
{
	struct net_ip local = net_ip_of_lwip(&pcb->local_ip);
	struct net_ip remote = net_ip_of_lwip(&pcb->remote_ip);

	tcp_table_select_locked(&local, pcb->local_port, &remote, pcb->remote_port);
}

static bool is_tuple(const struct tcp_pcb *pcb, const struct net_ip *local_ip, uint16_t local_port,
	const struct net_ip *remote_ip, uint16_t remote_port)
{
	struct net_ip local = net_ip_of_lwip(&pcb->local_ip);
	struct net_ip remote = net_ip_of_lwip(&pcb->remote_ip);

	return pcb->local_port == local_port && pcb->remote_port == remote_port &&
		net_ip_is_same(&local, local_ip) && net_ip_is_same(&remote, remote_ip);
}

void tcp_table_reuse_time_wait_locked(const struct net_ip *local_ip, uint16_t local_port,
	const struct net_ip *remote_ip, uint16_t remote_port, uint32_t seq)
{
	struct tcp_pcb *pcb;

	for (pcb = tcp_tw_pcbs; pcb != NULL; pcb = pcb->next) {
		if (!is_tuple(pcb, local_ip, local_port, remote_ip, remote_port))
			continue;
		if (TCP_SEQ_GT(seq, pcb->rcv_nxt))
			tcp_abandon(pcb, 0);
		return;
	}
}

struct tcp_pcb *tcp_table_find_locked(const struct net_ip *local_ip, uint16_t local_port,
	const struct net_ip *remote_ip, uint16_t remote_port)
{
	struct tcp_pcb *pcb;

	tcp_table_select_locked(local_ip, local_port, remote_ip, remote_port);
	for (pcb = tcp_active_pcbs; pcb != NULL; pcb = pcb->next)
		if (is_tuple(pcb, local_ip, local_port, remote_ip, remote_port))
			return pcb;
	return NULL;
}

void tcp_table_forget_listener_locked(const struct tcp_pcb_listen *listener)
{
	struct tcp_pcb *pcb;
	uint32_t i;

	for (i = 0; i < BUCKETS; i++) {
		pcb = i == table.current ? tcp_active_pcbs : table.buckets[i].active;
		for (; pcb != NULL; pcb = pcb->next)
			if (pcb->listener == listener)
				pcb->listener = NULL;
	}
}

void tcp_table_each_locked(uint32_t bucket, void (*fn)(const struct tcp_pcb *pcb, void *arg),
	void *arg)
{
	bool current = bucket == table.current;
	const struct bucket *b = &table.buckets[bucket];
	const struct tcp_pcb *pcb;

	net_assert_locked();
	for (pcb = current ? tcp_active_pcbs : b->active; pcb != NULL; pcb = pcb->next)
		fn(pcb, arg);
	for (pcb = current ? tcp_tw_pcbs : b->time_wait; pcb != NULL; pcb = pcb->next)
		fn(pcb, arg);
}

/* ------------------------------------------------------------------ what a bucket waits for */
struct need {
	bool fast, slow;
	uint32_t wake_slow;
};

static void need_wake(struct need *n, uint32_t slow_tick)
{
	n->wake_slow = MIN(n->wake_slow, slow_tick);
}

/* lwIP acts when more than so many ticks have passed since pcb->tmr. */
static void need_after(struct need *n, const struct tcp_pcb *pcb, uint32_t ticks)
{
	need_wake(n, pcb->tmr + ticks + 1);
}

static void need_keepalive(struct need *n, const struct tcp_pcb *pcb)
{
	uint32_t probes = MIN(pcb->keep_cnt_sent, pcb->keep_cnt);

	if (!ip_get_option(pcb, SOF_KEEPALIVE) ||
		(pcb->state != ESTABLISHED && pcb->state != CLOSE_WAIT))
		return;
	need_after(n, pcb, (pcb->keep_idle + probes * pcb->keep_intvl) / TCP_SLOW_INTERVAL);
}

static void need_of_pcb(struct need *n, struct tcp_pcb *pcb)
{
	if ((pcb->flags & (TF_ACK_DELAY | TF_CLOSEPEND)) != 0 || pcb->refused_data != NULL)
		n->fast = true;
	if (pcb->unacked != NULL || pcb->unsent != NULL || pcb->persist_backoff != 0 ||
		pcb->ooseq != NULL || pcb->rtime >= 0 || pcb->state == SYN_SENT ||
		pcb->state == SYN_RCVD)
		n->slow = true;
	if (pcb->state == FIN_WAIT_2 && (pcb->flags & TF_RXCLOSED) != 0)
		need_after(n, pcb, SLOW_TICKS(TCP_FIN_WAIT_TIMEOUT));
	if (pcb->state == LAST_ACK)
		need_after(n, pcb, SLOW_TICKS(2 * TCP_MSL));
	need_keepalive(n, pcb);
	need_wake(n, tcp_deadline_tick_locked(pcb));
}

/* The list is newest first. Too many at once (a flood of short connections): the oldest go. */
static void need_of_time_wait(struct need *n)
{
	struct tcp_pcb *pcb, *next;
	uint32_t count = 0;

	for (pcb = tcp_tw_pcbs; pcb != NULL; pcb = next) {
		next = pcb->next;
		if (++count > TIME_WAIT_PER_BUCKET) {
			net_counters.tcp.time_waits_cut++;
			tcp_abandon(pcb, 0);
			continue;
		}
		need_after(n, pcb, SLOW_TICKS(2 * TCP_MSL));
	}
}

static void look_at(uint32_t index)
{
	struct need n = { false, false, SLOW_NEVER };
	struct bucket *b = &table.buckets[index];
	struct tcp_pcb *pcb;

	load(index);
	for (pcb = tcp_active_pcbs; pcb != NULL; pcb = pcb->next)
		need_of_pcb(&n, pcb);
	need_of_time_wait(&n);
	table.fast_count = table.fast_count - b->fast + n.fast;
	table.slow_count = table.slow_count - b->slow + n.slow;
	b->fast = n.fast;
	b->slow = n.slow;
	b->wake_slow = n.wake_slow;
	table.wake_slow = MIN(table.wake_slow, n.wake_slow);
}

void tcp_table_settle_locked(void)
{
	net_assert_locked();
	while (table.touched_first != 0) {
		uint32_t index = table.touched_first - 1;

		table.touched_first = table.buckets[index].touched_next;
		table.buckets[index].touched = false;
		look_at(index);
	}
}

/* ------------------------------------------------------------------ time */
void tcp_table_init_locked(uint64_t now_ns)
{
	uint32_t i;

	entropy_fill(&table.key, sizeof(table.key));
	table.base_ns = now_ns;
	table.slow_now = 1; /* lwIP takes 0 for "not measured" */
	table.wake_slow = SLOW_NEVER;
	for (i = 0; i < BUCKETS; i++)
		table.buckets[i].wake_slow = SLOW_NEVER;
}

/* (4): far later than what was due, the machine stood still, and so did our time. */
static void forgive_jump(uint64_t now_ns)
{
	uint64_t due = table.ticks_done + 1, due_ns;

	if (table.fast_count + table.slow_count == 0) {
		if (table.wake_slow == SLOW_NEVER)
			return;
		due = (uint64_t)table.wake_slow * 2;
	}
	/* What was late already when we last looked does not make the time since then a jump. */
	due_ns = MAX(table.base_ns + due * TICK_NS, table.now_ns);
	if (now_ns > due_ns + JUMP_NS)
		table.base_ns += ROUND_DOWN((now_ns - due_ns) / TICK_NS, 2) * TICK_NS;
}

void tcp_table_sync_locked(uint64_t now_ns)
{
	uint64_t tick;

	forgive_jump(now_ns);
	tick = (now_ns - table.base_ns) / TICK_NS;
	if (table.fast_count + table.slow_count == 0)
		table.ticks_done = tick; /* nobody waited for those */
	table.now_ns = now_ns;
	table.slow_now = MAX(table.slow_now, (uint32_t)(tick / 2));
	tcp_ticks = table.slow_now;
}

uint64_t tcp_table_next_ns_locked(void)
{
	uint64_t now_tick = (table.now_ns - table.base_ns) / TICK_NS;

	if (table.fast_count != 0)
		return table.base_ns + (now_tick + 1) * TICK_NS;
	if (table.slow_count != 0)
		return table.base_ns + (now_tick / 2 + 1) * 2 * TICK_NS;
	if (table.wake_slow != SLOW_NEVER)
		return table.base_ns + MAX(table.wake_slow, now_tick / 2 + 1) * 2 * TICK_NS;
	return TIME_NEVER_NS;
}

/* lwIP retries a SYN every second; everybody else doubles the time. And no wait is longer than
 * Linux's longest. */
static void correct_timeouts(void)
{
	struct tcp_pcb *pcb;

	for (pcb = tcp_active_pcbs; pcb != NULL; pcb = pcb->next) {
		if (pcb->state == SYN_SENT)
			pcb->rto = (s16_t)(SYN_RTO_TICKS << MIN(pcb->nrtx, 7u));
		pcb->rto = (s16_t)MIN((uint32_t)pcb->rto, RTO_MAX_TICKS);
	}
}

static void run_bucket(uint32_t index, bool slow, uint32_t slow_tick)
{
	struct bucket *b = &table.buckets[index];

	if (!b->fast && !(slow && (b->slow || b->wake_slow <= slow_tick)))
		return;
	load(index);
	touch(index);
	if (b->fast)
		tcp_fasttmr();
	if (!slow)
		return;
	b->wake_slow = SLOW_NEVER; /* settled anew */
	/* A late tick happens now: pcb->tmr, with which it is compared, may be of now. */
	tcp_ticks = table.slow_now - 1; /* tcp_slowtmr counts */
	tcp_slowtmr();
	correct_timeouts();
	tcp_deadline_run_locked();
}

static void run_tick(uint64_t tick)
{
	uint32_t slow_tick = (uint32_t)(tick / 2);
	bool slow = tick % 2 == 0;
	uint32_t i;

	if (slow && table.wake_slow <= slow_tick)
		table.wake_slow = SLOW_NEVER; /* found again below */
	for (i = 0; i < BUCKETS; i++) {
		run_bucket(i, slow, slow_tick);
		table.wake_slow = MIN(table.wake_slow, table.buckets[i].wake_slow);
	}
}

void tcp_table_tick_locked(uint64_t now_ns)
{
	uint64_t target = (now_ns - table.base_ns) / TICK_NS;

	if (table.fast_count + table.slow_count == 0) {
		table.ticks_done = target;
		if (table.wake_slow <= target / 2)
			run_tick(ROUND_DOWN(target, 2));
	} else if (target - table.ticks_done > TICKS_LATE_MAX) {
		table.ticks_done = target - TICKS_LATE_MAX;
	}
	while (table.ticks_done < target) {
		run_tick(++table.ticks_done);
		tcp_table_settle_locked();
	}
	tcp_table_settle_locked();
	tcp_table_sync_locked(now_ns);
}
