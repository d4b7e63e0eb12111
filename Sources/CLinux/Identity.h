// Internal to CLinux.
#ifndef CLINUX_IDENTITY_H
#define CLINUX_IDENTITY_H

// Maps one user and one group of a new user namespace, each written "INSIDE OUTSIDE 1", because such a namespace maps none.
// The call that was refused. Async-signal-safe.
const char *clinux_map_identity(const char *user, const char *group);

#endif
