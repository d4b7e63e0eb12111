#define _GNU_SOURCE
#include "CLinux.h"

#include <link.h>
#include <string.h>
#include <sys/mman.h>

enum { STEP = 2 << 20 };

struct range {
  uintptr_t start, end;
};

static uintptr_t round_down(uintptr_t address) { return address & ~(uintptr_t)(STEP - 1); }

static uintptr_t round_up(uintptr_t address) { return round_down(address + STEP - 1); }

// The parts of the segment that this function is in.
static int find(struct dl_phdr_info *object, size_t size, void *found) {
  (void)size;
  for (int index = 0; index < object->dlpi_phnum; index++) {
    const ElfW(Phdr) *segment = &object->dlpi_phdr[index];
    uintptr_t start = object->dlpi_addr + segment->p_vaddr, end = start + segment->p_filesz;
    if (segment->p_type != PT_LOAD || segment->p_flags & PF_W) continue;
    if ((uintptr_t)find < start || (uintptr_t)find >= end) continue;
    *(struct range *)found = (struct range){round_up(start), round_down(end)};
    return 1;
  }
  return 0;
}

size_t clinux_use_huge_code(void) {
  struct range code = {0, 0};
  if (!dl_iterate_phdr(find, &code) || code.end <= code.start) return 0;
  size_t size = code.end - code.start, room_size = size + STEP;
  void *room = mmap(NULL, room_size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (room == MAP_FAILED) return 0;
  char *copy = (char *)round_up((uintptr_t)room);
  madvise(copy, size, MADV_HUGEPAGE);
  memcpy(copy, (const void *)code.start, size);
  // Huge are all of them or none: fork(2) copies an entry of its tables for each small page of anonymous memory.
  size_t replaced = 0;
  if (madvise(copy, size, CLINUX_MADV_COLLAPSE) == 0 && mprotect(copy, size, PROT_READ | PROT_EXEC) == 0 &&
      // One call, so that there is code at each moment.
      mremap(copy, size, size, MREMAP_MAYMOVE | MREMAP_FIXED, (void *)code.start) != MAP_FAILED)
    replaced = size;
  munmap(room, room_size);
  return replaced;
}
