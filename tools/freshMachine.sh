#!/usr/bin/env bash
# Proves that the repository needs nothing but what README names: makes a Debian 12 with only Node 20, npm, Python 3.11 and
# git, clones the committed state into it, and runs the commands there with an empty home. Everything runs in namespaces of
# its own for mounts and processes, so nothing of it can stay behind. Needs root, debootstrap, and Node 20 with npm in PATH.
#
# tools/freshMachine.sh [options] [-- command]      default command: npm run demo && npm test
#   --user           as an ordinary user, not as root
#   --no-cgroups     with /sys read-only and without cgroups
#   --without NAME   without a package: python3
#   --base DIR       the bare Debian; made there when it is missing, and kept. Default: made anew
#   --keep           leave the machine's folder
#
# How this machine reaches its package registries goes along (~/.npmrc, pip's configuration, certificates, proxies).
set -euo pipefail
repository=$(cd "$(dirname "$0")/.." && pwd -P)
packages=ca-certificates,git,python3
mirror=${DEBIAN_MIRROR:-http://deb.debian.org/debian}

fail() {
  echo "freshMachine: $*" >&2
  exit 2
}

# What a login there has, and this machine's way to the registries.
passed_variables() {
  env | grep -iE '^(pip_|npm_config_(registry|cafile)|(https?|no|all)_proxy=|node_extra_ca_certs=|ssl_cert_|git_ssl_|requests_ca_)' || true
}

make_base() {
  [ -e "$base/usr/bin/dpkg" ] && return
  command -v debootstrap >/dev/null || fail 'debootstrap is missing: apt-get install debootstrap'
  echo "freshMachine: making a Debian 12 in $base …" >&2
  debootstrap --variant=minbase --include="$packages" bookworm "$base" "$mirror" >"$work/debootstrap.log" || {
    tail -n 20 "$work/debootstrap.log" >&2
    fail 'debootstrap failed'
  }
}

# Debian 12 itself has Node 18: bring this machine's, as the Node project's own archive would lie there.
bring_node() {
  local npm
  case $(node --version) in v20.*) ;; *) fail "Node 20 is wanted in PATH, found $(node --version)" ;; esac
  npm=$(dirname "$(dirname "$(readlink -f "$(command -v npm)")")")
  mkdir -p "$root/usr/local/lib/node_modules"
  cp "$(readlink -f "$(command -v node)")" "$root/usr/local/bin/node"
  cp -R "$npm" "$root/usr/local/lib/node_modules/npm"
  ln -s ../lib/node_modules/npm/bin/npm-cli.js "$root/usr/local/bin/npm"
  ln -s ../lib/node_modules/npm/bin/npx-cli.js "$root/usr/local/bin/npx"
}

bring_configuration() {
  local file
  for file in /etc/resolv.conf /etc/hosts /etc/pip.conf /etc/ssl/certs/ca-certificates.crt; do
    if [ -e "$file" ]; then cp -L "$file" "$root$file"; fi
  done
  for file in .npmrc .config/pip/pip.conf .pip/pip.conf; do
    if [ -e "$HOME/$file" ]; then install -D -m 644 "$HOME/$file" "$root$home/$file"; fi
  done
}

bring_repository() {
  git clone --quiet --no-hardlinks "file://$repository" "$root$home/shoal"
}

mount_kernel() {
  mount --make-rprivate /
  mount --bind "$root" "$root"
  mount -t proc proc "$root/proc"
  mount --rbind /dev "$root/dev"
  if [ "$cgroups" = yes ]; then
    mount --rbind /sys "$root/sys"
  else
    mount -t sysfs -o ro sysfs "$root/sys"
  fi
}

# Each second a line with the memory of all processes (PSS, KiB), and one a process with its processor time (ticks).
watch_use() {
  while [ ! -e "$1.done" ]; do
    cat /proc/[0-9]*/smaps_rollup 2>/dev/null | awk '/^Pss:/ { sum += $2 } END { print "memory", sum + 0 }' || true
    cat /proc/[0-9]*/stat 2>/dev/null | sed -E 's/^([0-9]+) \(.*\) /\1 /' | awk '{ print "cpu", $1 "-" $20, $12 + $13 }' || true
    sleep 1
  done >>"$1"
}

tell_use() {
  awk -v hertz="$(getconf CLK_TCK)" -v wall="$2" '
    $1 == "memory" && $2 > most { most = $2 }
    $1 == "cpu" { ticks[$2] = $3 }
    END {
      for (each in ticks) sum += ticks[each]
      printf "freshMachine: %d s, some %d s of processor time, at most %d MiB of memory\n", wall, sum / hertz, most / 1024
    }' "$1"
}

# Runs as the first process of the new namespaces: when it ends, the kernel ends what is left.
inside() {
  local started watcher code=0 left
  mount_kernel
  # Of this namespace, for what follows here.
  mount -t proc proc /proc
  watch_use "$work/use" &
  watcher=$!
  started=$SECONDS
  chroot ${userspec:+--userspec="$userspec"} "$root" /usr/bin/env -i "${variables[@]}" bash -c "cd ~/shoal && $command" </dev/null || code=$?
  touch "$work/use.done"
  wait "$watcher"
  tell_use "$work/use" $((SECONDS - started))
  ps -eo pid=,args= >"$work/processes"
  left=$(awk '$1 != 1 && $2 != "ps"' "$work/processes")
  if [ -n "$left" ]; then
    printf 'freshMachine: processes were left behind:\n%s\n' "$left" >&2
    code=1
  fi
  return "$code"
}

user=root home=/root userspec='' cgroups=yes keep=no base='' command='npm run demo && npm test' stage=outside
if [ "${1:-}" = --inside ]; then
  stage=inside work=$2 root=$3
  shift 3
fi
arguments=("$@")
while [ $# -gt 0 ]; do
  case $1 in
    --user) user=tester && home="/home/$user" userspec=$user:$user ;;
    --no-cgroups) cgroups=no ;;
    --without) packages=$(tr ',' '\n' <<<"$packages" | grep -vx "$2" | paste -sd,) && shift ;;
    --base) base=$2 && shift ;;
    --keep) keep=yes ;;
    --) shift && command=$* && break ;;
    *) fail "$1: not an option; the head of $0 lists them" ;;
  esac
  shift
done
mapfile -t variables < <(passed_variables)
variables+=("HOME=$home" "USER=$user" "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin" LANG=C.UTF-8)

if [ "$stage" = inside ]; then
  inside
  exit
fi
[ "$(id -u)" = 0 ] || fail 'root is needed to make a machine (the commands run without it with --user)'
work=$(mktemp -d)
root=$work/root
if [ "$keep" = no ]; then trap 'rm -rf --one-file-system "$work"' EXIT; fi
base=${base:-$root}
mkdir -p "$base"
make_base
if [ "$base" != "$root" ]; then cp -a "$base" "$root"; fi
if [ "$user" != root ]; then chroot "$root" useradd --create-home "$user"; fi
bring_node
bring_configuration
bring_repository
if [ "$user" != root ]; then chroot "$root" chown -R "$user:" "$home"; fi
echo "freshMachine: Debian $(cat "$root/etc/debian_version"), $("$root/usr/local/bin/node" --version), $(chroot "$root" python3 --version 2>&1 || true), as $user, cgroups: $cgroups, commit $(git -C "$repository" rev-parse --short HEAD), in $root" >&2
unshare --mount --pid --fork --kill-child "$0" --inside "$work" "$root" "${arguments[@]}"
