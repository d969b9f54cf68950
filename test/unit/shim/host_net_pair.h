/*
 * host_net_pair.h: two connected sockets, and bytes that are known.
 */
#pragma once

#include "host_net.h"

struct pair {
	struct file *client, *server;
};

struct file *listen_on(uint16_t port);
struct pair connected_pair(struct file *l, unsigned patience_s);
void close_pair(struct pair p);
/* From client to server, each byte checked. */
void move_bytes(struct pair p, uint64_t total);
