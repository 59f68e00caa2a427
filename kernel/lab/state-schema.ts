/**
 * What a lab writes down. The commands remove directories, namespaces and programs by what the file says, as root: so
 * every name in it must be one that the lab itself would give.
 */
import {
  exactly,
  flag,
  integer,
  list,
  matching,
  object,
  oneOf,
  parse,
  type Schema,
  ShapeError,
  text,
  uint32,
} from '../../sim/runtime/schema.ts';
import type { AttachmentState, EnvironmentState, LabState } from './lab-state.ts';
import {
  checkEnvironmentName,
  environmentNamespace,
  HOST_LAB,
  labNamespace,
  MOST_ENVIRONMENTS,
  pinRoots,
} from './names.ts';

const environmentShape: Schema<EnvironmentState> = object<EnvironmentState>({
  name: text,
  number: integer(1, MOST_ENVIRONMENTS),
  namespace: text,
  ipv4: flag,
  vlan: flag,
});

const attachmentShape: Schema<AttachmentState> = object<AttachmentState>({
  // What the kernel takes as a device's name (net/core/dev.c, `dev_valid_name`) is safe as that of a directory, too.
  device: matching(/^(?!\.{1,2}$)[^\s/:]{1,15}$/, "a device's name"),
  function: text,
  hook: oneOf('xdp', 'tc-ingress', 'tc-egress'),
  mode: oneOf('native', 'generic', 'tcx', 'clsact'),
  id: uint32,
  object: text,
});

/**
 * @param lab whose file it is
 * @throws {ShapeError} naming the first property that no lab writes
 */
export function parseState(value: unknown, lab: string): LabState {
  const shape = object<LabState>({
    version: exactly(1, 'was written by another version of xdpsim'),
    name: oneOf(lab),
    namespace: oneOf(lab === HOST_LAB ? 'host' : labNamespace(lab)),
    pinRoot: oneOf(...pinRoots(lab)),
    environments: list(environmentShape),
    attachments: list(attachmentShape),
  });
  const state = parse(shape, value);
  for (const [index, environment] of state.environments.entries()) {
    checkEnvironment(lab, environment, state.environments.slice(0, index), `environments[${index}]`);
  }
  return state;
}

function checkEnvironment(
  lab: string,
  { name, number, namespace, vlan }: EnvironmentState,
  before: readonly EnvironmentState[],
  at: string,
): void {
  try {
    checkEnvironmentName(name, vlan);
  } catch {
    throw new ShapeError(`${at}.name`, `expected an environment's name, got ${JSON.stringify(name)}`);
  }
  const expected = environmentNamespace(lab, name);
  if (namespace !== expected) {
    throw new ShapeError(`${at}.namespace`, `expected ${expected}, got ${JSON.stringify(namespace)}`);
  }
  if (before.some((one) => one.name === name)) throw new ShapeError(`${at}.name`, 'is there twice');
  if (before.some((one) => one.number === number)) throw new ShapeError(`${at}.number`, 'is there twice');
}
