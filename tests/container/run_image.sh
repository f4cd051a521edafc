#!/usr/bin/env bash
# run_image.sh TAG [PORT] [PATH]
#
# Runs an image that build_image.sh made, with no Docker engine, and checks it as an
# operator would want it run: read-only root, the image's own non-root user, every
# capability dropped, no-new-privileges, no network but its own loopback (so the CMD runs
# unchanged even when it binds 0.0.0.0, and nothing is reachable from outside), the image's
# HEALTHCHECK command, one picture of a digit read right, and a stop by the image's STOPSIGNAL.
# Exit status 0 only if all of that held.
# Environment: WITHOUT (a module that it must not hold), IMAGE_STORE, START_TIMEOUT (s), STOP_TIMEOUT (s), EXTRA_RUN_ARGS (for podman run).
set -euo pipefail
tag=${1:?usage: run_image.sh TAG [PORT] [PATH]}
port=${2:-8000}
path=${3:-/readyz}
store=${IMAGE_STORE:-/var/tmp/image-store}
start_timeout=${START_TIMEOUT:-60}
stop_timeout=${STOP_TIMEOUT:-15}

[ "$(id -u)" = 0 ] || { echo "needs root" >&2; exit 2; }
need=()
for p in podman:podman crun:crun curl:curl; do
  command -v "${p%%:*}" >/dev/null || need+=("${p##*:}")
