"""Which system calls a worker may make, and what happens at others.

    install(kernel)            # from here on, for every thread of this process

An allow-list. What is not on it gets ``EPERM``, so that a library that tries something (a
socket, a program, a file to write) reports an error and the worker goes on. The calls of
``_NEVER`` end the process: no honest library makes them, and who does is taking something apart.
``clone3`` and ``openat2`` look absent, since a filter cannot read the structures that they
point to; the C library then uses their older forms, whose flags it can.
"""

from __future__ import annotations

import ctypes
import errno
import os
import struct
from typing import Final

from strongroom.hardening.bpf import Action, Condition, Rule, assemble
from strongroom.hardening.kernel import Kernel
from strongroom.hardening.numbers import Machine

_SET_MODE_FILTER: Final = 1
_FLAG_TSYNC: Final = 1
_CLONE_THREAD: Final = 0x00010000
_CLONE_VM: Final = 0x00000100
# Every CLONE_NEW* of the kernel but the time namespace, whose bit is a signal number for clone.
_CLONE_NAMESPACES: Final = 0x7E020000
_WRITES: Final = os.O_ACCMODE | os.O_CREAT | os.O_TRUNC | os.O_TMPFILE & ~os.O_DIRECTORY

_ALLOWED: Final = (
    "read", "write", "readv", "writev", "pread64", "pwrite64", "preadv", "pwritev", "preadv2",
    "pwritev2", "close", "close_range", "lseek", "dup", "dup2", "dup3", "pipe", "pipe2", "stat",
    "fstat", "lstat", "newfstatat", "statx", "access", "faccessat", "faccessat2", "readlink",
    "readlinkat", "getcwd", "getdents64", "statfs", "fstatfs", "ftruncate", "fadvise64", "mmap",
    "munmap", "mprotect", "mremap", "brk", "madvise", "mincore", "mlock", "mlock2", "munlock",
    "mlockall", "munlockall", "msync", "membarrier", "get_mempolicy", "set_mempolicy", "mbind",
    "memfd_secret", "futex", "futex_waitv", "set_robust_list", "rseq", "set_tid_address", "exit",
    "exit_group", "wait4", "waitid", "restart_syscall", "arch_prctl", "rt_sigaction", "rt_sigprocmask",
    "rt_sigreturn", "rt_sigpending", "rt_sigsuspend", "rt_sigtimedwait", "sigaltstack", "getrandom",
    "clock_gettime", "clock_getres", "clock_nanosleep", "nanosleep", "gettimeofday", "time", "times",
    "getrusage", "sysinfo", "uname", "getcpu", "sched_yield", "sched_getaffinity", "sched_getparam",
    "sched_getscheduler", "sched_get_priority_max", "sched_get_priority_min", "getpriority", "getpid",
    "gettid", "getppid", "getpgrp", "getpgid", "getsid", "getuid", "geteuid", "getgid", "getegid",
    "getresuid", "getresgid", "getgroups", "capget", "umask", "getrlimit", "poll", "ppoll", "select",
    "pselect6", "epoll_create", "epoll_create1", "epoll_ctl", "epoll_wait", "epoll_pwait",
    "epoll_pwait2", "eventfd2", "timerfd_create", "timerfd_settime", "timerfd_gettime", "timer_create",
    "timer_settime", "timer_gettime", "timer_delete", "timer_getoverrun", "setitimer", "getitimer",
    "alarm", "pause", "sendto", "recvfrom", "sendmsg", "recvmsg", "shutdown", "getsockname",
    "getpeername", "getsockopt", "setsockopt",
)  # fmt: skip
"""What an interpreter with numerical libraries needs: nothing of it makes a file, a socket or a process."""

_NEVER: Final = (
    "ptrace", "process_vm_readv", "process_vm_writev", "pidfd_getfd", "kcmp", "bpf", "userfaultfd",
    "perf_event_open", "io_uring_setup", "io_uring_enter", "io_uring_register", "keyctl", "add_key",
    "request_key", "mount", "umount2", "pivot_root", "chroot", "move_mount", "open_tree", "fsopen",
    "fsconfig", "fsmount", "fspick", "mount_setattr", "setns", "kexec_load", "kexec_file_load",
    "init_module", "finit_module", "delete_module", "reboot", "swapon", "swapoff", "open_by_handle_at",
    "fanotify_init", "quotactl", "settimeofday", "clock_settime", "sethostname", "setdomainname",
    "ioperm", "iopl",
)  # fmt: skip
"""What ends the process."""

_CONTROLS: Final = frozenset({0x5401, 0x5421, 0x541B, 0x5450, 0x5451})
"""``ioctl``: is it a terminal, wait or not, how many bytes wait, close on exec. Never what types into one."""
_DESCRIPTOR_COMMANDS: Final = frozenset({0, 1, 2, 3, 4, 1030, 1033, 1034})
"""``fcntl``: duplicate, flags, seals. Never one that has signals sent to others."""
_PROCESS_OPTIONS: Final = frozenset({2, 3, 15, 16, 21, 23, 27, 39, 0x53564D41})
"""``prctl``: read attributes; name a thread or a range of memory. Never what would undo hardening."""


def rules(process_id: int) -> list[Rule]:
    """Return the rules for the process with that id, which may signal itself only."""
    itself = Condition(0, frozenset({process_id}))
    no_flags = frozenset({0})
    return [
        *(Rule(name) for name in _ALLOWED),
        # A thread, never a process; and never with namespaces.
        Rule(
            "clone",
            conditions=(
                Condition(0, frozenset({_CLONE_THREAD | _CLONE_VM}), mask=_CLONE_THREAD | _CLONE_VM),
                Condition(0, no_flags, mask=_CLONE_NAMESPACES),
            ),
        ),
        # Landlock says which files; this says, also without it, that none is written.
        Rule("open", conditions=(Condition(1, no_flags, mask=_WRITES),)),
        Rule("openat", conditions=(Condition(2, no_flags, mask=_WRITES),)),
        Rule("ioctl", conditions=(Condition(1, _CONTROLS),)),
        Rule("fcntl", conditions=(Condition(1, _DESCRIPTOR_COMMANDS),)),
        Rule("prctl", conditions=(Condition(0, _PROCESS_OPTIONS),)),
        # Its own limits can be read; nobody's can be set.
        Rule("prlimit64", conditions=(Condition(0, no_flags), Condition(2, no_flags, whole=True))),
        Rule("kill", conditions=(itself,)),
        Rule("tgkill", conditions=(itself,)),
        *(Rule(name, Action.LACK) for name in ("clone3", "openat2")),
        *(Rule(name, Action.KILL) for name in _NEVER),
    ]


def install(kernel: Kernel) -> None:
    """Put the filter on every thread of this process. ``no_new_privs`` must be set before.

    Raises:
        OSError: the kernel has no filters or refuses this one; or its architecture is unknown here.
    """
    machine: Machine | None = kernel.machine
    if machine is None:
        raise OSError(errno.ENOSYS, "the system calls of this architecture are not known")
    program = assemble(machine, rules(os.getpid()), otherwise=Action.REFUSE)
    instructions = ctypes.create_string_buffer(program, len(program))
    # struct sock_fprog: how many instructions, and where.
    header = struct.pack("@HP", len(program) // 8, ctypes.addressof(instructions))
    kernel.call("seccomp", _SET_MODE_FILTER, _FLAG_TSYNC, header)
