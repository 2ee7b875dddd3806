#!/usr/bin/env bash
# The peers that do not come with Python, in an environment of their own: loky and pebble.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../../.."
python3 -m venv target/python
target/python/bin/pip install --quiet loky==3.7.0 pebble==5.2.3
target/python/bin/python3 -c 'import loky, pebble; print("loky", loky.__version__, "and pebble")'
