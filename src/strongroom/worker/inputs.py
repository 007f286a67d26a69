"""Checks on a request that need no array: method, names, dimensions, and how many rows it has.

    verify_request(schema, "predict", tensors)
    rows = count_rows(schema, tensors)

The supervisor runs them before it charges anything, so that a request that cannot
work costs nothing. Values and types are the worker's matter.
"""

from __future__ import annotations

from collections.abc import Sequence

from strongroom.errors import UnsupportedError, UsageError
from strongroom.package.contents import Field, Schema
from strongroom.worker.frames import Tensor


def verify_request(schema: Schema, method: str, tensors: Sequence[Tensor]) -> None:
    """Check that the model has the method and takes tensors of these names and shapes.

    Raises:
        UnsupportedError: no such method (code ``method-missing``).
        UsageError: codes ``input-missing``, ``input-unknown``, ``input-shape``, ``input-rows``.
    """
    if method not in schema.methods:
        raise UnsupportedError(
            f"the model has no method {method!r}",
            code="method-missing",
            hint=f"it has: {', '.join(schema.methods)}",
        )
    verify_tensors(schema, tensors)


def verify_tensors(schema: Schema, tensors: Sequence[Tensor]) -> None:
    """Check that the model takes tensors of these names and shapes.

    Raises:
        UsageError: codes ``input-missing``, ``input-unknown``, ``input-shape``, ``input-rows``.
    """
    given = {tensor.name: tensor for tensor in tensors}
    for field in schema.inputs:
        if field.name not in given:
            raise UsageError(f"missing input: {field.name!r}", code="input-missing")
        _verify_shape(field, given.pop(field.name).shape)
    if given:
        raise UsageError(f"the model has no input {next(iter(given))!r}", code="input-unknown")


def count_rows(schema: Schema, tensors: Sequence[Tensor]) -> int:
    """Return how many predictions a request asks for: the rows of its longest input, at least one."""
    shapes = {tensor.name: tensor.shape for tensor in tensors}
    # An input whose first dimension is fixed cannot hold more rows than one call needs.
    rows = [
        shapes[field.name][0] for field in schema.inputs if field.shape[:1] == [-1] and shapes.get(field.name)
    ]
    return max([1, *rows])


def _verify_shape(field: Field, shape: Sequence[int]) -> None:
    fits = len(shape) == len(field.shape) and all(
        want in (-1, have) for want, have in zip(field.shape, shape, strict=True)
    )
    # The worker takes a flat column for one of shape [-1, 1], as loaders do.
    is_column = len(shape) == 1 and len(field.shape) == 2 and field.shape[1] in (1, -1)
    if not fits and not is_column:
        raise UsageError(
            f"input {field.name!r} has the shape {list(shape)}, expected {field.shape}", code="input-shape"
        )
    if shape[:1] == (0,):
        raise UsageError("the input has no rows", code="input-rows")
