import { describe, expect, it } from 'vitest';
import type { BpfMap } from '../../sim/ebpf/bpf-object.ts';
import { parseGlobals } from './globals.ts';

const object = {
  maps: [
    {
      global: {
        readOnly: true,
        variables: new Map([
          ['port', { offset: 0, size: 2, typeId: 1 }],
          ['ifindex', { offset: 4, size: 4, typeId: 2 }],
          ['mac', { offset: 8, size: 6, typeId: 3 }],
        ]),
      },
    },
    { global: { readOnly: false, variables: new Map([['counter', { offset: 0, size: 8, typeId: 4 }]]) } },
  ] as unknown as BpfMap[],
};
const parse = (...options: string[]): Record<string, Uint8Array> =>
  parseGlobals(options, object, (device) => (device === 'left' ? 7 : undefined));

describe('--global', () => {
  it('takes numbers in the machine’s byte order, as wide as the variable', () => {
    expect(parse('port=8080', 'ifindex=0x01020304')).toEqual({
      port: Uint8Array.of(0x90, 0x1f),
      ifindex: Uint8Array.of(4, 3, 2, 1),
    });
    expect(parse('port=-1').port).toEqual(Uint8Array.of(255, 255));
  });

  it('takes MAC addresses and bytes as they lie in memory', () => {
    const mac = Uint8Array.of(2, 0, 0, 0, 0, 0x1f);
    expect(parse('mac=02:00:00:00:00:1f').mac).toEqual(mac);
    expect(parse('mac=hex:02000000001f').mac).toEqual(mac);
    expect(parse('port=hex:1f90').port).toEqual(Uint8Array.of(0x1f, 0x90));
  });

  it('takes a device’s name for its ifindex', () => {
    expect(parse('ifindex=left').ifindex).toEqual(Uint8Array.of(7, 0, 0, 0));
    expect(() => parse('ifindex=right')).toThrow('“right” is no number');
  });

  it('refuses a number that does not fit', () => {
    expect(() => parse('port=65536')).toThrow('65536 does not fit into 2 bytes');
    expect(() => parse('port=-32769')).toThrow('does not fit');
    expect(() => parse('mac=5')).toThrow('has 6 bytes, which are no number');
    expect(() => parse('port=02:00:00:00:00:1f')).toThrow('takes 2 bytes');
  });

  it('names the read-only globals that there are', () => {
    expect(() => parse('prot=1')).toThrow('it has port, ifindex, mac');
    expect(() => parse('counter=1')).toThrow('no such read-only global');
    expect(() => parse('port')).toThrow('takes NAME=VALUE');
  });
});
