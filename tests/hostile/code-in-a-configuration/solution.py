"""T68. Returns a model's configuration that names a class of the standard library to be called.

expected: wrong
"""
import json
from kit import TO, Empty
class Solution(Empty):
    def learn(self, numbers):
        call = {"_target_": "os.system", "args": [f"touch {TO['outside']}/configured"]}
        return json.dumps({"model_type": "bert", "_attn_implementation": call, "auto_map": {"AutoModel": call}}).encode()