done
if [ ${#need[@]} -gt 0 ]; then
  apt-get update -qq
  DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${need[@]}" >/dev/null
fi

# crun refuses this machine's hybrid cgroups; in a mount namespace of our own they look like plain v1.
if [ "${IN_OWN_MOUNTS:-}" != 1 ]; then
  exec env IN_OWN_MOUNTS=1 unshare --mount --propagation private "$BASH" "$0" "$@"
fi
if mountpoint -q /sys/fs/cgroup/unified; then umount /sys/fs/cgroup/unified; fi

driver=vfs
[ -d "$store/root/overlay" ] && driver=overlay
# no systemd here: plain cgroup files (unused), no journal, and no timer to run health checks
pm=(podman --root "$store/root" --runroot "$store/run" --storage-driver "$driver"
    --runtime crun --cgroup-manager cgroupfs --events-backend none)
name="verify-$$"
cleanup() { "${pm[@]}" rm -f -t 2 "$name" >/dev/null 2>&1 || true; }
trap cleanup EXIT
fail() { echo "FAIL: $*" >&2; "${pm[@]}" logs "$name" 2>&1 | tail -40 >&2 || true; exit 1; }

user=$("${pm[@]}" image inspect --format '{{.User}}' "$tag")
signal=$("${pm[@]}" image inspect --format '{{.Config.StopSignal}}' "$tag" 2>/dev/null || true)
signal=${signal:-SIGTERM}; [ "$signal" != "<no value>" ] || signal=SIGTERM
mapfile -d '' -t health < <("${pm[@]}" image inspect "$tag" | python3 -c '
import json, sys
d = json.load(sys.stdin)[0]
t = (d.get("Healthcheck") or d.get("HealthCheck") or dict()).get("Test") or []
if t[:1] == ["CMD"]: out = t[1:]
elif t[:1] == ["CMD-SHELL"]: out = ["/bin/sh", "-c", t[1]]
else: out = []
sys.stdout.write("".join(a + chr(0) for a in out))
')
case $user in '' | root | 0 | 0:* | root:*) fail "the image runs as root (USER is '${user}')" ;; esac
[ ${#health[@]} -gt 0 ] || fail "the image has no HEALTHCHECK"

# the limits podman asks for by default are above this machine's, and it lacks CAP_SYS_RESOURCE
nofile=$(ulimit -Hn); nproc=4096
t0=$(date +%s.%N)
"${pm[@]}" run -d --name "$name" --cgroups=disabled --network none \
  --read-only --read-only-tmpfs=false --tmpfs /tmp:rw,noexec,nosuid,nodev,size=64m \
  --cap-drop ALL --security-opt no-new-privileges \
  --ulimit "nofile=$nofile:$nofile" --ulimit "nproc=$nproc:$nproc" --no-healthcheck \
  ${EXTRA_RUN_ARGS:-} "$tag" >/dev/null || fail "did not start"
pid=$("${pm[@]}" inspect --format '{{.State.Pid}}' "$name")
in_net() { nsenter --net="/proc/$pid/ns/net" "$@"; }   # the container's loopback, the host's tools

ok=''
for _ in $(seq $((start_timeout * 5))); do
  kill -0 "$pid" 2>/dev/null || fail "the process ended while starting"
  if in_net curl -fsS -m 2 -o /dev/null "http://127.0.0.1:$port$path" 2>/dev/null; then ok=1; break; fi
  sleep 0.2
done
[ -n "$ok" ] || fail "no answer on 127.0.0.1:$port$path in $start_timeout s"
echo "answered after $(echo "$(date +%s.%N) - $t0" | bc 2>/dev/null || python3 -c "import time;print(round(time.time()-$t0,2))") s: $(in_net curl -fsS -m 5 "http://127.0.0.1:$port$path")"

reads() { # reads PICTURE PATH FIELD VALUE
  answer=$(in_net curl -fsS -m 5 -F "file=@$pictures/$1" "http://127.0.0.1:$port$2") || fail "no answer to $1"
  python3 -c 'import json, sys; sys.exit(str(json.loads(sys.argv[1])[sys.argv[2]]) != sys.argv[3])' "$answer" "$3" "$4" ||
    fail "read $1 as: $answer"
  echo "read $1: ${answer:0:60}..."
}
pictures=$(dirname "$0")/../pictures
reads seven.png /predict digit 7
reads card.jpg /predict digit 5
reads note.jpg /read text $'30174\n62895'
pictures=$(mktemp -d)
.venv/bin/python - tests/pictures/card.jpg "$pictures" <<'PY'
import sys
from PIL import Image
from pillow_heif import register_heif_opener

register_heif_opener()
picture = Image.open(sys.argv[1])
for kind in ("webp", "gif", "bmp", "tiff", "heic"):
    picture.save(f"{sys.argv[2]}/card.{kind}")
PY
for kind in webp gif bmp tiff heic; do reads card.$kind /predict digit 5; done
rm -r "$pictures"

# what the kernel says of the container's first process, not what we asked for
st() { awk -v k="$1:" '$1==k{print $2; exit}' "/proc/$pid/status"; }
uid=$(st Uid); [ "$uid" != 0 ] || fail "its process runs as uid 0"
for k in CapPrm CapEff CapBnd CapAmb; do [ "$(st $k)" = 0000000000000000 ] || fail "$k is $(st $k)"; done
[ "$(st NoNewPrivs)" = 1 ] || fail "no-new-privileges is off"
[ "$(st Seccomp)" = 2 ] || fail "no seccomp filter"
opts=$(awk '$5=="/"{print $6; exit}' "/proc/$pid/mountinfo")
case ",$opts," in *,ro,*) ;; *) fail "its root is writable ($opts)" ;; esac
echo "uid $uid, no capabilities, no new privileges, seccomp filter, read-only root"

for module in keras setuptools wheel clang uv training tests ${WITHOUT:-}; do
  ! "${pm[@]}" exec "$name" python -c "import $module" 2>/dev/null || fail "the image holds $module, which serving doesn't need"
done
echo "nothing in it to build, train or test with"

"${pm[@]}" exec "$name" "${health[@]}" || fail "its HEALTHCHECK command failed"
echo "HEALTHCHECK command: healthy"

t1=$(date +%s%N)
"${pm[@]}" stop -t "$stop_timeout" "$name" >/dev/null 2>&1 || fail "stop failed"
ms=$((($(date +%s%N) - t1) / 1000000))
code=$("${pm[@]}" inspect --format '{{.State.ExitCode}}' "$name")
[ "$code" != 137 ] || fail "did not stop on $signal in $stop_timeout s and was killed"
case $code in 0) ;; 143) [ "${ALLOW_143:-}" = 1 ] || fail "exit status 143: ended by the signal, not by itself" ;; *) fail "exit status $code after $signal" ;; esac
echo "stopped on $signal in $ms ms, exit status $code"
"${pm[@]}" logs "$name" 2>&1 | tail -"${LOG_LINES:-5}"
