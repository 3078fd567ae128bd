#!/usr/bin/env bash
# The core on arm64, without such a machine: cross-compiled by ziglang, run by qemu-user under Debian's Python for arm64. Runs the tests
# of the core, and what is given as arguments (tests/test_golden.py before a release: hours on two cores). Needs Debian or Ubuntu, root
# for apt, and a virtual environment with ziglang.
set -euo pipefail
cd "$(dirname "$0")/.."
place=${ARM64_PLACE:-$(mktemp -d)} # kept between runs where it is named
mkdir -p "$place/debs" "$place/wheels" "$place/site"
if [ ! -e "$place/root/usr/bin/python3.11" ]; then
    dpkg --add-architecture arm64
    apt-get update -q
    apt-get install -y -q qemu-user-static
    (cd "$place/debs" && apt-get download -q python3.11-minimal:arm64 libpython3.11-minimal:arm64 libpython3.11-stdlib:arm64 \
        libc6:arm64 libexpat1:arm64 zlib1g:arm64 libssl3:arm64 libffi8:arm64 liblzma5:arm64 libbz2-1.0:arm64 libsqlite3-0:arm64 \
        libgcc-s1:arm64 libstdc++6:arm64 libuuid1:arm64 libcrypt1:arm64)
    for package in "$place"/debs/*.deb; do dpkg -x "$package" "$place/root"; done
    pip download -q --only-binary=:all: --python-version 3.11 --platform manylinux2014_aarch64 --platform manylinux_2_17_aarch64 \
        --platform manylinux_2_28_aarch64 -d "$place/wheels" numpy tokenizers click threadpoolctl pytest pytest-xdist hypothesis
    for wheel in "$place"/wheels/*.whl; do python -m zipfile -e "$wheel" "$place/site"; done
fi
python tokpress/native/build_core.py --target aarch64-linux-gnu -o "$place/_core.so"
for set in neon portable; do
    TOKPRESS_CORE=$set TOKPRESS_CORE_LIBRARY=$place/_core.so PYTHONPATH=$place/site:. PYTHONDONTWRITEBYTECODE=1 \
        qemu-aarch64-static -L "$place/root" "$place/root/usr/bin/python3.11" -m pytest -q -p no:cacheprovider \
        --override-ini addopts=--import-mode=importlib --deselect tests/native/test_library.py -k "not process and not nothing_heavy" tests/native tests/coding/coders "$@"
done
