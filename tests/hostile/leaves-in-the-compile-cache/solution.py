"""T64. Leaves code in the caches that compilers trust, for whoever compiles next.

expected: wrong
way: twice
"""
import os
from pathlib import Path
from kit import TO, Empty, attempt, say
class Solution(Empty):
    def attack(self):
        for name in ("TORCHINDUCTOR_CACHE_DIR", "TRITON_CACHE_DIR", "CUDA_CACHE_PATH", "HF_HOME", "MPLCONFIGDIR"):
            place = Path(os.environ[name]) / "kernel.so"
            def leave(place=place):
                if place.exists():
                    say(place.read_bytes())
                place.parent.mkdir(parents=True, exist_ok=True)
                place.write_text(TO["token"])
            attempt(leave)
