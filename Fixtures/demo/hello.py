"""Greets each argument, then proves that it can read itself by the path it was started with."""
import hashlib
import sys

with open(__file__, "rb") as me:
    text = me.read()
for name in sys.argv[1:]:
    print(f"Hello, {name}.")
print(f"I am {len(text)} bytes at {__file__}, sha256 {hashlib.sha256(text).hexdigest()}")
