"""Assemble a seccomp filter: a program of the classic packet filter over one system call.

    program = assemble(Machine.X86_64, [Rule("read"), Rule("bpf", Action.KILL)], otherwise=Action.REFUSE)

An instruction is eight bytes: code, two jump distances, one constant (``linux/filter.h``). What
a program sees is ``struct seccomp_data``: the number of the call, the architecture, six arguments
(``linux/seccomp.h``). Rules are asked in order and the first whose conditions hold decides.
"""

from __future__ import annotations

import errno
import struct
from collections.abc import Iterable
from dataclasses import dataclass
from enum import IntEnum
from typing import Final

from strongroom.hardening.numbers import AUDIT_ARCHITECTURE, NUMBERS, Machine

_LOAD: Final = 0x20  # BPF_LD | BPF_W | BPF_ABS
_AND: Final = 0x54  # BPF_ALU | BPF_AND | BPF_K
_EQUALS: Final = 0x15  # BPF_JMP | BPF_JEQ | BPF_K
_AT_LEAST: Final = 0x35  # BPF_JMP | BPF_JGE | BPF_K
_RETURN: Final = 0x06  # BPF_RET | BPF_K

_NUMBER: Final = 0
_ARCHITECTURE: Final = 4
_ARGUMENTS: Final = 16
_X32_BIT: Final = 0x40000000
_ALL_BITS: Final = 0xFFFFFFFF


class Action(IntEnum):
    """What the kernel does with a call."""

    ALLOW = 0x7FFF0000
    REFUSE = 0x00050000 | errno.EPERM
    LACK = 0x00050000 | errno.ENOSYS
    """As if the kernel did not have it: a caller then takes another way."""
    KILL = 0x80000000
    """The whole process, at once."""


@dataclass(frozen=True, slots=True)
class Condition:
    """The low half of one argument, masked, must be one of these values; the high half is not looked at."""

    argument: int
    values: frozenset[int]
    mask: int = _ALL_BITS
    whole: bool = False
    """The high 32 bits must be zero as well, as for an address that must be null."""


@dataclass(frozen=True, slots=True)
class Rule:
    """What happens to a call, if all conditions hold."""

    name: str
    action: Action = Action.ALLOW
    conditions: tuple[Condition, ...] = ()


def assemble(machine: Machine, rules: Iterable[Rule], *, otherwise: Action) -> bytes:
    """Return the instructions of a filter; calls that this architecture lacks are left out.

    Raises:
        ValueError: one rule is too long to jump over.
    """
    program = [
        _instruction(_LOAD, _ARCHITECTURE),
        _instruction(_EQUALS, AUDIT_ARCHITECTURE[machine], yes=1),
        _instruction(_RETURN, Action.KILL),
        _instruction(_LOAD, _NUMBER),
    ]
    if machine is Machine.X86_64:
        # The x32 table has numbers of its own, with this bit, under the same architecture.
        program += [_instruction(_AT_LEAST, _X32_BIT, no=1), _instruction(_RETURN, Action.KILL)]
    for rule in rules:
        number = NUMBERS[rule.name][machine]
        if number is not None:
            program += _compiled(rule, number)
    program.append(_instruction(_RETURN, otherwise))
    return b"".join(program)


def _compiled(rule: Rule, number: int) -> list[bytes]:
    body: list[bytes] = [_instruction(_RETURN, rule.action)]
    # Built from its end: each condition that fails leads to the instruction that loads the number again.
    for condition in reversed(rule.conditions):
        body = [*_check(condition, len(body)), *body]
    if rule.conditions:
        body.append(_instruction(_LOAD, _NUMBER))
    return [_instruction(_EQUALS, number, no=len(body)), *body]


def _check(condition: Condition, following: int) -> list[bytes]:
    """Return what goes on only if the condition holds, and else jumps over ``following`` instructions."""
    offset = _ARGUMENTS + 8 * condition.argument
    values = sorted(condition.values)
    checks: list[bytes] = []
    for place, value in enumerate(values):
        left = len(values) - place - 1
        checks.append(_instruction(_EQUALS, value, yes=left, no=0 if left else following))
    code = [_instruction(_LOAD, offset)]
    if condition.mask != _ALL_BITS:
        code.append(_instruction(_AND, condition.mask))
    code += checks
    if condition.whole:
        # Both architectures are little-endian: the high half comes second.
        code = [
            _instruction(_LOAD, offset + 4),
            _instruction(_EQUALS, 0, no=len(code) + following),
            *code,
        ]
    return code


def _instruction(code: int, constant: int, *, yes: int = 0, no: int = 0) -> bytes:
    if max(yes, no) > 255:
        raise ValueError("a jump of more than 255 instructions")
    return struct.pack("=HBBI", code, yes, no, constant)
