#!/bin/sh
# Installs what a bare Debian or Ubuntu needs to build and test everything, kernel and live traffic included.
set -eu

if [ "$(id -u)" -ne 0 ]; then
  echo "npm run setup installs system packages: run it as root (sudo npm run setup)." >&2
  exit 3
fi
if ! command -v apt-get >/dev/null; then
  echo "npm run setup knows Debian and Ubuntu only. Elsewhere, install by name what is listed in .ci/setup.sh." >&2
  exit 3
fi

export DEBIAN_FRONTEND=noninteractive
apt-get update -qq
apt-get install -y -qq --no-install-recommends \
  clang-14 llvm-14 lld-14 libbpf-dev `# builds what is committed as built; libbpf1 loads objects` \
  gcc g++ make python3 libc6-dev libpcap-dev `# builds cap and raw-socket, and the benchmarks in C` \
  iproute2 util-linux procps `# namespaces, veth, nsenter` \
  iputils-ping tcpdump netcat-openbsd `# the tools of the live scenarios` \
  tshark `# another decoder to hold ours against` \
  libxdp1 `# brings eBPF objects that no one here wrote`

# Optional dependencies that failed to build are left out without a word: build them now that they can be.
npm ci
