#!/usr/bin/env python3
"""Writes a tar.xz that holds half a second of sound.

    sound.py PATH
"""

import io
import math
import struct
import sys
import tarfile
import wave

sound = io.BytesIO()
with wave.open(sound, "wb") as output:
    output.setnchannels(1)
    output.setsampwidth(2)
    output.setframerate(8000)
    output.writeframes(b"".join(struct.pack("<h", int(16384 * math.sin(number * math.pi / 10))) for number in range(4000)))
with tarfile.open(sys.argv[1], "w:xz") as archive:
    entry = tarfile.TarInfo("beep.wav")
    entry.size = len(sound.getvalue())
    archive.addfile(entry, io.BytesIO(sound.getvalue()))
