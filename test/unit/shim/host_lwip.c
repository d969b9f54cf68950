/*
 * host_lwip.c: lwIP for unit tests: its sources as they are, in one piece.
 *
 * What:       the same list as the Makefile's LWIP_SRCS, found beside lwIP's headers.
 * Invariants: none.
 * Locking:    none.
 * Failure:    none.
 * Source:     lwIP 2.1.3.
 */

#pragma GCC diagnostic ignored "-Wmissing-prototypes"
#pragma GCC diagnostic ignored "-Wcast-qual"

#include <../core/def.c>
#include <../core/inet_chksum.c>
#include <../core/init.c>
#include <../core/ip.c>
#include <../core/mem.c>
#include <../core/memp.c>
#include <../core/netif.c>
#include <../core/pbuf.c>
#include <../core/tcp.c>
#include <../core/tcp_in.c>
#include <../core/tcp_out.c>
#include <../core/timeouts.c>
#include <../core/udp.c>
#include <../core/ipv4/dhcp.c>
#include <../core/ipv4/etharp.c>
#include <../core/ipv4/icmp.c>
#include <../core/ipv4/igmp.c>
#include <../core/ipv4/ip4.c>
#include <../core/ipv4/ip4_addr.c>
#include <../core/ipv4/ip4_frag.c>
#include <../core/ipv6/ethip6.c>
#include <../core/ipv6/icmp6.c>
#include <../core/ipv6/inet6.c>
#include <../core/ipv6/ip6.c>
#include <../core/ipv6/ip6_addr.c>
/* Two files name their own list alike. */
#define reassdatagrams reassdatagrams6
#include <../core/ipv6/ip6_frag.c>
#undef reassdatagrams
#include <../core/ipv6/mld6.c>
#include <../core/ipv6/nd6.c>
#include <../netif/ethernet.c>
