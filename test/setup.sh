#!/bin/sh
# Installs what the tests need from the system: real registries, Redis and real clients. Says nothing when all is
# there; installs only what is missing (Debian and Ubuntu).
#
#   sh test/setup.sh [--all|--bench]    --all adds what the long tests alone need, --bench what the bench alone needs
set -eu
which="${1:-}"

missing=''
need() { # need COMMAND PACKAGE
  if ! command -v "$1" >/dev/null 2>&1; then
    case " $missing " in *" $2 "*) ;; *) missing="$missing $2" ;; esac
  fi
}
# Debian keeps some servers outside of an ordinary user's PATH.
PATH="$PATH:/usr/sbin:/sbin"

need docker-registry docker-registry
need redis-server redis-server
need skopeo skopeo
need podman podman
need buildah buildah
need dockerd docker.io
need ctr containerd
need lxc-create lxc
need umoci umoci
need jq jq
need openssl openssl
need rsyslogd rsyslog
need git git
need htpasswd apache2-utils
need strace strace
need slapd slapd
need clamd clamav-daemon
# Its servers lie in a folder of their version; only its client is on the PATH.
need psql postgresql
[ "$which" != --all ] || need lxd lxd
if [ "$which" = --bench ]; then
  need wrk wrk
  need hey hey
  need curl curl
  need nginx nginx-light
fi

# Programs that are built from their Go modules into the user's cache: a line of test/go-programs is name, package,
# version and, where only the long tests need it, "long", or "bench" where the bench does too. Without Go their tests
# are skipped and say so.
build_go_programs() {
  command -v go >/dev/null 2>&1 || return 0
  cache="${XDG_CACHE_HOME:-${HOME:-/tmp}/.cache}/dockgate"
  while read -r name package version tests; do
    case "$tests $which" in
      ' '* | *' --all' | 'bench --bench') is_needed=yes ;;
      *) is_needed='' ;;
    esac
    if [ -n "$is_needed" ]; then
      [ -x "$cache/$name-$version" ] || build_go_program
    fi
  done <"${0%/*}/go-programs"
}
build_go_program() {
  echo "test/setup.sh: building $package $version" >&2
  built=$(mktemp -d)
  if install_go_program >"$built.log" 2>&1 </dev/null; then
    mkdir -p "$cache"
    mv "$built"/* "$cache/$name-$version"
  else
    tail -n 5 "$built.log" >&2
    echo "test/setup.sh: could not build it, so its test will be skipped" >&2
  fi
  rm -rf "$built" "$built.log"
}
# Some proxies know a module's versions and not their list, which "go install" wants: a module of our own does without.
install_go_program() {
  export GOBIN="$built" GOFLAGS=''
  go install "$package@$version" || (
    cd "$(mktemp -d)" && go mod init dockgate.test/program && go get "$package@$version" && go install "$package"
  )
}
build_go_programs
[ -n "$missing" ] || exit 0

if ! command -v apt-get >/dev/null 2>&1; then
  echo "test/setup.sh: missing:$missing. They are installed by apt-get, which is not here:" >&2
  echo "install them your own way, so that each is found on the PATH." >&2
  exit 1
fi
sudo=''
if [ "$(id -u)" != 0 ]; then
  if ! command -v sudo >/dev/null 2>&1; then
    echo "test/setup.sh: missing:$missing. Run as root: apt-get install --no-install-recommends$missing" >&2
    exit 1
  fi
  sudo='sudo'
fi

# The packages bring services of their own; none of them is to start because of a test.
policy=/usr/sbin/policy-rc.d
ours=''
if [ ! -e "$policy" ]; then
  printf '#!/bin/sh\nexit 101\n' | $sudo tee "$policy" >/dev/null
  $sudo chmod 755 "$policy"
  ours=yes
fi
log=$(mktemp)
finish() {
  status=$?
  [ -z "$ours" ] || $sudo rm -f "$policy"
  if [ "$status" -ne 0 ]; then
    tail -n 20 "$log" >&2
    echo "test/setup.sh: could not install:$missing" >&2
  fi
  rm -f "$log"
  exit "$status"
}
trap finish EXIT

echo "test/setup.sh: installing$missing" >&2
export DEBIAN_FRONTEND=noninteractive
apt() { $sudo env DEBIAN_FRONTEND=noninteractive apt-get -q -y -o DPkg::Lock::Timeout=120 "$@" >>"$log" 2>&1 </dev/null; }
# The lists may be old or absent; with fresh ones the install alone is enough.
# shellcheck disable=SC2086
apt install --no-install-recommends $missing || { apt update && apt install --no-install-recommends $missing; }
