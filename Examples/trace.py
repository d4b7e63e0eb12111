"""trace.py: reads `strace -f -y` from standard input and exits 1 when a file was created, changed or opened for writing.

A descriptor is judged by what the kernel says it leads to, not by the path that was asked for: files in memory,
pipes, terminals, /dev/null and a process's own settings in /proc are no disk. A call that failed changed nothing; it is counted.
"""
import collections
import re
import sys

OPENS = {"open", "openat", "openat2", "creat", "open_by_handle_at"}
RESIZES = {"ftruncate", "fallocate"}
WRITABLE = re.compile(r"\bO_(WRONLY|RDWR|CREAT|TRUNC|TMPFILE|APPEND)\b")
QUOTED = re.compile(r'"(?:[^"\\]|\\.)*"')
# strace puts (deleted) behind the bracket for a file in memory; a disk file of that name has it inside.
DESCRIPTOR = r"\d+<(.*?)>(\(deleted\))?"
CALL = re.compile(rf"(\w+)\((.*)\)\s+= (-\d+|{DESCRIPTOR}|\d+)")


def whole_lines(stream):
    """Each call on one line: strace splits one that another thread interrupts."""
    begun = {}
    for line in stream:
        pid, _, text = line.strip().partition(" ")
        text = text.lstrip()
        if text.endswith("<unfinished ...>"):
            begun[pid] = text.removesuffix("<unfinished ...>")
        elif resumed := re.match(r"<\.\.\. \w+ resumed>(.*)", text):
            yield pid, begun.pop(pid, "") + resumed[1]
        else:
            yield pid, text


def medium(target, deleted):
    """What a descriptor leads to when it is not a file on a disk."""
    if target.startswith("/memfd:"):
        return "file in memory" if deleted else None
    if re.match(r"/dev/(tty|pts/\d+)$", target):
        return "terminal"
    # Where a worker says that it is the first to go when memory runs out.
    if re.match(r"/proc/\d+/oom_score_adj$", target):
        return "a setting of the process"
    match = re.match(r"(pipe|socket|anon_inode):|/dev/null$", target)
    return match and (match[1] or match[0])


def only_reads(call, arguments):
    return call in OPENS - {"creat"} and not WRITABLE.search(QUOTED.sub('""', arguments))


def allowed(call, arguments, target, deleted):
    """The medium that a call made or opened for writing; None when that is a disk, or cannot be told."""
    if call == "memfd_create":
        return "file in memory"
    if call in OPENS:
        return medium(target, deleted)
    if call in RESIZES and (descriptor := re.match(DESCRIPTOR, arguments)):
        return medium(descriptor[1], descriptor[2])
    if call == "bind" and 'sun_path="' not in arguments:
        return "socket without a file"
    return None


reads, writes, refused, violations = 0, collections.Counter(), [], []
processes, first, end = set(), None, "the trace stops early"
for pid, text in whole_lines(sys.stdin):
    first = first or pid
    processes.add(pid)
    if pid == first and (exit_line := re.match(r"\+\+\+ (.*) \+\+\+", text)):
        end = exit_line[1]
    if not (match := CALL.match(text)):
        continue
    call, arguments, result, target, deleted = match.groups()
    if only_reads(call, arguments):
        reads += not result.startswith("-")
    elif result.startswith("-"):
        refused.append(text)
    elif found := allowed(call, arguments, target or "", deleted):
        writes[call, found] += 1
    else:
        violations.append(f"{pid} {text}")

print(f"{len(processes)} processes opened {reads} files for reading")
for (call, found), count in sorted(writes.items()):
    print(f"{call}: {count} × {found}, no disk")
print(f"refused by the kernel, so nothing changed: {len(refused)}")
print(f"made, changed, removed or opened for writing on a disk: {len(violations)}")
for violation in violations[:20]:
    print(f"  {violation}")
if end != "exited with 0":
    print(f"the traced programs: {end}")
sys.exit(bool(violations) or end != "exited with 0" or not reads)
