// Digests, Ed25519 and base64.
#ifndef CSODIUM_SHIM_H
#define CSODIUM_SHIM_H

#if !__has_include(<sodium.h>)
#error "<sodium.h> is missing: apt-get install libsodium-dev"
#endif
#include <sodium.h>

#endif
