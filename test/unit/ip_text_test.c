/* sources: lib/ip_text.c lib/fmt.c test/unit/shim/host.c */
/*
 * ip_text_test.c: addresses of IPv4 and IPv6 as text, against the host's libc.
 *
 * What:       every text is read by inet_pton, too, and every address written by both; then
 *             mutated texts and random addresses.
 * Invariants: none.
 * Locking:    one thread.
 * Failure:    aborts with the failed check.
 * Source:     RFC 4291 2.2, RFC 5952; libc's inet_pton, inet_ntop.
 */
#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#include "host.h"
#include "lib/ip_text.h"

static void check_text4(const char *text)
{
	uint8_t ours[4], theirs[4];
	const char *s = text;
	bool good = ip_text_parse4(&s, ours) && *s == 0;

	CHECK_EQ(good, inet_pton(AF_INET, text, theirs) == 1);
	CHECK(!good || memcmp(ours, theirs, sizeof(ours)) == 0);
}

static void check_text(const char *text)
{
	uint8_t ours[16], theirs[16];
	const char *s = text;
	bool good = ip_text_parse6(&s, ours) && *s == 0;

	if (good != (inet_pton(AF_INET6, text, theirs) == 1)) {
		fprintf(stderr, "%s: %d\n", text, good);
		CHECK(false);
	}
	CHECK(!good || memcmp(ours, theirs, 16) == 0);
	check_text4(text);
}

static void check_address(const uint8_t address[16])
{
	char ours[IP_TEXT_BYTES], theirs[INET6_ADDRSTRLEN];
	uint8_t back[16];
	const char *s = ours;

	ip_text_format6(ours, address);
	CHECK(ip_text_parse6(&s, back) && *s == 0 && memcmp(back, address, 16) == 0);
	CHECK(inet_ntop(AF_INET6, address, theirs, sizeof(theirs)) != NULL);
	/* libc writes the long deprecated ::1.2.3.4, too: RFC 5952 5 leaves it open. */
	if (strchr(theirs, '.') == NULL || strncmp(theirs, "::ffff:", 7) == 0)
		CHECK(strcmp(ours, theirs) == 0);
}

int main(void)
{
	static const char *const texts[] = { "::", "::1", "1::", "fe80::1", "1:2:3:4:5:6:7:8",
		"1:2:3:4:5:6:7::", "::2:3:4:5:6:7:8", "1:2:3:4:5:6:7:8:9", "1:2:3:4:5:6:7",
		"::ffff:1.2.3.4", "1:2:3:4:5:6:1.2.3.4", "1::1.2.3.4", "::1.2.3", "::1.2.3.256",
		"1::2::3", ":1", "1:", ":", "", "12345::", "g::", "1:::2", "::1.2.3.4:5",
		"fe80::1%eth0", "FE80::AbCd", "::0.0.0.0", "0:0:0:0:0:0:0:0",
		"1:2:3:4:5:6:7:1.2.3.4", "::1.2.3.4.5", "1.2.3.4", "255.255.255.255", "0.0.0.0",
		"01.2.3.4", "1.2.3", "1.2.3.256", "1.2.3.4.", "1..2.3", "1.2.3.1000000000000" };
	static const char letters[] = ":::::0123abf..%";
	uint64_t seed = 1;
	char text[64];
	uint8_t address[16];
	unsigned i, j, n;

	for (i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		check_text(texts[i]);
	for (i = 0; i < 300000; i++) {
		n = (unsigned)snprintf(text, sizeof(text), "%s",
			texts[host_random(&seed) % (sizeof(texts) / sizeof(texts[0]))]);
		for (j = 0; n != 0 && j < host_random(&seed) % 3; j++)
			text[host_random(&seed) % n] =
				letters[host_random(&seed) % (sizeof(letters) - 1)];
		check_text(text);
	}
	for (i = 0; i < 100000; i++) {
		for (j = 0; j < 16; j++)
			address[j] = host_random(&seed) % 3 == 0 ? (uint8_t)host_random(&seed) : 0;
		check_address(address);
	}
	printf("ip_text_test: ok\n");
	return 0;
}
