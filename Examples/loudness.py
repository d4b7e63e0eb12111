"""loudness.py: reads 16-bit stereo samples at 44,100 Hz from standard input; exits 1 when they are silent."""
import array
import math
import sys

samples = array.array("h", sys.stdin.buffer.read())
peak = max(map(abs, samples), default=0)
rms = math.sqrt(sum(s * s for s in samples) / max(1, len(samples)))
silent = peak < 500 or rms < 50
print(f"{len(samples) / 2 / 44100:.1f} s, peak {peak}, rms {rms:.0f} of 32767" + (": silent" if silent else ""))
sys.exit(silent)
