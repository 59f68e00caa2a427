/**
 * Is this what a lab has written? The commands remove directories, namespaces and programs by what the file says, as
 * root: so every name in it must be one that the lab itself would give.
 */
import {
  checkEnvironmentName,
  environmentNamespace,
  HOST_LAB,
  labNamespace,
  MOST_ENVIRONMENTS,
  pinRoots,
} from './names.ts';
import type { AttachmentState, EnvironmentState, LabState } from './state.ts';

const HOOKS: readonly unknown[] = ['xdp', 'tc-ingress', 'tc-egress'];
const MODES: readonly unknown[] = ['native', 'generic', 'tcx', 'clsact'];

/** A property that is not as it should be: where, and what was expected there. */
export class StateProblem extends Error {}

/**
 * @param lab whose file it is
 * @throws {StateProblem} naming the first property that no lab writes
 */
export function checkState(value: unknown, lab: string): LabState {
  const state = record(value, '');
  literal(state.version, [1], 'version');
  literal(state.name, [lab], 'name');
  literal(state.namespace, [lab === HOST_LAB ? 'host' : labNamespace(lab)], 'namespace');
  literal(state.pinRoot, pinRoots(lab), 'pinRoot');
  const environments = list(state.environments, 'environments').map((one, index) =>
    checkEnvironment(one, lab, `environments[${index}]`),
  );
  for (const key of ['name', 'number'] as const) {
    const values = environments.map((one) => one[key]);
    const twice = values.findIndex((one, index) => values.indexOf(one) !== index);
    if (twice >= 0) fail(`environments[${twice}].${key}`, 'one of its own', values[twice]);
  }
  const attachments = list(state.attachments, 'attachments').map((one, index) =>
    checkAttachment(one, `attachments[${index}]`),
  );
  return { ...(state as unknown as LabState), environments, attachments };
}

function checkEnvironment(value: unknown, lab: string, at: string): EnvironmentState {
  const one = record(value, at);
  const vlan = flag(one.vlan, `${at}.vlan`);
  const ipv4 = flag(one.ipv4, `${at}.ipv4`);
  const name = text(one.name, `${at}.name`);
  try {
    checkEnvironmentName(name, vlan);
  } catch {
    fail(`${at}.name`, "an environment's name", name);
  }
  const number = positive(one.number, MOST_ENVIRONMENTS, `${at}.number`);
  literal(one.namespace, [environmentNamespace(lab, name)], `${at}.namespace`);
  return { name, number, namespace: environmentNamespace(lab, name), ipv4, vlan };
}

function checkAttachment(value: unknown, at: string): AttachmentState {
  const one = record(value, at);
  const device = text(one.device, `${at}.device`);
  // What the kernel takes as a device's name (net/core/dev.c, `dev_valid_name`) is also safe as that of a directory.
  if (!/^[^\s/:]{1,15}$/.test(device) || device === '.' || device === '..') {
    fail(`${at}.device`, "a device's name", device);
  }
  literal(one.hook, HOOKS, `${at}.hook`);
  literal(one.mode, MODES, `${at}.mode`);
  return {
    device,
    function: text(one.function, `${at}.function`),
    hook: one.hook as AttachmentState['hook'],
    mode: one.mode as AttachmentState['mode'],
    id: positive(one.id, 2 ** 32 - 1, `${at}.id`),
    object: text(one.object, `${at}.object`),
  };
}

function record(value: unknown, at: string): Record<string, unknown> {
  if (typeof value === 'object' && value !== null && !Array.isArray(value))
    return value as Record<string, unknown>;
  return fail(at, 'an object', value);
}

function list(value: unknown, at: string): readonly unknown[] {
  return Array.isArray(value) ? value : fail(at, 'a list', value);
}

function text(value: unknown, at: string): string {
  return typeof value === 'string' ? value : fail(at, 'a string', value);
}

function flag(value: unknown, at: string): boolean {
  return typeof value === 'boolean' ? value : fail(at, 'true or false', value);
}

function positive(value: unknown, most: number, at: string): number {
  const fits = Number.isInteger(value) && (value as number) >= 1 && (value as number) <= most;
  return fits ? (value as number) : fail(at, `a number from 1 to ${most}`, value);
}

function literal(value: unknown, allowed: readonly unknown[], at: string): void {
  if (!allowed.includes(value)) fail(at, allowed.map((one) => JSON.stringify(one)).join(' or '), value);
}

function fail(at: string, expected: string, value: unknown): never {
  const shown = JSON.stringify(value) ?? 'nothing';
  const got = shown.length > 60 ? `${shown.slice(0, 60)}…` : shown;
  throw new StateProblem(`${at === '' ? '' : `${at}: `}expected ${expected}, got ${got}`);
}
