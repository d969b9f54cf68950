/*
 * cc.h: what lwIP wants to know about compiler and kernel (names fixed by lwIP).
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#ifndef BYTE_ORDER
#define BYTE_ORDER 1234 /* little-endian, as lwip/arch.h numbers it */
#endif
#define LWIP_NO_INTTYPES_H 1
#define LWIP_NO_CTYPE_H 1
#define LWIP_NO_UNISTD_H 1
#define LWIP_NO_LIMITS_H 1
#ifndef SSIZE_MAX
#define SSIZE_MAX 0x7fffffffffffffffl
#endif
typedef long ssize_t;

#define X8_F "02x"
#define U16_F "u"
#define S16_F "d"
#define X16_F "x"
#define U32_F "u"
#define S32_F "d"
#define X32_F "x"
#define SZT_F "zu"

/* lwIP's own claims are ours: they stop the machine (net/lwip_port.c). */
#define LWIP_PLATFORM_DIAG(x) ((void)0)
#define LWIP_PLATFORM_ASSERT(what) net_lwip_assert_failed(__FILE__, __LINE__, what)
#define LWIP_RAND() net_lwip_random()

void net_lwip_assert_failed(const char *file, int line, const char *what) __attribute__((noreturn));
uint32_t net_lwip_random(void);
