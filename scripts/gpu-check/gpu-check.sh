#!/bin/sh
# Starts the GPU check on a machine without Node.js: finds the Node.js program that came along and hands over to it.
#
#   scripts/gpu-check/gpu-check.sh build|run [--node FILE[.xz]] [--model FILE] [--dist DIRECTORY] [...]
#
# The other arguments are those of gpu-check.mjs. Without --node: gpu-check/node[.xz] in the checkout, else PATH.
set -eu
here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
root=$(dirname -- "$(dirname -- "$here")")

node=
previous=
for argument in "$@"; do
  [ "$previous" != --node ] || node=$argument
  previous=$argument
done
if [ -z "$node" ]; then
  for candidate in "$root/gpu-check/node" "$root/gpu-check/node.xz" "$(command -v node || true)"; do
    if [ -f "$candidate" ]; then
      node=$candidate
      break
    fi
  done
fi
if [ ! -f "$node" ]; then
  echo "gpu-check: expected a Node.js program at '${node:-$root/gpu-check/node}', found none." \
    "Name it with --node FILE (FILE.xz is unpacked)." >&2
  exit 1
fi

case $node in
*.xz)
  unpacked=$root/.cache/gpu-check/$(basename "$node" .xz)
  if [ ! -x "$unpacked" ] || [ "$node" -nt "$unpacked" ]; then
    mkdir -p "$(dirname "$unpacked")"
    if command -v xz >/dev/null; then
      xz --decompress --stdout "$node" >"$unpacked.part"
    else
      python3 -c 'import lzma, shutil, sys; shutil.copyfileobj(lzma.open(sys.argv[1]), sys.stdout.buffer)' \
        "$node" >"$unpacked.part"
    fi
    chmod +x "$unpacked.part"
    mv "$unpacked.part" "$unpacked"
  fi
  node=$unpacked
  ;;
*) [ -x "$node" ] || chmod +x "$node" ;;
esac
case $node in /*) ;; *) node=./$node ;; esac

if ! "$node" --version >/dev/null; then
  echo "gpu-check: $node does not run here (see the line above). It has to be built for this machine's system." >&2
  exit 1
fi
exec "$node" "$here/gpu-check.mjs" "$@"
