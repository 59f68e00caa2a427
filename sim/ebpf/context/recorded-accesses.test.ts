import { describe, expect, it } from 'vitest';
import { type Kind, recordedAccesses, type Structure, tableOf } from '../test-support/accesses.ts';
import { ACCESS, type ContextLayout } from './context-access.ts';
import { SK_BUFF_LAYOUT } from './sk-buff.ts';
import { maySocketBeRead, mayTcpSocketBeRead } from './socket.ts';
import { XDP_LAYOUT } from './xdp-md.ts';

type Allows = (kind: Kind, offset: number, size: number) => boolean;

function inContext(layout: ContextLayout): Allows {
  return (kind, offset, size) =>
    kind === 'write'
      ? layout.write(offset, size)
      : layout.read(offset, size, kind !== 'read') !== ACCESS.refused;
}

const MACHINE: Readonly<Record<Structure, Allows>> = {
  xdp_md: inContext(XDP_LAYOUT),
  __sk_buff: inContext(SK_BUFF_LAYOUT),
  sock_common: (kind, offset, size) => kind !== 'write' && maySocketBeRead(offset, size, false),
  sock: (kind, offset, size) => kind !== 'write' && maySocketBeRead(offset, size, true),
  tcp_sock: (kind, offset, size) => kind !== 'write' && mayTcpSocketBeRead(offset, size),
};

describe('fields that programs may access are those that the verifier allows', () => {
  const recorded = recordedAccesses();
  it.each(Object.keys(MACHINE) as Structure[])('%s', (structure) => {
    expect(tableOf(structure, MACHINE[structure])).toEqual(recorded[structure]);
  });
});
