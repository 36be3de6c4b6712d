#!/bin/sh
# Starts one rank and outlives the agent, so that the rank's exit status is never lost.
#
#   sh launch.sh <claim> <exit> <killed> <terminated> <boot id> <count> <cgroup.procs>{count} <command> [argument]...
#
# The claim file is made with O_EXCL: of all launchers for one name, whichever agent started them, one runs the command.
# File descriptor 3 takes one line for the agent: started | already-started | failed <why>. The agent may be dead by then.
# Only builtins run before the command: each process more would cost a millisecond.
claim=$1 ended=$2 killed=$3 terminated=$4 boot=$5 groups=$6
shift 6

# Caught, not ignored: a caught signal is back at its default in the command, an ignored one would stay ignored.
trap : HUP INT QUIT TERM USR1 USR2 PIPE ALRM

answer() {
  echo "$1" 2>/dev/null >&3
  exec 3>&-
}

refuse() {
  answer "failed $1"
  exit 125
}

# Field 22 of /proc/<pid>/stat; what follows the name starts at field 3.
ticks_since_boot() {
  shift 19
  start=$1
}

while [ "$groups" -gt 0 ]; do
  # Appending is what the kernel takes as a write, and what keeps earlier ranks in a test's plain file.
  { echo "$$" >>"$1"; } 2>/dev/null || refuse "cannot join the cgroup: $1"
  shift
  groups=$((groups - 1))
done

if [ -r "/proc/$$/stat" ]; then
  read -r stat <"/proc/$$/stat"
  ticks_since_boot ${stat##*) }
else
  start=$(TZ=UTC LC_ALL=C command -p ps -o lstart= -p "$$")
fi

set -C
if ! { printf '%s\n%s\n%s\n' "$$" "$boot" "$start" >"$claim"; } 2>/dev/null; then
  # Empty: another launcher is between making and writing it, or this one found the disk full.
  if [ -e "$claim" ] && [ ! -s "$claim" ]; then command -p sleep 1; fi
  if [ ! -s "$claim" ]; then refuse "cannot write $claim"; fi
  answer already-started
  exit 0
fi
set +C

# Whoever kills the worker marks it first and looks for its processes then: one of the two sees the other.
if [ -e "$killed" ]; then refuse 'the worker was killed before this rank began'; fi

answer started

# In the foreground: a background command would ignore INT and QUIT, and nothing can undo that.
# A TERM that comes before the subshell has its defaults back is lost on it, so whoever sends one marks the worker first:
# before the look the mark tells, after it the signal kills.
(
  if [ -e "$terminated" ]; then exit 143; fi
  exec "$@"
)
status=$?

# One write of a few bytes, which readers know to be whole by its newline. A tool that renames would be a process of the
# worker, and a signal to all of them in this moment would end it and lose the status.
echo "$status" >"$ended"
exit "$status"
