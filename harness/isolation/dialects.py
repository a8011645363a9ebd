"""What the two versions of control groups call their files and keys."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Dialect:
    """The names of the files of one version of control groups, and the keys in them."""

    version: int
    usage: str
    peak: str
    anonymous: str
    cached: str
    shared: str
    limit: str
    no_swap: tuple[str, str]
    oom: str


V1 = Dialect(
    version=1,
    usage="memory.usage_in_bytes",
    peak="memory.max_usage_in_bytes",
    anonymous="total_rss",
    cached="total_cache",
    shared="total_shmem",
    limit="memory.limit_in_bytes",
    no_swap=("memory.swappiness", "0"),
    oom="memory.oom_control",
)


V2 = Dialect(
    version=2,
    usage="memory.current",
    peak="memory.peak",
    anonymous="anon",
    cached="file",
    shared="shmem",
    limit="memory.max",
    no_swap=("memory.swap.max", "0"),
    oom="memory.events",
)
