"""Lets ``python -m strongroom`` be the same program as ``strongroom``."""

from __future__ import annotations

from strongroom.cli import main

if __name__ == "__main__":
    raise SystemExit(main())
