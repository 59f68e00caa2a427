/** What a lab stands on, before there is an environment in it: its own network namespace and its place for pins. */
import { spawnSync } from 'node:child_process';
import { mkdirSync, rmSync, statfsSync } from 'node:fs';
import { join } from 'node:path';
import { EngineError } from '../../sim/engines/engine.ts';
import { requireLibbpf } from '../libbpf/libbpf.ts';
import { libc, MNT_DETACH } from '../libc.ts';
import { createLastingNetns, type Netns, openNetns } from '../network/netns.ts';
import { NETNS_DIRECTORY, removeNetnsName, removePins } from '../process/leftovers.ts';
import { quietNamespace } from './environment.ts';
import type { LabState } from './lab-state.ts';
import { BPFFS, HOST_LAB, labNamespace, labOption, pinRoots } from './names.ts';
import { removeState } from './state.ts';
import { removeTraceInstances } from './trace-instance.ts';

/** include/uapi/linux/magic.h */
const BPF_FS_MAGIC = 0xcafe4a11;

/** @throws {EngineError} `environment` where no lab can be made or used */
export function requireRights(): void {
  requireLibbpf();
  if (process.geteuid?.() === 0) return;
  throw new EngineError('environment', 'the lab works on network namespaces and devices, which takes root', {
    remedy: 'run it with sudo',
  });
}

/** A lab before its first environment. Maps are pinned in the host's bpffs, or in one of the lab's own where there is none. */
export function emptyState(name: string): LabState {
  return {
    version: 1,
    name,
    namespace: name === HOST_LAB ? 'host' : labNamespace(name),
    pinRoot: pinRoots(name)[isBpffs(BPFFS) ? 0 : 1],
    environments: [],
    attachments: [],
  };
}

export function makeLab({ name, namespace, pinRoot }: LabState): void {
  makePinRoot(pinRoot);
  if (namespace === 'host') return;
  const outside = createLastingNetns(namespace);
  try {
    quietNamespace(outside, name);
    outside.sysctl('ipv4/ip_forward', 1);
    outside.sysctl('ipv6/conf/all/forwarding', 1);
  } finally {
    outside.close();
  }
}

/**
 * Makes the place for pins; without a bpffs of the host's, mounts one of the lab's own. Nothing is done where it is
 * there, as it is not in another mount namespace than the one in which the lab was set up.
 */
export function makePinRoot(pinRoot: string): void {
  mkdirSync(pinRoot, { recursive: true, mode: 0o700 });
  if (!isBpffs(pinRoot)) mountBpffs(pinRoot);
}

/** Takes away whatever there is of a lab without environments, and forgets it. */
export function removeLab({ name, namespace }: Pick<LabState, 'name' | 'namespace'>): void {
  removeTraceInstances(name);
  const [hosts, own] = pinRoots(name);
  removePins(hosts);
  // With the mount go its pins.
  libc().umount2(own, MNT_DETACH);
  rmSync(own, { recursive: true, force: true });
  if (namespace !== 'host') removeNetnsName(join(NETNS_DIRECTORY, namespace));
  removeState(name);
}

/** @throws {EngineError} where the lab's namespace is gone */
export function openOutside({ name, namespace }: LabState): Netns {
  if (namespace === 'host') return openNetns('host', '/proc/thread-self/ns/net');
  try {
    return openNetns(namespace);
  } catch (cause) {
    throw new EngineError('environment', `the lab's network namespace ${namespace} is gone`, {
      remedy: `xdpsim lab teardown${labOption(name)}`,
      cause,
    });
  }
}

function isBpffs(path: string): boolean {
  try {
    return statfsSync(path).type === BPF_FS_MAGIC;
  } catch {
    return false;
  }
}

function mountBpffs(path: string): void {
  const { status, stderr } = spawnSync('mount', ['-t', 'bpf', 'bpf', path], { encoding: 'utf8' });
  if (status === 0) return;
  throw new EngineError('environment', `no place to pin maps: ${stderr?.trim() || 'mount failed'}`, {
    remedy: 'mount -t bpf bpf /sys/fs/bpf',
  });
}
