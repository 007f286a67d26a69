#!/usr/bin/env bash
# The coverage that `make test` asks for, branches included: all of the code that
# decides about trust, and nearly all of the rest.
#
#   bash tools/coverage-gates.sh .venv/bin/coverage
set -euo pipefail

coverage="$1"
failed=0
for part in crypto keys package license log provenance receipts; do
  if "$coverage" report --include="src/strongroom/$part/*" --fail-under=100 > .coverage-part.txt; then
    echo "coverage: 100 % of $part"
  else
    echo "coverage: $part is below 100 %:"
    cat .coverage-part.txt
    failed=1
  fi
done
rm -f .coverage-part.txt
"$coverage" report --fail-under=95 --sort=cover || failed=1
exit "$failed"
