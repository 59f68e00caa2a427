import { expect, it } from 'vitest';
import { ShapeError } from '../../sim/runtime/shape-error.ts';
import type { LabState } from './lab-state.ts';
import { parseState } from './state-schema.ts';

const STATE: LabState = {
  version: 1,
  name: 'lab',
  namespace: 'xdpsim-lab',
  pinRoot: '/sys/fs/bpf/xdpsim-lab',
  environments: [
    { name: 'left', number: 1, namespace: 'left', ipv4: true, vlan: false },
    { name: 'right', number: 2, namespace: 'right', ipv4: false, vlan: true },
  ],
  attachments: [
    { device: 'left', function: 'f', hook: 'xdp', mode: 'native', id: 17, object: '/tmp/any “name”.o' },
  ],
};

const environment = (change: object): unknown => ({
  ...STATE,
  environments: [{ ...STATE.environments[0], ...change }],
});
const attachment = (change: object): unknown => ({
  ...STATE,
  attachments: [{ ...STATE.attachments[0], ...change }],
});

it('takes what a lab writes', () => {
  expect(parseState(JSON.parse(JSON.stringify(STATE)), 'lab')).toEqual(STATE);
  const own = { ...STATE, pinRoot: '/run/xdpsim/lab.bpf' };
  expect(parseState(own, 'lab')).toEqual(own);
  const host = { ...STATE, name: 'host', namespace: 'host', pinRoot: '/sys/fs/bpf/xdpsim-host' };
  expect(parseState(host, 'host')).toEqual(host);
});

it.each<readonly [string, unknown, string]>([
  ['nothing', null, 'expected an object, got null'],
  ['a list', [], 'expected an object, got a list'],
  ['a version of the future', { ...STATE, version: 2 }, 'version: was written by another version of xdpsim'],
  ['nothing but the version', { version: 1 }, 'name: is missing'],
  ['the file of another lab', { ...STATE, name: 'other' }, 'name: expected one of lab, got "other"'],
  ['another namespace', { ...STATE, namespace: '../../etc/x' }, 'namespace: expected one of xdpsim-lab, got'],
  [
    'the namespace of the host',
    { ...STATE, namespace: 'host' },
    'namespace: expected one of xdpsim-lab, got "host"',
  ],
  [
    'a directory of somebody else’s',
    { ...STATE, pinRoot: '/etc' },
    'pinRoot: expected one of /sys/fs/bpf/xdpsim-lab, ',
  ],
  ['an object for a list', { ...STATE, environments: {} }, 'environments: expected a list, got an object'],
  [
    'a number for an environment',
    { ...STATE, environments: [1] },
    'environments[0]: expected an object, got 1',
  ],
  [
    'a path for a name',
    environment({ name: '../../x' }),
    "environments[0].name: expected an environment's name, got",
  ],
  [
    'a name too long for its VLANs',
    environment({ name: 'abcdefghijklmn', vlan: true }),
    'environments[0].name: ',
  ],
  [
    'the namespace of somebody else',
    environment({ namespace: 'theirs' }),
    'environments[0].namespace: expected left, got "theirs"',
  ],
  [
    'a number without an address',
    environment({ number: 255 }),
    'environments[0].number: expected an integer from 1 to 254',
  ],
  ['a fraction', environment({ number: 1.5 }), 'environments[0].number: '],
  [
    'a word for a flag',
    environment({ ipv4: 'yes' }),
    'environments[0].ipv4: expected true or false, got "yes"',
  ],
  [
    'two environments of one number',
    { ...STATE, environments: STATE.environments.map((one) => ({ ...one, number: 1 })) },
    'environments[1].number: is there twice',
  ],
  [
    'a path for a device',
    attachment({ device: '../../etc' }),
    "attachments[0].device: expected a device's name, got",
  ],
  ['dots for a device', attachment({ device: '..' }), 'attachments[0].device: '],
  [
    'no hook',
    attachment({ hook: 'nohook' }),
    'attachments[0].hook: expected one of xdp, tc-ingress, tc-egress, got "nohook"',
  ],
  ['no mode', attachment({ mode: undefined }), 'attachments[0].mode: is missing'],
  [
    'a negative number of a program',
    attachment({ id: -1 }),
    'attachments[0].id: expected an integer from 0 to',
  ],
  [
    'a number for a function',
    attachment({ function: 7 }),
    'attachments[0].function: expected a string, got 7',
  ],
  [
    'a very long value',
    attachment({ object: ['x'.repeat(500)] }),
    'attachments[0].object: expected a string, got a list',
  ],
])('refuses %s, and names the property', (_, state, message) => {
  expect(() => parseState(state, 'lab')).toThrow(ShapeError);
  expect(() => parseState(state, 'lab')).toThrow(message);
});
