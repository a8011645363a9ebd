"""The seccomp filter of the stronger levels: the system calls that a worker may not make, as BPF.

Everything is allowed except what is listed: reaching into other processes, keys, messages and memory that
outlive a process, attributes of files, what tells or sets which pages of a file are in memory, what tells of
the files, disks and numbers of others (notices, ustat, cookies), asynchronous reads, the signal that lets what
is stopped go on, namespaces and mounts, sockets other than unix ones, and kernel interfaces in which faults are
often found. System calls newer than this table do not exist for the worker (ENOSYS), nor does clone3, whose
flags a filter cannot read; using another architecture's numbers kills it. memfd_create stays allowed, because
CUDA needs it.

What it does not stop: it cannot see what a pointer points to, so paths, addresses and the receivers of
signals are left to Landlock. We do not use libseccomp through its ctypes wrapper: it must be installed beside
Python and is found by running a compiler's tools; 100 numbers need less trust.
"""

from __future__ import annotations

import platform
import struct

_LD, _AND, _JEQ, _JGE, _JSET, _RET = 0x20, 0x54, 0x15, 0x35, 0x45, 0x06
_ALLOW, _KILL, _ERRNO = 0x7FFF0000, 0x80000000, 0x00050000
_EPERM, _ENOSYS = 1, 38
_NUMBER, _ARCHITECTURE, _ARGUMENTS = 0, 4, 16
X32 = 0x40000000
_NEWEST = 470  # of Linux 6.19; the same on every architecture from 424 on
_AF_UNIX, _TIOCSTI, _TIOCLINUX = 1, 0x5412, 0x541C
_NEW_NAMESPACES = 0x7E020000
# clone's flag for a descriptor of the child: its inode number counts all processes that there ever were.
_WITH_PIDFD = 0x1000

