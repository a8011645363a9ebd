"""A worker of the hunt: does as it is told with one object, in words that the hunt sends."""

import json

import counters
import files
import kernel
import readings
from table import OBJECTS, Absent

KINDS = (files, kernel, counters)


class Solution:
    def __init__(self, context):
        self.context = context

    def do(self, what):
        what = json.loads(what)
        return json.dumps(getattr(self, what["do"])(what)).encode()

    def objects(self, what):
        """What there is to try, as the table of them knows it."""
        return [
            {"name": o.name, "bits": o.bits, "calls": o.calls, "alive": o.alive, "alone": o.alone}
            for o in OBJECTS.values()
        ]

    def ready(self, what):
        return {name: tried(OBJECTS[name].ready) for name in what["names"]}

    def send(self, what):
        return {name: tried(OBJECTS[name].send, word) for name, word in what["words"].items()}

    def receive(self, what):
        return {name: tried(OBJECTS[name].receive) for name in what["names"]}

    def read(self, what):
        return readings.everything(what.get("only"))

    def work(self, what):
        return readings.work(what["bit"])

    def walk(self, what):
        return readings.walk()


def tried(work, *words):
    """What it returns; an object's reason why it is not to be had here, as text."""
    try:
        return work(*words)
    except Absent as error:
        return str(error)
    except OSError as error:
        return f"refused: {error.strerror}"
    except (ValueError, LookupError, AttributeError) as error:
        return f"not to be had: {error!r}"
