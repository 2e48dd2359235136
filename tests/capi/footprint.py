"""What libfathom.so asks of the machine it is loaded on.

footprint.py LIBRARY.so     needs only the C and C++ run time, and is under 12 MB stripped
"""

import os
import re
import subprocess
import sys
import tempfile

ALLOWED = {"libc.so.6", "libm.so.6", "libstdc++.so.6", "libgcc_s.so.1", "libpthread.so.0", "ld-linux-x86-64.so.2"}
LARGEST = 12_000_000

library = sys.argv[1]
dynamic = subprocess.run(["readelf", "-d", library], check=True, capture_output=True, text=True).stdout
needed = set(re.findall(r"\(NEEDED\).*\[(.*)\]", dynamic))
soname = re.findall(r"\(SONAME\).*\[(.*)\]", dynamic)
with tempfile.TemporaryDirectory() as folder:
    stripped = os.path.join(folder, "stripped.so")
    subprocess.run(["strip", "-o", stripped, library], check=True)
    size = os.path.getsize(stripped)
print(f"{soname}: {size:,} bytes stripped; needs {', '.join(sorted(needed))}")
ok = needed <= ALLOWED and size < LARGEST and soname == ["libfathom.so.1"]
sys.exit(0 if ok else f"expected libfathom.so.1, under {LARGEST:,} bytes, in need of nothing but {sorted(ALLOWED)}")