ARCHITECTURES = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
# Number on x86_64, on aarch64; None where it has no such call.
_DENIED: dict[str, tuple[int, int | None]] = {
    "ptrace": (101, 117),
    "process_vm_readv": (310, 270),
    "process_vm_writev": (311, 271),
    "kcmp": (312, 272),
    "pidfd_open": (434, 434),
    "pidfd_getfd": (438, 438),
    "pidfd_send_signal": (424, 424),
    "process_madvise": (440, 440),
    "process_mrelease": (448, 448),
    "add_key": (248, 217),
    "request_key": (249, 218),
    "keyctl": (250, 219),
    "bpf": (321, 280),
    "perf_event_open": (298, 241),
    "userfaultfd": (323, 282),
    "io_uring_setup": (425, 425),
    "io_uring_enter": (426, 426),
    "io_uring_register": (427, 427),
    "mount": (165, 40),
    "umount2": (166, 39),
    "pivot_root": (155, 41),
    "chroot": (161, 51),
    "open_tree": (428, 428),
    "move_mount": (429, 429),
    "fsopen": (430, 430),
    "fsconfig": (431, 431),
    "fsmount": (432, 432),
    "fspick": (433, 433),
    "mount_setattr": (442, 442),
    "open_tree_attr": (467, 467),
    "statmount": (457, 457),
    "listmount": (458, 458),
    "listns": (470, 470),
    "setns": (308, 268),
    "unshare": (272, 97),
    "open_by_handle_at": (304, 265),
    "name_to_handle_at": (303, 264),
    "fanotify_init": (300, 262),
    "clock_settime": (227, 112),
    "clock_adjtime": (305, 266),
    "adjtimex": (159, 171),
    "settimeofday": (164, 170),
    "ioprio_set": (251, 30),
    "shmget": (29, 194),
    "shmat": (30, 196),
    "shmctl": (31, 195),
    "msgget": (68, 186),
    "msgsnd": (69, 189),
    "msgrcv": (70, 188),
    "msgctl": (71, 187),
    "semget": (64, 190),
    "semop": (65, 193),
    "semtimedop": (220, 192),
    "semctl": (66, 191),
    "mq_open": (240, 180),
    "mq_unlink": (241, 181),
    "quotactl": (179, 60),
    "quotactl_fd": (443, 443),
    "syslog": (103, 116),
    "acct": (163, 89),
    "init_module": (175, 105),
    "finit_module": (313, 273),
    "delete_module": (176, 106),
    "kexec_load": (246, 104),
    "kexec_file_load": (320, 294),
    "reboot": (169, 142),
    "swapon": (167, 224),
    "swapoff": (168, 225),
    "sethostname": (170, 161),
    "setdomainname": (171, 162),
    "vhangup": (153, 58),
    "memfd_secret": (447, 447),
    # A timer of the kernel wakes all that wait for it, also while its owner is stopped: many thousands of waiters on
    # a descriptor (epoll watches on its copies) stall the core for seconds, whoever has it then.
    "timerfd_create": (283, 85),
    "timer_create": (222, 107),
    "timer_settime": (223, 110),
    "signalfd": (282, None),
    "signalfd4": (289, 74),
    # What could be left on a file for the next to find, or tells and sets what the kernel keeps of files.
    "setxattr": (188, 5),
    "lsetxattr": (189, 6),
    "fsetxattr": (190, 7),
    "setxattrat": (463, 463),
    "removexattr": (197, 14),
    "lremovexattr": (198, 15),
    "fremovexattr": (199, 16),
    "removexattrat": (466, 466),
    "mincore": (27, 232),
    "cachestat": (451, 451),
    "readahead": (187, 213),
    "io_submit": (209, 2),
    # The kernel counts what waits asynchronously for all processes together, and how much is left can be tried.
    "io_setup": (206, 0),
    "io_destroy": (207, 1),
    "io_getevents": (208, 4),
    "io_cancel": (210, 3),
    "io_pgetevents": (333, 292),
    # Tell who opens or reads a file that others read, too; how full a disk is that is another's; where a page lies.
    "inotify_init": (253, None),
    "inotify_init1": (294, 26),
    "inotify_add_watch": (254, 27),
    "ustat": (136, None),
    "migrate_pages": (256, 238),
    "move_pages": (279, 239),
    "iopl": (172, None),
    "ioperm": (173, None),
    "modify_ldt": (154, None),
}
# The first argument names a process: only 0, oneself, is allowed.
_OF_ITSELF: dict[str, tuple[int, int]] = {
    "prlimit64": (302, 261),
    "sched_setscheduler": (144, 119),
    "sched_setparam": (142, 118),
    "sched_setattr": (314, 274),
}
_SETAFFINITY = (203, 122)
_SETPRIORITY = (141, 140)
_PERSONALITY = (135, 92)
_SOCKETS = ((41, 198), (53, 199))
_IOCTL, _CLONE, _CLONE3 = (16, 29), (56, 220), (435, 435)
_FADVISE, _MADVISE = (221, 223), (28, 233)
_PREADV2, _PWRITEV2 = (327, 286), (328, 287)
_FCNTL, _GETSOCKOPT, _SETSOCKOPT = (72, 25), (55, 209), (54, 208)
# Advice that throws pages of files out of memory: POSIX_FADV_DONTNEED; MADV_COLD and MADV_PAGEOUT. That puts
# them together, so that others see it: MADV_COLLAPSE. That gives up equal pages of its own: MADV_MERGEABLE.
_FORGET, _COLD, _PAGE_OUT, _COLLAPSE, _MERGEABLE = 4, 20, 21, 25, 12
# Encryption keys (FS_IOC_ADD_ENCRYPTION_KEY and its kin) belong to a whole file system, whoever may read it.
_KEYS_OF_DISKS = (0xC0506617, 0xC0406618, 0xC0406619, 0xC080661A)
# F_SETLEASE and F_NOTIFY: whether others open a file, and when.
_LEASE, _NOTIFY = 1024, 1026
# Between its turns a worker is stopped, process by process: one that is told later than others could let them go on
# by SIGCONT, over and over. So nobody sends it: not by the calls that send signals, as the signal that tells of
# input (F_SETSIG), of a parent's end (PR_SET_PDEATHSIG) or of a child's (the lowest byte of clone's flags).
_GO_ON = 18
_SENDING: dict[
    str, tuple[int, int, int]
] = {  # number on x86_64, on aarch64, and which argument is the signal
    "kill": (62, 129, 1),
    "tkill": (200, 130, 1),
    "tgkill": (234, 131, 2),
    "rt_sigqueueinfo": (129, 138, 1),
    "rt_tgsigqueueinfo": (297, 240, 2),
}
_SET_SIGNAL = 10
_PRCTL, _SET_PARENT_DEATH, _EXIT_SIGNAL = (157, 167), 1, 0xFF
# What a socket tells that the kernel counts for all: SO_COOKIE, SO_NETNS_COOKIE, SO_PEERPIDFD; and SO_PASSPIDFD.
# SO_PASSRIGHTS off: the harness could not hand over its next request, as if that were a fault of its own.
_COUNTED, _PASS_PIDFD, _PASS_RIGHTS = (57, 71, 77), 76, 83

_Lines = list[tuple[int, int, int, int]]


def known() -> bool:
    """Whether there is a table for this machine's architecture."""
    return platform.machine() in ARCHITECTURES


def number(name: str) -> int:
    """The number on this machine of one of the calls listed here; -1 if it has none."""
    column = list(ARCHITECTURES).index(platform.machine())
    more = {"sched_setaffinity": _SETAFFINITY, "setpriority": _SETPRIORITY, "personality": _PERSONALITY}
    more |= {"ioctl": _IOCTL, "clone": _CLONE, "clone3": _CLONE3, "fadvise64": _FADVISE, "madvise": _MADVISE}
    more |= {"preadv2": _PREADV2, "pwritev2": _PWRITEV2, "fcntl": _FCNTL}
    more |= {"getsockopt": _GETSOCKOPT, "setsockopt": _SETSOCKOPT, "prctl": _PRCTL}
    more |= {name: (x86, arm) for name, (x86, arm, _) in _SENDING.items()}
    numbers = {**_DENIED, **_OF_ITSELF, **more}
    entry = numbers[name][column]
    return -1 if entry is None else entry


