import { expect, it } from 'vitest';
import { makerOf } from '../process/run-name.ts';
import {
  checkEnvironmentName,
  checkLabName,
  deviceOf,
  environmentNamespace,
  labNamespace,
  subnetOf,
  subnetsOf,
} from './names.ts';

it('takes names that a device can have', () => {
  for (const name of ['left', 'a', 'abcdefghijklmno', 'veth-basic02', 'x_1']) {
    expect(() => checkEnvironmentName(name, false)).not.toThrow();
  }
});

it('refuses a name of sixteen characters, and says how many are allowed', () => {
  expect(() => checkEnvironmentName('abcdefghijklmnop', false)).toThrow(
    expect.objectContaining({ kind: 'input', remedy: "a device's name has at most 15" }),
  );
});

it('leaves room for the sub-interfaces of VLANs', () => {
  expect(() => checkEnvironmentName('abcdefghijklm', true)).not.toThrow();
  expect(() => checkEnvironmentName('abcdefghijklmn', true)).toThrow('14 characters');
});

it('refuses names that would be read as something else', () => {
  for (const name of ['', '1left', '-x', 'a b', 'a/b', 'a\nb', 'a.1', 'lo', 'all', 'default']) {
    expect(() => checkEnvironmentName(name, false)).toThrow('cannot be an environment');
  }
});

it('refuses lab names whose things the next run would clear away', () => {
  expect(() => checkLabName('lab')).not.toThrow();
  expect(() => checkLabName('12-34-5')).toThrow("cannot be a lab's name");
  expect(() => checkLabName('../x')).toThrow("cannot be a lab's name");
  expect(makerOf(labNamespace('t12-34-5-0123456789ab-0'))).toBeUndefined();
});

it("calls the default lab's namespaces as the tutorials do, and tells other labs' apart", () => {
  expect(environmentNamespace('lab', 'left')).toBe('left');
  expect(environmentNamespace('other', 'left')).toBe('xdpsim-other-left');
});

it('gives the addresses of the tutorials', () => {
  const { outer, inner } = subnetOf(3);
  expect([outer.ipv6, inner.ipv6]).toEqual(['fc00:dead:cafe:3::1', 'fc00:dead:cafe:3::2']);
  expect([outer.ipv4, inner.ipv4]).toEqual(['10.11.3.1', '10.11.3.2']);
});

it('gives every end of every network of all environments an address of its own', () => {
  const addresses = new Set<string>();
  const macs = new Set<string>();
  for (let number = 1; number <= 254; number++) {
    for (const { outer, inner } of subnetsOf({ number, vlan: true })) {
      for (const end of [outer, inner]) addresses.add(end.ipv6).add(end.ipv4);
      macs.add(outer.mac).add(inner.mac);
    }
  }
  expect(addresses.size).toBe(254 * 3 * 4);
  expect(macs.size).toBe(254 * 2);
});

it('calls sub-interfaces by their VLAN', () => {
  expect(deviceOf('left', subnetOf(1))).toBe('left');
  expect(deviceOf('left', subnetOf(1, 2))).toBe('left.2');
});
