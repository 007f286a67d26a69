from __future__ import annotations

import struct

import pytest

from strongroom.hardening import bpf, seccomp
from strongroom.hardening.bpf import Action, Condition, Rule, assemble
from strongroom.hardening.numbers import AUDIT_ARCHITECTURE, NUMBERS, Machine

PROCESS = 4711


def run(program: bytes, number: int, *arguments: int, architecture: int) -> int:
    """Run a filter as the kernel does; a jump out of it or an unknown instruction is an error."""
    data = struct.pack("=iIQ6Q", number, architecture, 0, *arguments, *([0] * (6 - len(arguments))))
    instructions = list(struct.iter_unpack("=HBBI", program))
    place = register = 0
    while True:
        code, yes, no, constant = instructions[place]
        place += 1
        if code == 0x20:
            (register,) = struct.unpack_from("=I", data, constant)
        elif code == 0x54:
            register &= constant
        elif code == 0x15:
            place += yes if register == constant else no
        elif code == 0x35:
            place += yes if register >= constant else no
        elif code == 0x06:
            return int(constant)
        else:
            raise AssertionError(code)


def decide(name: str, *arguments: int, machine: Machine = Machine.X86_64) -> int:
    number = NUMBERS[name][machine]
    assert number is not None
    program = assemble(machine, seccomp.rules(PROCESS), otherwise=Action.REFUSE)
    return run(program, number, *arguments, architecture=AUDIT_ARCHITECTURE[machine])


@pytest.mark.parametrize("machine", list(Machine))
@pytest.mark.parametrize(
    ("name", "arguments", "action"),
    [
        ("read", (), Action.ALLOW),
        ("getdents64", (), Action.ALLOW),
        ("socket", (), Action.REFUSE),
        ("connect", (), Action.REFUSE),
        ("execve", (), Action.REFUSE),
        ("execveat", (), Action.REFUSE),
        ("memfd_create", (), Action.REFUSE),
        ("unshare", (), Action.REFUSE),
        ("seccomp", (), Action.REFUSE),
        ("clone3", (), Action.LACK),
        ("openat2", (), Action.LACK),
        ("ptrace", (), Action.KILL),
        ("io_uring_setup", (), Action.KILL),
        ("clone", (0x003D0F00,), Action.ALLOW),
        ("clone", (17,), Action.REFUSE),
        ("clone", (0x003D0F00 | 0x10000000,), Action.REFUSE),
        ("clone", (0x003D0F00 | 0x40000000,), Action.REFUSE),
        ("openat", (0, 0, 0o2000000), Action.ALLOW),
        ("openat", (0, 0, 1), Action.REFUSE),
        ("openat", (0, 0, 2), Action.REFUSE),
        ("openat", (0, 0, 0o100), Action.REFUSE),
        ("openat", (0, 0, 0o1000), Action.REFUSE),
        ("openat", (0, 0, 0o20000000), Action.REFUSE),
        ("ioctl", (0, 0x5401), Action.ALLOW),
        ("ioctl", (0, 0x5412), Action.REFUSE),
        ("fcntl", (0, 3), Action.ALLOW),
        ("fcntl", (0, 8), Action.REFUSE),
        ("prctl", (15,), Action.ALLOW),
        ("prctl", (4,), Action.REFUSE),
        ("prctl", (1,), Action.REFUSE),
        ("prlimit64", (0, 7, 0), Action.ALLOW),
        ("prlimit64", (0, 7, 0x7F0000001000), Action.REFUSE),
        ("prlimit64", (0, 7, 0x7F0000000000), Action.REFUSE),
        ("prlimit64", (1, 7, 0), Action.REFUSE),
        ("kill", (PROCESS,), Action.ALLOW),
        ("kill", (PROCESS + 1,), Action.REFUSE),
        ("kill", ((1 << 64) - 1,), Action.REFUSE),
        ("tgkill", (PROCESS,), Action.ALLOW),
        ("tgkill", (1,), Action.REFUSE),
    ],
)
def test_each_call_is_decided(
    name: str, arguments: tuple[int, ...], action: Action, machine: Machine
) -> None:
    assert decide(name, *arguments, machine=machine) == action


@pytest.mark.parametrize("machine", list(Machine))
def test_another_architecture_is_killed(machine: Machine) -> None:
    program = assemble(machine, [Rule("read")], otherwise=Action.REFUSE)
    number = NUMBERS["read"][machine]
    assert number is not None
    assert run(program, number, architecture=AUDIT_ARCHITECTURE[machine]) == Action.ALLOW
    assert run(program, number, architecture=0x40000003) == Action.KILL


def test_the_x32_table_is_killed() -> None:
    program = assemble(Machine.X86_64, [Rule("read")], otherwise=Action.REFUSE)
    for number in (0x40000000, 0x40000000 + 512, 0x7FFFFFFF):
        assert run(program, number, architecture=AUDIT_ARCHITECTURE[Machine.X86_64]) == Action.KILL


def test_the_first_rule_whose_conditions_hold_decides() -> None:
    rules = [
        Rule(
            "ioctl", Action.LACK, (Condition(0, frozenset({1, 2, 3})), Condition(1, frozenset({9}), mask=0xF))
        ),
        Rule("ioctl", Action.ALLOW, (Condition(2, frozenset({5}), whole=True),)),
    ]
    program = assemble(Machine.AARCH64, rules, otherwise=Action.REFUSE)
    number = NUMBERS["ioctl"][Machine.AARCH64]
    assert number is not None
    for arguments, action in [
        ((2, 0x19, 5), Action.LACK),
        ((3, 0x19, 5), Action.LACK),
        ((4, 0x19, 5), Action.ALLOW),
        ((2, 0x18, 5), Action.ALLOW),
        ((2, 0x18, 5 | 1 << 32), Action.REFUSE),
        ((2, 0x18, 6), Action.REFUSE),
    ]:
        assert run(program, number, *arguments, architecture=AUDIT_ARCHITECTURE[Machine.AARCH64]) == action


def test_the_numbers_are_those_of_this_kernels_headers() -> None:
    """Few but known by heart: a shifted table would not pass."""
    assert NUMBERS["openat"] == (257, 56)
    assert NUMBERS["execve"] == (59, 221)
    assert NUMBERS["seccomp"] == (317, 277)
    assert NUMBERS["memfd_secret"] == (447, 447)
    for machine in Machine:
        known = [pair[machine] for pair in NUMBERS.values() if pair[machine] is not None]
        assert len(set(known)) == len(known)


def test_a_rule_that_is_too_long_is_refused() -> None:
    with pytest.raises(ValueError, match="255"):
        assemble(
            Machine.X86_64,
            [Rule("ioctl", conditions=(Condition(1, frozenset(range(300))),))],
            otherwise=bpf.Action.REFUSE,
        )
