/*
 * counters.h: what lwIP counts (LWIP_STATS_FILENAME), in 64 bits.
 *
 * lwIP says `MIB2_STATS_INC(mib2.tcpinsegs)`; the fields have its names. Those that it counts in a
 * way of its own are counted by net/counters.c, too. All under LOCK_NET.
 */
#pragma once

#include <stdint.h>

/* Packets of one protocol, by what became of them. */
struct net_lwip_fates {
	uint64_t xmit, recv, fw, drop, chkerr, lenerr, memerr, rterr, proterr, opterr, err,
		cachehit;
};

struct net_lwip_counters {
	struct {
		uint64_t ipinreceives, ipinhdrerrors, ipinaddrerrors, ipforwdatagrams,
			ipinunknownprotos, ipindiscards, ipindelivers, ipoutrequests, ipoutdiscards,
			ipoutnoroutes, ipreasmreqds, ipreasmoks, ipreasmfails, ipfragoks,
			ipfragfails;
		uint64_t tcpactiveopens, tcppassiveopens, tcpattemptfails, tcpestabresets,
			tcpinsegs, tcpoutsegs, tcpretranssegs, tcpinerrs, tcpoutrsts, tcptimeouts;
		uint64_t udpindatagrams, udpnoports, udpinerrors, udpoutdatagrams;
		uint64_t icmpinmsgs, icmpinerrors, icmpindestunreachs, icmpintimeexcds,
			icmpinparmprobs, icmpinsrcquenchs, icmpinredirects, icmpinechos,
			icmpinechoreps, icmpintimestamps, icmpintimestampreps, icmpinaddrmasks,
			icmpinaddrmaskreps, icmpoutmsgs, icmpouterrors, icmpoutdestunreachs,
			icmpouttimeexcds, icmpoutechoreps;
	} mib2;
	struct net_lwip_fates ip6, ip_frag, ip6_frag, tcp;
};

extern struct net_lwip_counters net_lwip_counters; /* net/counters.c */

#define NET_LWIP_COUNT(field) (++net_lwip_counters.field)
#undef MIB2_STATS_INC
#define MIB2_STATS_INC NET_LWIP_COUNT
#undef IP6_STATS_INC
#define IP6_STATS_INC NET_LWIP_COUNT
#undef IPFRAG_STATS_INC
#define IPFRAG_STATS_INC NET_LWIP_COUNT
#undef IP6_FRAG_STATS_INC
#define IP6_FRAG_STATS_INC NET_LWIP_COUNT
#undef TCP_STATS_INC
#define TCP_STATS_INC NET_LWIP_COUNT
