/** Making environments, and labs with them; and taking them away again. Several processes may do it at once. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { EngineError } from '../../sim/engines/engine.ts';
import type { Netns } from '../network/netns.ts';
import { NETNS_DIRECTORY, removePins } from '../process/leftovers.ts';
import { detach } from './attachments.ts';
import { buildEnvironment, ifindexOf, removeEnvironment } from './environment.ts';
import { findLab } from './find.ts';
import { emptyState, makeLab, openOutside, removeLab, requireRights } from './foundation.ts';
import type { EnvironmentState, LabState } from './lab-state.ts';
import { locked } from './lock.ts';
import {
  checkEnvironmentName,
  checkLabName,
  environmentNamespace,
  HOST_LAB,
  labOption,
  MOST_ENVIRONMENTS,
  notSetUp,
  setupCommand,
} from './names.ts';
import { DamagedState, readState, writeState } from './state.ts';

export interface SetupOptions {
  /** Default: env1, or the first after it that is free. */
  readonly name?: string;
  /** IPv4 addresses beside the IPv6 ones. */
  readonly ipv4?: boolean;
  /** Sub-interfaces for VLANs 1 and 2. */
  readonly vlan?: boolean;
}

/**
 * Makes an environment, and the lab if it is the first.
 * @throws {EngineError} `input`: a name that cannot be one, or is taken; `environment`: rights or tools are missing
 */
export function setup(lab: string, options: SetupOptions = {}): EnvironmentState {
  checkLabName(lab);
  const vlan = options.vlan ?? false;
  if (options.name !== undefined) checkEnvironmentName(options.name, vlan);
  requireRights();
  return locked(() => {
    const before = readState(lab) ?? emptyState(lab);
    const name = options.name ?? freeName(before);
    const environment: EnvironmentState = {
      name,
      number: freeNumber(before),
      namespace: environmentNamespace(lab, name),
      ipv4: options.ipv4 ?? false,
      vlan,
    };
    build(before, environment);
    return environment;
  });
}

/**
 * Removes an environment and, with the last one or without a name, everything that belongs to the lab. What is
 * broken or gone already is no hindrance.
 * @returns the environments removed
 * @throws {EngineError} `input`, when there is no such lab or environment
 */
export function teardown(lab: string, name?: string): EnvironmentState[] {
  checkLabName(lab);
  requireRights();
  return locked(() => remove(stateOf(lab), name));
}

/** Brings environments back to what they were after `setup`: same names, numbers and options, no programs. */
export function reset(lab: string, name?: string): EnvironmentState[] {
  checkLabName(lab);
  requireRights();
  return locked(() => {
    const removed = remove(stateOf(lab), name);
    for (const environment of removed) build(readState(lab) ?? emptyState(lab), environment);
    return removed;
  });
}

/** Makes the lab of the host's own devices, if it is not there. @returns its name */
export function requireHostLab(): string {
  requireRights();
  locked(() => {
    if (readState(HOST_LAB) !== undefined) return;
    const state = emptyState(HOST_LAB);
    writeState(state);
    makeLab(state);
  });
  return HOST_LAB;
}

/** Forgets the lab of the host's own devices, if it has neither environments nor programs. */
export function forgetEmptyHostLab(): void {
  locked(() => {
    const state = readState(HOST_LAB);
    if (state !== undefined && state.environments.length === 0 && state.attachments.length === 0) {
      removeLab(state);
    }
  });
}

/** What the lab has written down, or, where that is lost or damaged, what can be found of it. */
function stateOf(lab: string): LabState {
  let damaged = false;
  try {
    const state = readState(lab);
    if (state !== undefined) return state;
  } catch (error) {
    if (!(error instanceof DamagedState)) throw error;
    damaged = true;
  }
  const found = findLab(lab);
  if (found !== undefined) return found;
  if (damaged) return emptyState(lab);
  throw new EngineError('input', notSetUp(lab), { remedy: setupCommand(lab, 'NAME') });
}

function build(before: LabState, environment: EnvironmentState): void {
  const isNew = readState(before.name) === undefined;
  checkFree(before, environment, isNew);
  // Written first: whatever happens from here on can be torn down.
  writeState({ ...before, environments: [...before.environments, environment] });
  let outside: Netns | undefined;
  try {
    if (isNew) makeLab(before);
    outside = openOutside(before);
    buildEnvironment(environment, outside, before.name);
  } catch (error) {
    removeEnvironment(environment, outside);
    if (isNew) removeLab(before);
    else writeState(before);
    throw error;
  } finally {
    outside?.close();
  }
}

/** What is there already belongs to somebody else, and stays. */
function checkFree(state: LabState, { name, namespace }: EnvironmentState, isNew: boolean): void {
  const anew = `choose another name, or make it anew: xdpsim lab reset ${name}${labOption(state.name)}`;
  if (state.environments.some((one) => one.name === name)) {
    throw new EngineError('input', `the environment ${name} already exists`, { remedy: anew });
  }
  const namespaces = isNew && state.namespace !== 'host' ? [namespace, state.namespace] : [namespace];
  for (const taken of namespaces) {
    if (!existsSync(join(NETNS_DIRECTORY, taken))) continue;
    throw new EngineError('input', `the network namespace ${taken} already exists`, {
      remedy: `choose another name; if an earlier lab left it behind: xdpsim lab teardown${labOption(state.name)}`,
    });
  }
  if (isNew && state.namespace !== 'host') return;
  const outside = openOutside(state);
  try {
    if (ifindexOf(outside, name) === 0) return;
    throw new EngineError('input', `the device ${name} already exists`, { remedy: 'choose another name' });
  } finally {
    outside.close();
  }
}

function remove(state: LabState, name: string | undefined): EnvironmentState[] {
  const going = state.environments.filter((one) => name === undefined || one.name === name);
  if (name !== undefined && going.length === 0) {
    const known = state.environments.map((one) => one.name).join(', ') || 'none';
    throw new EngineError('input', `no environment “${name}”; available: ${known}`);
  }
  const outside = tryToOpen(state);
  try {
    for (const environment of going) {
      removeEnvironment(environment, outside);
      removePins(join(state.pinRoot, environment.name));
    }
    const rest: LabState = {
      ...state,
      environments: state.environments.filter((one) => !going.includes(one)),
      attachments: state.attachments.filter((one) => !going.some((gone) => gone.name === one.device)),
    };
    // What is attached still is on devices of the host's, which stay.
    if (rest.environments.length > 0 || (name !== undefined && rest.attachments.length > 0)) {
      writeState(rest);
      return going;
    }
    for (const attached of rest.attachments) {
      const ifindex = outside === undefined ? 0 : ifindexOf(outside, attached.device);
      if (outside !== undefined && ifindex !== 0) {
        detach({ netns: outside, name: attached.device, ifindex }, attached);
      }
    }
    removeLab(state);
    return going;
  } finally {
    outside?.close();
  }
}

function tryToOpen(state: LabState): Netns | undefined {
  try {
    return openOutside(state);
  } catch {
    return undefined;
  }
}

function freeName(state: LabState): string {
  const taken = new Set(state.environments.map((one) => one.name));
  for (let number = 1; ; number++) if (!taken.has(`env${number}`)) return `env${number}`;
}

function freeNumber(state: LabState): number {
  const taken = new Set(state.environments.map((one) => one.number));
  for (let number = 1; number <= MOST_ENVIRONMENTS; number++) if (!taken.has(number)) return number;
  throw new EngineError('input', `a lab has room for ${MOST_ENVIRONMENTS} environments`);
}
