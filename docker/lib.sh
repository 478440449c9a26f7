# What the scripts in this folder share. Sourced, not run.
# shellcheck shell=bash disable=SC2034 # some of this is for the scripts only
#
# DOCKER         the client to use, where there are several (default: docker)
# SHEAF_IMAGE    image of the nodes (default: sheaf)
# SHEAF_NETWORK  network that they share (default: sheaf-net)
# SHEAF_PREFIX   nodes are the containers PREFIX-1, PREFIX-2, … and keep their photos in volumes of the same name (default: sheaf)
set -euo pipefail

docker=${DOCKER:-docker}
image=${SHEAF_IMAGE:-sheaf}
network=${SHEAF_NETWORK:-sheaf-net}
prefix=${SHEAF_PREFIX:-sheaf}
# names that nodes look up when nobody has told them whom to join
alias=sheaf
label=io.sheaf.cluster=$prefix
# longer than the ten seconds that requests in progress get
stop_seconds=30

say() { printf '%s\n' "$*" >&2; }

die() {
  say "$(basename "$0"): $*"
  exit 1
}

# Prints the lines at the head of the script that was run.
usage() {
  sed -n '2,/^[^#]/{s/^# \{0,1\}//p}' "$0" >&2
  exit 2
}

# Prints the numbers of all nodes, running or not, in ascending order.
node_numbers() {
  "$docker" ps --all --filter "label=$label" --format '{{.Names}}' | sed -n "s/^$prefix-\([0-9]\{1,\}\)\$/\1/p" | sort -n
}

# Prints the lowest number that neither a node has nor a volume, which may be that of a node that has left.
free_number() {
  local number=1
  while "$docker" container inspect "$prefix-$number" > /dev/null 2>&1 \
    || "$docker" volume inspect "$prefix-$number" > /dev/null 2>&1; do
    number=$((number + 1))
  done
  printf '%s\n' "$number"
}

# node_name NAME-OR-NUMBER
node_name() {
  if [[ $1 =~ ^[0-9]+$ ]]; then printf '%s-%s\n' "$prefix" "$1"; else printf '%s\n' "$1"; fi
}

require_node() {
  "$docker" inspect --type container "$1" > /dev/null 2>&1 || die "there is no node $1; \`$docker ps --all\` lists those that are there"
}

# until_ready NAME: waits until the node serves all that it has, for SHEAF_READY_SECONDS at most (default: 120).
until_ready() {
  local seconds=${SHEAF_READY_SECONDS:-120}
  local deadline=$((SECONDS + seconds))
  local ask='fetch(new URL("/health/ready", process.env.SHEAF_NODE || "http://127.0.0.1:8000"))
    .then(answer => process.exit(answer.ok ? 0 : 1), () => process.exit(1))'
  until "$docker" exec "$1" node -e "$ask" > /dev/null 2>&1; do
    if ((SECONDS > deadline)); then die "$1 is not ready after $seconds s; see \`$docker logs $1\`"; fi
    sleep 0.5
  done
}
