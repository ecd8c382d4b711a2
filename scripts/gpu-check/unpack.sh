#!/bin/sh
# Joins the parts that pack.mjs made, checks them, and unpacks them: sh unpack.sh <directory>. The parts lie beside it.
set -eu
target=${1:?"expected the directory to unpack into: sh unpack.sh <directory>"}
here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
name=llama-native-gpu-check.tar.xz

expected=$(cut -d' ' -f1 "$here/$name.sha256")
received=$(cat "$here/$name".[0-9][0-9] | sha256sum | cut -d' ' -f1)
if [ "$received" != "$expected" ]; then
  echo "unpack: expected the parts to have SHA-256 $expected, received $received. Present:" >&2
  ls -l "$here/$name".[0-9][0-9] >&2
  exit 1
fi

mkdir -p "$target"
if command -v xz >/dev/null; then
  cat "$here/$name".[0-9][0-9] | xz --decompress --stdout | tar -x -C "$target" -f -
else
  cat "$here/$name".[0-9][0-9] |
    python3 -c 'import sys, tarfile; tarfile.open(fileobj=sys.stdin.buffer, mode="r|xz").extractall(sys.argv[1])' \
      "$target"
fi
echo "Unpacked into $target. Next:"
echo "  $target/scripts/gpu-check/gpu-check.sh build"
echo "  $target/scripts/gpu-check/gpu-check.sh run"
