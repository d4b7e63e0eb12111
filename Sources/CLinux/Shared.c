#define _GNU_SOURCE
#include "CLinux.h"

#include <limits.h>
#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>

uint32_t clinux_load_shared(const uint32_t *number) { return __atomic_load_n(number, __ATOMIC_ACQUIRE); }

void clinux_store_shared(uint32_t *number, uint32_t value) { __atomic_store_n(number, value, __ATOMIC_RELEASE); }

void clinux_wait_shared(const uint32_t *number, uint32_t value) {
  syscall(SYS_futex, number, FUTEX_WAIT, value, NULL, NULL, 0);
}

void clinux_wake_shared(const uint32_t *number) { syscall(SYS_futex, number, FUTEX_WAKE, INT_MAX, NULL, NULL, 0); }