def program(affinity: bool, machine: str | None = None) -> bytes:
    """The filter in the form that the kernel takes. `affinity`: whether a worker may choose its cores by itself.

    It may if a control group limits it to its cores; otherwise it could choose more than it was given.
    """
    machine = machine or platform.machine()
    column = list(ARCHITECTURES).index(machine)
    lines: _Lines = [(_LD, 0, 0, _ARCHITECTURE), (_JEQ, 1, 0, ARCHITECTURES[machine]), _answer(_KILL)]
    lines.append((_LD, 0, 0, _NUMBER))
    if machine == "x86_64":
        lines += [(_JGE, 0, 1, X32), _answer(_KILL)]
    lines += [(_JGE, 0, 1, _NEWEST + 1), _answer(_ERRNO | _ENOSYS)]
    for numbers in _DENIED.values():
        if (number := numbers[column]) is not None:
            lines += _on(number, [_answer(_ERRNO | _EPERM)])
    lines += _on(_CLONE3[column], [_answer(_ERRNO | _ENOSYS)])
    for own in _OF_ITSELF.values():
        lines += _on(own[column], _only(0, 0))
    lines += _on(_SETAFFINITY[column], _only(0, 0) if affinity else [_answer(_ERRNO | _EPERM)])
    for socket in _SOCKETS:
        lines += _on(socket[column], _only(0, _AF_UNIX))
    lines += _on(_SETPRIORITY[column], [*_unless(0, 0), *_only(1, 0)])
    lines += _on(_PERSONALITY[column], _only(0, 0xFFFFFFFF, 0))
    lines += _on(_IOCTL[column], _never(1, _TIOCSTI, _TIOCLINUX, *_KEYS_OF_DISKS))
    lines += _on(_FADVISE[column], _never(3, _FORGET))
    lines += _on(_MADVISE[column], _never(2, _COLD, _PAGE_OUT, _COLLAPSE, _MERGEABLE))
    lines += _on(_FCNTL[column], _never(1, _LEASE, _NOTIFY, _SET_SIGNAL))
    lines += _on(_GETSOCKOPT[column], _never(2, *_COUNTED))
    lines += _on(_SETSOCKOPT[column], _never(2, _PASS_PIDFD, _PASS_RIGHTS))
    for with_flags in (_PREADV2, _PWRITEV2):  # RWF_NOWAIT tells what is in memory
        lines += _on(with_flags[column], _only(5, 0))
    for *numbers_of, argument in _SENDING.values():
        lines += _on(numbers_of[column], _never(argument, _GO_ON))
    of_a_parent = [_argument(0), (_JEQ, 1, 0, _SET_PARENT_DEATH), _answer(_ALLOW), *_never(1, _GO_ON)]
    lines += _on(_PRCTL[column], of_a_parent)
    lines += _on(
        _CLONE[column],
        [
            _argument(0),
            (_JSET, 0, 1, _NEW_NAMESPACES | _WITH_PIDFD),
            _answer(_ERRNO | _EPERM),
            (_AND, 0, 0, _EXIT_SIGNAL),
            (_JEQ, 0, 1, _GO_ON),
            _answer(_ERRNO | _EPERM),
            _answer(_ALLOW),
        ],
    )
    lines.append(_answer(_ALLOW))
    return b"".join(struct.pack("<HBBI", *line) for line in lines)


def _answer(value: int) -> tuple[int, int, int, int]:
    return _RET, 0, 0, value


def _argument(number: int) -> tuple[int, int, int, int]:
    """Loads the lower half of an argument; all arguments that are checked are 32-bit numbers."""
    return _LD, 0, 0, _ARGUMENTS + 8 * number


def _on(number: int, then: _Lines) -> _Lines:
    """`then`, which must end in an answer, for this call; others go on behind it with the number loaded."""
    return [(_JEQ, 0, len(then), number), *then]


def _only(argument: int, *values: int) -> _Lines:
    """Allowed with one of `values`, else EPERM."""
    checks: _Lines = []
    for value in values:
        checks += [(_JEQ, 0, 1, value), _answer(_ALLOW)]
    return [_argument(argument), *checks, _answer(_ERRNO | _EPERM)]


def _unless(argument: int, value: int) -> _Lines:
    """EPERM unless it has `value`; with it, what follows decides."""
    return [_argument(argument), (_JEQ, 1, 0, value), _answer(_ERRNO | _EPERM)]


def _never(argument: int, *values: int) -> _Lines:
    """EPERM with one of `values`, else allowed."""
    checks: _Lines = []
    for value in values:
        checks += [(_JEQ, 0, 1, value), _answer(_ERRNO | _EPERM)]
    return [_argument(argument), *checks, _answer(_ALLOW)]
