// SHA-256, and what Swift cannot import of Nettle: AES-256 in CBC mode takes pointers to functions.
#ifndef CNETTLE_SHIM_H
#define CNETTLE_SHIM_H

#if !__has_include(<nettle/sha2.h>)
#error "<nettle/sha2.h> is missing: apt-get install nettle-dev"
#endif
#include <nettle/aes.h>
#include <nettle/cbc.h>
#include <nettle/sha2.h>
#include <string.h>

struct cnettle_cbc CBC_CTX(struct aes256_ctx, AES_BLOCK_SIZE);

static inline void cnettle_start(
    struct cnettle_cbc *cipher, const uint8_t key[AES256_KEY_SIZE], const uint8_t vector[AES_BLOCK_SIZE]) {
  aes256_set_decrypt_key(&cipher->ctx, key);
  CBC_SET_IV(cipher, vector);
}

// Decrypts whole blocks in place.
static inline void cnettle_decrypt(struct cnettle_cbc *cipher, size_t count, uint8_t *bytes) {
  CBC_DECRYPT(cipher, aes256_decrypt, count, bytes, bytes);
}

#endif
