/* libgreet.so: small enough to check by hand, yet it leans on the C library, so the loader has work to do. */
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

/* Writes a greeting of at most size bytes with its end; returns its length, as snprintf(3) does. */
int greet(const char *name, char *out, size_t size) {
  return snprintf(out, size, "Hello, %s, from a library that was never on a disk.", name);
}

/* Adler-32 (RFC 1950) of count bytes. */
uint32_t greet_adler32(const uint8_t *bytes, size_t count) {
  uint32_t a = 1, b = 0;
  for (size_t i = 0; i < count; i++) {
    a = (a + bytes[i]) % 65521;
    b = (b + a) % 65521;
  }
  return b << 16 | a;
}
