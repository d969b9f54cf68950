/*
 * entropy.c: random bytes.
 *
 * What:       a key of 32 bytes. Every request takes the key's ChaCha20 stream: its first 32 bytes
 *             are the next key, what follows keys the caller's own stream, so that a key seen later
 *             tells nothing of earlier output. Input is hashed into the key (SHA-256).
 * Invariants: (1) a key is used once. (2) the key depends on all input ever mixed in.
 * Locking:    LOCK_ENTROPY around the key; output is made outside it.
 * Failure:    none. With neither RDRAND nor virtio-rng there is timing only: one warning.
 * Source:     D. J. Bernstein, "Fast-key-erasure random-number generators"; BearSSL's br_chacha20
 *             and br_sha256.
 */
#include "kernel/entropy.h"

#include <bearssl_block.h>
#include <bearssl_hash.h>

#include "arch/arch.h"
#include "base/compiler.h"
#include "kernel/log.h"
#include "kernel/sync/spinlock.h"
#include "lib/string.h"

#define KEY_BYTES 32u
#define CPU_WORDS 8u /* 512 bits of RDSEED */
#define TIMING_WORDS 8u
#define TIMING_ROUNDS_FEW 64u /* beside the CPU's own generator */
#define TIMING_ROUNDS_MANY 2048u
#define CPU_EVERY 64u /* requests between two words from the CPU */

static struct {
	struct spinlock lock;
	uint8_t key[KEY_BYTES]; /* [lock] */
	uint32_t requests; /* [lock] */
} entropy = { .lock = SPINLOCK_INIT(LOCK_ENTROPY) };

static void wipe(void *p, size_t bytes)
{
	memset(p, 0, bytes);
	__asm__ volatile("" : : "r"(p) : "memory"); /* it is read: the compiler keeps the memset */
}

static void stream(const uint8_t *key, void *out, size_t bytes)
{
	static const uint8_t nonce[12]; /* (1): so it may be constant */

	memset(out, 0, bytes);
	(void)br_chacha20_ct_run(key, nonce, 0, out, bytes);
}

static void mix_locked(const void *data, size_t bytes)
{
	br_sha256_context hash;

	lock_assert_held(&entropy.lock);
	br_sha256_init(&hash);
	br_sha256_update(&hash, entropy.key, sizeof(entropy.key)); /* (2) */
	br_sha256_update(&hash, data, bytes);
	br_sha256_out(&hash, entropy.key);
	wipe(&hash, sizeof(hash));
}

void entropy_mix(const void *data, size_t bytes)
{
	spin_lock(&entropy.lock);
	mix_locked(data, bytes);
	spin_unlock(&entropy.lock);
}

/* How long memory and the counter itself take jitters a little; each round hashes what it saw. */
static void mix_timing(uint32_t rounds)
{
	uint64_t seen[TIMING_WORDS] = { 0 };

	for (uint32_t i = 0; i < rounds; i++) {
		uint64_t *slot = &seen[i % TIMING_WORDS];

		*slot = *slot * 0x9e3779b97f4a7c15ull + arch_cycles();
		if (i % TIMING_ROUNDS_FEW == TIMING_ROUNDS_FEW - 1)
			entropy_mix(seen, sizeof(seen));
	}
}

void entropy_init(void)
{
	uint64_t words[CPU_WORDS];
	bool has_cpu = true;

	for (uint32_t i = 0; i < CPU_WORDS && has_cpu; i++)
		has_cpu = arch_random_u64(&words[i]);
	if (has_cpu)
		entropy_mix(words, sizeof(words));
	else
		log_warn("entropy: this CPU has no random number generator; until virtio-rng "
			 "answers there is timing only");
	mix_timing(has_cpu ? TIMING_ROUNDS_FEW : TIMING_ROUNDS_MANY);
	wipe(words, sizeof(words));
}

/* Two keys from one: the next, and one for the caller alone. */
static void take_key(uint8_t *out)
{
	uint8_t keys[2 * KEY_BYTES];
	uint64_t fresh[2] = { arch_cycles(), 0 };

	spin_lock(&entropy.lock);
	/* A machine that was copied while it ran shall not repeat its twin for long. */
	if (entropy.requests++ % CPU_EVERY == 0 && arch_random_u64(&fresh[1]))
		mix_locked(fresh, sizeof(fresh));
	stream(entropy.key, keys, sizeof(keys));
	memcpy(entropy.key, keys, KEY_BYTES);
	spin_unlock(&entropy.lock);
	memcpy(out, keys + KEY_BYTES, KEY_BYTES);
	wipe(keys, sizeof(keys));
}

void entropy_fill(void *out, size_t bytes)
{
	uint8_t key[KEY_BYTES];

	take_key(key);
	stream(key, out, bytes);
	wipe(key, sizeof(key));
}
