/*
 * dev.h: /dev.
 */
#pragma once

void dev_init(void);
