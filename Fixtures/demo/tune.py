"""tune.py OUT: writes a standard MIDI file, four bars of Beethoven's Ode to Joy (1824) set here for three channels."""
import struct
import sys

TICKS = 480       # a quarter note
TEMPO = 400_000   # microseconds for a quarter: 150 beats a minute

# (key, quarters)
MELODY = [(76, 1), (76, 1), (77, 1), (79, 1), (79, 1), (77, 1), (76, 1), (74, 1),
          (72, 1), (72, 1), (74, 1), (76, 1), (74, 1.5), (72, 0.5), (72, 2)]
SECOND = [(72, 2), (74, 1), (76, 1), (76, 2), (72, 1), (71, 1), (67, 2), (71, 1), (72, 1), (71, 1.5), (67, 0.5), (67, 2)]
BASS = [(48, 2), (43, 2), (48, 2), (43, 2), (45, 2), (43, 2), (43, 2), (36, 2)]
KICK, HAT = 36, 42


def length(value):
    """A variable-length quantity."""
    out = [value & 0x7F]
    while value := value >> 7:
        out.append(value & 0x7F | 0x80)
    return bytes(reversed(out))


def line(channel, notes, velocity):
    """Notes one after the other, each released a little early."""
    events, at = [], 0.0
    for key, quarters in notes:
        events.append((round(at * TICKS), bytes([0x90 | channel, key, velocity])))
        at += quarters
        events.append((round(at * TICKS) - 20, bytes([0x80 | channel, key, 0])))
    return events


def drums():
    events = []
    for beat in range(16):
        hits = [(beat, HAT, 70), (beat + 0.5, HAT, 45)] + ([(beat, KICK, 100)] if beat % 2 == 0 else [])
        for at, key, velocity in hits:
            events.append((round(at * TICKS), bytes([0x99, key, velocity])))
            events.append((round(at * TICKS) + 100, bytes([0x89, key, 0])))
    return events


def track(events):
    """Times become differences; a release sorts before a start at the same tick, as its status byte is smaller."""
    body, now = b"", 0
    for at, data in sorted(events):
        body += length(at - now) + data
        now = at
    body += length(16 * TICKS - now) + b"\xff\x2f\x00"
    return b"MTrk" + struct.pack(">I", len(body)) + body


TITLE = b"Ode to Joy"
tracks = [
    [(0, b"\xff\x03" + length(len(TITLE)) + TITLE), (0, b"\xff\x51\x03" + TEMPO.to_bytes(3, "big"))],
    [(0, b"\xb0\x0a\x50"), (0, b"\xc0\x00")] + line(0, MELODY, 100),
    [(0, b"\xb1\x0a\x30"), (0, b"\xc1\x00")] + line(1, SECOND, 62),
    [(0, b"\xc2\x20")] + line(2, BASS, 105),
    drums(),
]
# A program must be chosen before the first note of the same tick; 0xC sorts after 0x9, so set-up goes a tick ahead.
for events in tracks:
    events[:] = [(at + (data[0] >> 4 in (8, 9)), data) for at, data in events]

with open(sys.argv[1], "wb") as out:
    out.write(b"MThd" + struct.pack(">IHHH", 6, 1, len(tracks), TICKS) + b"".join(map(track, tracks)))
