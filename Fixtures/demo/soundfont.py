"""soundfont.py OUT: writes a small SoundFont 2.01, every sample computed here.

Three presets: 0:0 Pluck and 0:32 Bass share one looped tone, 128:0 Kit has a kick and a hat.
"""
import math
import struct
import sys

RATE = 44000      # a period of exactly 100 points is 440 Hz, so the loop has no tuning error
PERIOD = 100
GUARD = 46        # SoundFont 2.01, 6.1: at least 46 zero points follow each sample

# Generators, SoundFont 2.01, 8.1.2.
FILTER_CUTOFF, REVERB, PAN = 8, 16, 17
ATTACK, DECAY, SUSTAIN, RELEASE = 34, 36, 37, 38
INSTRUMENT, KEY_RANGE, ATTENUATION = 41, 43, 48
SAMPLE, MODES, ROOT_KEY = 53, 54, 58


def tone():
    """A bright attack that settles into a soft steady wave; the last period before the pad is the loop."""
    attack = 140 * PERIOD
    steady = [1.0, 0.36, 0.14, 0.06, 0.03]
    points = []
    for n in range(attack + 3 * PERIOD):
        phase, t = 2 * math.pi * n / PERIOD, n / RATE
        # Squared, so that the attack's harmonics are exactly gone where the loop begins.
        fade = max(0.0, 1 - n / attack) ** 2
        value = sum(a * math.sin(k * phase) for k, a in enumerate(steady, 1))
        value += fade * sum(math.sin(k * phase) * math.exp(-t * 2 * k) / k for k in range(2, 14))
        points.append(value)
    return points, attack, attack + PERIOD


def kick():
    """A sine that falls from 160 Hz to 45 Hz."""
    points, phase = [], 0.0
    length = RATE // 5
    for n in range(length):
        t = n / RATE
        phase += 2 * math.pi * (45 + 115 * math.exp(-t * 28)) / RATE
        points.append(math.sin(phase) * math.exp(-t * 14) * min(1.0, (length - n) / 400))
    return points, 0, 0


def hat():
    """Noise from a linear congruential generator, so that each run makes the same."""
    points, state, last = [], 1, 0.0
    length = RATE // 16
    for n in range(length):
        state = (state * 1103515245 + 12345) & 0x7FFFFFFF
        noise = state / 0x3FFFFFFF - 1
        points.append((noise - last) * math.exp(-n / RATE * 60) * (length - n) / length)
        last = noise
    return points, 0, 0


def chunk(tag, body):
    return tag + struct.pack("<I", len(body)) + body + b"\0" * (len(body) & 1)


def text(tag, value):
    body = value.encode() + b"\0"
    return chunk(tag, body + b"\0" * (len(body) & 1))


def name(value):
    return value.encode().ljust(20, b"\0")


def timecents(seconds):
    return round(1200 * math.log2(seconds))


def bags(owners):
    """The bag and generator lists of all presets or all instruments, and each owner's first bag."""
    first, bag, gen = [], b"", []
    for zones in owners:
        first.append(len(bag) // 4)
        for zone in zones:
            bag += struct.pack("<HH", len(gen), 0)
            gen += zone
    first.append(len(bag) // 4)
    bag += struct.pack("<HH", len(gen), 0)
    gen.append((0, 0))
    return first, bag, b"".join(struct.pack("<HH", g, v & 0xFFFF) for g, v in gen)


def keys(low, high):
    return (KEY_RANGE, high << 8 | low)


samples = [("Tone", 69, tone()), ("Kick", 36, kick()), ("Hat", 42, hat())]
instruments = [
    ("Pluck", [[(REVERB, 150), (ATTACK, timecents(0.003)), (DECAY, timecents(2.5)), (SUSTAIN, 700),
                (RELEASE, timecents(0.4)), (MODES, 1), (SAMPLE, 0)]]),
    ("Bass", [[(FILTER_CUTOFF, 8400), (ATTACK, timecents(0.005)), (DECAY, timecents(3)), (SUSTAIN, 400),
               (RELEASE, timecents(0.15)), (MODES, 1), (SAMPLE, 0)]]),
    ("Kit", [[keys(35, 36), (RELEASE, timecents(0.3)), (ROOT_KEY, 36), (SAMPLE, 1)],
             [keys(42, 42), (PAN, 150), (ATTENUATION, 120), (RELEASE, timecents(0.1)), (ROOT_KEY, 42), (SAMPLE, 2)]]),
]
presets = [("Pluck", 0, 0, 0), ("Bass", 0, 32, 1), ("Kit", 128, 0, 2)]   # sorted by bank, then program

pool, shdr = b"", b""
for label, key, (points, loop_start, loop_end) in samples:
    start, scale = len(pool) // 2, 26000 / max(map(abs, points))
    pool += struct.pack(f"<{len(points)}h", *(round(p * scale) for p in points))
    shdr += name(label) + struct.pack("<IIIIIBbHH", start, start + len(points), start + loop_start,
                                      start + loop_end, RATE, key, 0, 0, 1)
    pool += bytes(2 * GUARD)
shdr += name("EOS") + bytes(26)

first, ibag, igen = bags([zones for _, zones in instruments])
inst = b"".join(name(label) + struct.pack("<H", bag)
                for label, bag in zip([label for label, _ in instruments] + ["EOI"], first))
first, pbag, pgen = bags([[[(INSTRUMENT, number)]] for _, _, _, number in presets])
phdr = b"".join(name(label) + struct.pack("<HHHIII", program, bank, bag, 0, 0, 0)
                for (label, bank, program, _), bag in zip(presets + [("EOP", 0, 0, 0)], first))

info = (chunk(b"ifil", struct.pack("<HH", 2, 1)) + text(b"isng", "EMU8000") + text(b"INAM", "MemArchive tiny")
        + text(b"ICOP", "Apache-2.0"))
pdta = b"".join(chunk(tag, body) for tag, body in [
    (b"phdr", phdr), (b"pbag", pbag), (b"pmod", bytes(10)), (b"pgen", pgen),
    (b"inst", inst), (b"ibag", ibag), (b"imod", bytes(10)), (b"igen", igen), (b"shdr", shdr)])
font = chunk(b"RIFF", b"sfbk" + chunk(b"LIST", b"INFO" + info)
             + chunk(b"LIST", b"sdta" + chunk(b"smpl", pool)) + chunk(b"LIST", b"pdta" + pdta))

with open(sys.argv[1], "wb") as out:
    out.write(font)
