"""Of all that a worker can reach: what is tried, what can carry nothing, and what is allowed and nobody has tried.

Nothing may be missing: `unclassified_calls` and `unclassified_files` name what is.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

from harness.worker import syscalls
from tests.worker.test_syscalls import ALLOWED, ARCHITECTURES, COLUMNS, judged

_NUMBERS = Path(__file__).with_name("carriers") / "numbers.txt"

# Why a call can carry nothing from one worker to another, and the calls.
HARMLESS = {
    "tells or sets what is the process's own, and ends with it": """
        arch_prctl capget capset get_robust_list set_robust_list get_thread_area set_thread_area set_tid_address
        rseq sigaltstack rt_sigaction rt_sigpending rt_sigprocmask rt_sigreturn rt_sigsuspend rt_sigtimedwait
        restart_syscall pause getitimer timer_getoverrun timer_gettime timerfd_gettime
        timerfd_settime epoll_create epoll_create1 epoll_ctl epoll_pwait epoll_pwait2
        epoll_wait eventfd poll ppoll pselect6 select close close_range dup dup2 dup3 personality
        landlock_add_rule landlock_create_ruleset landlock_restrict_self seccomp lsm_get_self_attr
        lsm_set_self_attr lsm_list_modules exit exit_group getrlimit chdir fchdir getcwd getrandom
        sched_get_priority_max sched_get_priority_min clock_getres execve execveat""",
    "acts on its own memory only": """
        map_shadow_stack mbind set_mempolicy set_mempolicy_home_node get_mempolicy mseal msync pkey_alloc pkey_free
        pkey_mprotect remap_file_pages futex_requeue""",
    "names users or groups: it has one of each and no right to become another": """
        getegid geteuid getgid getgroups getresgid getresuid getuid setfsgid setfsuid setgid setgroups setregid
        setresgid setresuid setreuid setuid""",
    "names processes, of which it sees its own": """
        getpgid getpgrp getpid getppid getpriority getsid gettid ioprio_get kill tkill tgkill rt_tgsigqueueinfo
        sched_getaffinity sched_getattr sched_getparam sched_getscheduler sched_rr_get_interval sched_setaffinity
        sched_setparam""",
    "works on names and content, which are shared read-only, or its own and tried as a file": """
        access faccessat faccessat2 getdents getdents64 lseek link linkat symlink symlinkat mkdirat mknod mknodat
        openat2 preadv preadv2 pwrite64 pwritev pwritev2 readlink readlinkat readv writev rename renameat renameat2
        rmdir truncate ftruncate unlinkat fallocate copy_file_range sendfile getxattrat flistxattr listxattr
        listxattrat llistxattr sync_file_range fdatasync fsync""",
    "no such call in any kernel that has Landlock, or only for who has a right that it gave up": """
        _sysctl afs_syscall create_module epoll_ctl_old epoll_wait_old get_kernel_syms getpmsg lookup_dcookie
        nfsservctl putpmsg query_module security tuxcall uselib vserver fanotify_mark uprobe uretprobe""",
    "the same for all and always": "sysfs",
}
# What reads many things at once is tried by the sweep of all readings.
SWEPT = "getrusage times statfs fstatfs getcpu eventfd2"
# Allowed, and by nobody tried; with what could be tried.
UNTRIED = {
    "which pages of a shared file are in memory (measured once, above); what is locked there stays": """
        fadvise64 mlock mlock2 mlockall munlock munlockall""",
    "how long it takes tells what others have to write, or run": "sync syncfs membarrier",
}
UNTRIED_WITHIN = (
    "`setsockopt` with `SO_ATTACH_FILTER` and `seccomp`: the kernel's limit for compiled filters is one for all",
    "`ioctl` beside the few that are tried: those of sockets, terminals and devices",
    "`prctl` beside names, timers and slack",
    "`statfs` of the machine's own disk where results are stored on it: the store is not part of the hunt",
    "machines with several memory nodes, huge pages set aside or strict overcommitment, which this one has not",
    "everything that needs a GPU: there all of `/sys`, `/proc/driver` and the driver's devices are shown",
    "caches of a processor, its frequency, and how long anything takes, beside the time of a core",
)
# Below /proc: folders that the walk leaves out.
LEFT_OUT = {
    "/proc/self/task": "the same files for each of its threads",
    "/proc/self/cwd": "its own folder",
    "/proc/self/root": "all that it sees, by another name",
    "/proc/self/fd": "what it has opened itself",
    "/proc/self/map_files": "what it has mapped itself; to be opened by nobody without a right",
    "/proc/N": "the same files for each of its processes; it sees no others",
}
# Where a worker can write, and the object that tries it.
WRITABLE = {
    "/box": "a file",
    "/box/scratch": "a file",
    "/tmp": "a file",
    "/dev/shm": "a file",
    "/dev/pts": "the kernel's count of terminals",
    "/dev/null": "the times of a device",
    "/dev/zero": "the times of a device",
    "/dev/full": "the times of a device",
    "/dev/random": "the times of a device",
    "/dev/urandom": "the times of a device",
    "/dev/tty": "the times of a device",
    "/dev/ptmx": "the kernel's count of terminals",
    "/dev/pts/ptmx": "the kernel's count of terminals",
}
_REFUSALS = (
    "refused: Permission denied",
    "refused: No such file",
    "refused: Operation not permitted",
    "refused: Invalid argument",
    "refused: Input/output error",
    "refused: No such device",
    "refused: Operation not supported",
    "refused: No such process",
    "refused: Resource temporarily",
)


def numbers() -> dict[str, tuple[str, str]]:
    """Every system call by name: its number on x86_64 and on aarch64, "-" for none."""
    rows = (line.split() for line in _NUMBERS.read_text().splitlines() if not line.startswith("#"))
    return {name: (x86, arm) for name, x86, arm in rows}


def allowed(machine: str) -> set[str]:
    """The calls that the filter lets pass with some arguments."""
    program, column = syscalls.program(True, machine), COLUMNS[machine]
    return {
        name
        for name, row in numbers().items()
        if row[column] != "-"
        and any(
            judged(program, ARCHITECTURES[machine], int(row[column]), *[word] * 6) == ALLOWED
            for word in (0, 1)
        )
    }


def classes(tried: Collection[str]) -> dict[str, str]:
    """What is said of each call: "tried", "swept", a reason why it carries nothing, or "untried"."""
    said = dict.fromkeys(tried, "tried") | dict.fromkeys(SWEPT.split(), "swept")
    for reason, names in HARMLESS.items():
        said |= dict.fromkeys(names.split(), reason)
    for names in UNTRIED.values():
        said |= dict.fromkeys(names.split(), "untried")
    return said


def unclassified_calls(tried: Collection[str], machine: str) -> set[str]:
    """Calls that the filter allows and of which nothing is said."""
    return allowed(machine) - classes(tried).keys()


def unclassified_files(walked: Mapping[str, str]) -> dict[str, str]:
    """Files below /proc and /sys that a worker can open, and the sweep does not read, for no reason that is listed."""
    known = ("read", "listed")
    return {n: how for n, how in walked.items() if how not in known and not how.startswith(_REFUSALS)}


def unclassified_paths(writable: Sequence[str]) -> set[str]:
    """What a worker can write to and no object tries."""
    return set(writable) - WRITABLE.keys()
