#!/usr/bin/env bash
# Build the wheel, install strongroom[demo] from it into an empty environment with
# the newest release of everything, and run the demo there, outside this checkout.
#
#   make newest
set -euo pipefail

root="$(cd "$(dirname "$0")/.." && pwd)"
place="$(mktemp -d)"
trap 'rm -rf "$place"' EXIT
pip() { "$place/venv/bin/python" -m pip --disable-pip-version-check "$@"; }

unset PIP_CONSTRAINT PIP_REQUIREMENT
"${PYTHON:-python3}" -m venv "$place/venv"
pip wheel --quiet --no-deps --wheel-dir "$place/dist" "$root"
wheel="$(echo "$place"/dist/strongroom-*.whl)"
echo "newest: built $(basename "$wheel"), $(stat -c %s "$wheel") bytes"

# The core alone first: everything that only some need must be an extra.
pip install --quiet --quiet "$wheel"
cd "$place"
"$place/venv/bin/strongroom" version
if "$place/venv/bin/python" -c 'import numpy' 2>/dev/null; then
  echo "newest: the core install pulled in numpy" >&2
  exit 1
fi
pip install --quiet --quiet "$wheel[demo]"
echo "newest: installed with"
pip list --format=freeze | grep -iE '^(cryptography|cyclopts|joserfc|msgspec|numpy|onnx|onnxruntime|scikit-learn|skl2onnx|skops|pandas)=='
env -u STRONGROOM_HOME HOME="$place" "$place/venv/bin/strongroom" demo
echo "newest: the demo runs from the wheel with the newest of everything"
