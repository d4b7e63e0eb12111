// The program's code in huge pages.
#ifndef CLINUX_HUGECODE_H
#define CLINUX_HUGECODE_H

#include <stddef.h>

// Replaces the parts of this object's code that fill 2 MiB by copies in anonymous huge pages. A process that is forked from this one has
// them at once, where it would otherwise take a page fault for each 64 KiB of the file that it executes, and give all these small pages
// back at its end: a tenth of a worker's processor time for a small archive.
//
// It takes as much memory as there are parts, shared with forked processes. Returns the bytes that were replaced: 0, and nothing
// changed, where the kernel has no MADV_COLLAPSE (Linux 6.1), has no huge pages left, or executes nothing that the process has
// written (SELinux' execmem, PR_SET_MDWE).
size_t clinux_use_huge_code(void);

#endif
