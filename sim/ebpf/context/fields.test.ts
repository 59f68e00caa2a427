/** Names, widths and contents of the fields that programs read, byte by byte (include/uapi/linux/bpf.h). */
import { describe, expect, it } from 'vitest';
import { CONTEXT_BASE, LinearMemory, SKB_DATA, SOCKET_BASE, SOCKET_LIMIT } from '../memory.ts';
import { assemble, testObject } from '../test-support/assemble.ts';
import { ACCESS } from './context-access.ts';
import { programLayout } from './program-layout.ts';
import { SK_BUFF, SK_BUFF_LAYOUT, writeSkBuff, writeSkbInput } from './sk-buff.ts';
import {
  isKernelForm,
  isSocketFormReadable,
  KERNEL_FORM,
  looksAtSocket,
  MAX_SOCKETS,
  SOCKET_ROW,
  TCP_FORM,
} from './socket.ts';
import { WorldSockets } from './world-sockets.ts';
import { writeXdpMd, XDP_DEVMAP_LAYOUT, XDP_LAYOUT } from './xdp-md.ts';

/** `struct __sk_buff`: each field's name and size. */
const SK_BUFF_FIELDS: readonly (readonly [name: string, size: number])[] = [
  ...['len', 'pkt_type', 'mark', 'queue_mapping', 'protocol', 'vlan_present', 'vlan_tci', 'vlan_proto'].map(
    (name) => [name, 4] as const,
  ),
  ...['priority', 'ingress_ifindex', 'ifindex', 'tc_index'].map((name) => [name, 4] as const),
  ...[0, 1, 2, 3, 4].map((word) => [`cb[${word}]`, 4] as const),
  ...['hash', 'tc_classid', 'data', 'data_end', 'napi_id', 'family', 'remote_ip4', 'local_ip4'].map(
    (name) => [name, 4] as const,
  ),
  ...(['remote_ip6', 'local_ip6'] as const).map((name) => [name, 16] as const),
  ...['remote_port', 'local_port', 'data_meta'].map((name) => [name, 4] as const),
  ['flow_keys', 8],
  ['tstamp', 8],
  ...['wire_len', 'gso_segs'].map((name) => [name, 4] as const),
  ['sk', 8],
  ['gso_size', 4],
  ['tstamp_type', 4],
  ['hwtstamp', 8],
];

describe('fields of __sk_buff', () => {
  it('have their names in every byte', () => {
    const names = SK_BUFF_FIELDS.flatMap(([name, size]) => new Array<string>(size).fill(name));
    expect(names).toHaveLength(SK_BUFF_LAYOUT.size);
    expect(names.map((_, at) => SK_BUFF_LAYOUT.field(at))).toEqual(names);
  });

  it('keep sixteen bits where the kernel has no more, and no queue above the last', () => {
    const narrow = new Map(['queue_mapping', 'tc_index', 'tc_classid'].map((name) => [name, 0xffff]));
    for (let at = 0; at < SK_BUFF_LAYOUT.size; at += 4) {
      const name = SK_BUFF_LAYOUT.field(at);
      expect(SK_BUFF_LAYOUT.writeMask(at), name).toBe(narrow.get(name) ?? -1);
      const limit = name === 'queue_mapping' ? 0xffff : Number.POSITIVE_INFINITY;
      expect(SK_BUFF_LAYOUT.writeLimit(at), name).toBe(limit);
      expect(XDP_LAYOUT.writeMask(at)).toBe(-1);
      expect(XDP_LAYOUT.writeLimit(at)).toBe(Number.POSITIVE_INFINITY);
    }
  });

  it('hold what a frame comes with, or what stands for nothing', () => {
    const view = new DataView(new ArrayBuffer(SK_BUFF_LAYOUT.size + 8));
    const words = (): Record<string, number> => {
      const set: Record<string, number> = {};
      for (let at = 0; at < SK_BUFF_LAYOUT.size; at += 4) {
        const word = view.getUint32(8 + at, true);
        if (word !== 0) set[`${SK_BUFF_LAYOUT.field(at)} at ${at}`] = word;
      }
      return set;
    };
    writeSkbInput(view, 8, 77, {
      mark: 1,
      priority: 2,
      cb: [3, 4, 5, 6, 7],
      tstamp: (9n << 32n) | 8n,
      wireLen: 80,
      gsoSegs: 10,
      gsoSize: 11,
      hwtstamp: (13n << 32n) | 12n,
      vlan: { tci: 14 },
      queueMapping: 15,
      tcIndex: 16,
      tcClassid: 17,
      hash: 18,
    });
    expect(words()).toEqual({
      'mark at 8': 1,
      'queue_mapping at 12': 15,
      'vlan_present at 20': 1,
      'vlan_tci at 24': 14,
      'vlan_proto at 28': 0x0081,
      'tc_index at 44': 16,
      'hash at 68': 18,
      'tc_classid at 72': 17,
      'priority at 32': 2,
      'cb[0] at 48': 3,
      'cb[1] at 52': 4,
      'cb[2] at 56': 5,
      'cb[3] at 60': 6,
      'cb[4] at 64': 7,
      'tstamp at 152': 8,
      'tstamp at 156': 9,
      'wire_len at 160': 80,
      'gso_segs at 164': 10,
      'gso_size at 176': 11,
      'hwtstamp at 184': 12,
      'hwtstamp at 188': 13,
    });
    writeSkbInput(view, 8, 77, { vlan: { proto: 0x88a8, tci: 0 } });
    expect(words()).toEqual({ 'vlan_present at 20': 1, 'vlan_proto at 28': 0xa888, 'wire_len at 160': 77 });
    writeSkbInput(view, 8, 77, {});
    expect(words()).toEqual({ 'wire_len at 160': 77 });
  });

  it('are all new for each frame', () => {
    const memory = new LinearMemory();
    memory.u8.fill(0xee, CONTEXT_BASE, CONTEXT_BASE + 200);
    memory.u8.set([2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 0x86, 0xdd], SKB_DATA);
    const mac = Uint8Array.of(2, 0, 0, 0, 0, 9);
    writeSkBuff(memory, SKB_DATA, 61, { ifindex: 7, ingressIfindex: 3, mac });
    const set = new Map<string, number>();
    for (let at = 0; at < 200; at += 4) {
      const word = memory.u32(CONTEXT_BASE + at);
      if (word !== 0) set.set(at < SK_BUFF_LAYOUT.size ? SK_BUFF_LAYOUT.field(at) : `${at}`, word);
    }
    const names = [
      'len',
      'pkt_type',
      'protocol',
      'ingress_ifindex',
      'ifindex',
      'wire_len',
      'sk',
      '192',
      '196',
    ];
    expect([...set.keys()]).toEqual(names);
    expect([...set.values()]).toEqual([61, 3, 0xdd86, 3, 7, 61, SOCKET_BASE, 0xeeee_eeee, 0xeeee_eeee]);
  });
});

describe('fields of xdp_md', () => {
  const names = ['data', 'data_end', 'data_meta', 'ingress_ifindex', 'rx_queue_index', 'egress_ifindex'];

  it('have their names in every byte, and none lies behind them', () => {
    for (let at = 0; at < 28; at++) expect(XDP_LAYOUT.field(at)).toBe(names[at >> 2] ?? `offset ${at}`);
    expect(XDP_LAYOUT.size).toBe(4 * names.length);
  });

  it('are one more for programs in a device map', () => {
    const [object] = testObject({ main: 'exit' }).programs;
    expect(programLayout('xdp', object!)).toBe(XDP_LAYOUT);
    expect(programLayout('xdp', { ...object!, behindRedirect: 'devmap' })).toBe(XDP_DEVMAP_LAYOUT);
    expect(programLayout('xdp', { ...object!, behindRedirect: 'cpumap' })).toBe(XDP_LAYOUT);
    expect(programLayout('tc', object!)).toBe(SK_BUFF_LAYOUT);
    const read = (at: number): number[] =>
      [XDP_LAYOUT, XDP_DEVMAP_LAYOUT].map((one) => one.read(at, 4, false));
    expect([16, 20, 24].map(read)).toEqual([
      [ACCESS.scalar, ACCESS.scalar],
      [ACCESS.refused, ACCESS.scalar],
      [ACCESS.refused, ACCESS.refused],
    ]);
    expect([0, 4, 8, 12].map((at) => XDP_LAYOUT.read(at, 4, true))).toEqual([0, 0, 0, ACCESS.scalar]);
  });

  it('are written for each frame', () => {
    const memory = new LinearMemory();
    memory.u8.fill(0xee, CONTEXT_BASE, CONTEXT_BASE + 28);
    writeXdpMd(memory, 5, 6, 7);
    expect([12, 16, 20, 24].map((at) => memory.u32(CONTEXT_BASE + at))).toEqual([5, 6, 7, 0xeeee_eeee]);
  });
});

describe('sockets', () => {
  it('are read in their own form and in TCP’s, and not in the kernel’s', () => {
    for (const row of [0, 1, MAX_SOCKETS]) {
      const at = SOCKET_BASE + SOCKET_ROW * row;
      expect(
        [0, TCP_FORM - 4, TCP_FORM, TCP_FORM + 80, KERNEL_FORM - 4].map((offset) =>
          isSocketFormReadable(at + offset, 4),
        ),
      ).toEqual([true, true, true, false, true]);
      expect(
        [TCP_FORM + 80, TCP_FORM + 88, TCP_FORM + 96].map((offset) => isSocketFormReadable(at + offset, 8)),
      ).toEqual([true, true, false]);
      expect(
        [KERNEL_FORM, KERNEL_FORM + 4, SOCKET_ROW - 1].map((offset) => isSocketFormReadable(at + offset, 1)),
      ).toEqual([false, false, false]);
      expect(
        [0, TCP_FORM, KERNEL_FORM - 1, KERNEL_FORM, SOCKET_ROW - 1].map((offset) =>
          isKernelForm(at + offset),
        ),
      ).toEqual([false, false, false, true, true]);
    }
    expect(
      [SOCKET_BASE - 1, SOCKET_LIMIT - 1, SOCKET_LIMIT, SOCKET_LIMIT + KERNEL_FORM].map(isKernelForm),
    ).toEqual([false, true, false, false]);
  });

  it('are looked at by programs that load eight bytes from where `sk` is', () => {
    const looks = (text: string): boolean => {
      const [program] = testObject({ main: text }).programs;
      return looksAtSocket({ ...program!, instructions: assemble(text) });
    };
    expect(looks(`r1 = *(u64 *)(r1 + ${SK_BUFF.sk})\nexit`)).toBe(true);
    expect(looks(`r1 = *(u32 *)(r1 + ${SK_BUFF.sk})\nexit`)).toBe(false);
    expect(looks(`r1 = *(u64 *)(r1 + ${SK_BUFF.tstamp})\nexit`)).toBe(false);
    expect(looks(`*(u64 *)(r1 + ${SK_BUFF.sk}) = 0\nexit`)).toBe(false);
  });

  it('of a world lie one behind the other, with what the kernel has in each', () => {
    const memory = new LinearMemory();
    const sockets = new WorldSockets(memory, [
      { protocol: 'tcp', local: '10.0.0.1:80', mark: 9 },
      { protocol: 'tcp', local: '10.0.0.1:81', remote: '10.0.0.2:4660', ifindex: 3 },
      { protocol: 'udp', local: '[2001:db8::1]:53' },
      { protocol: 'tcp', local: '[::]:82' },
      { protocol: 'tcp', local: '[2001:db8::1]:83', remote: '[2001:db8::2]:4661' },
      { protocol: 'udp', local: '10.0.0.1:84', remote: '10.0.0.2:4662' },
    ]);
    const told = [0, 1, 2, 3, 4, 5].map((index) => {
      const at = sockets.addressOf(index);
      expect(sockets.at(at)).toBe(sockets.table.sockets[index]);
      expect(sockets.at(at + TCP_FORM)).toBe(sockets.table.sockets[index]);
      const words: string[] = [];
      for (let offset = 0; offset < SOCKET_ROW; offset += 4) {
        const word = memory.u32(at + offset);
        if (word !== 0) words.push(`${offset}:${word.toString(16)}`);
      }
      return words.join(' ');
    });
    expect(sockets.at(SOCKET_BASE)).toBeUndefined();
    // bound_dev_if, family, type, protocol, mark, src_ip4, src_ip6, src_port, dst_port, dst_ip4, dst_ip6, state, rx_queue; bpf_tcp_sock.
    expect(told).toEqual([
      '4:2 8:1 12:6 16:9 24:100000a 44:50 72:a 76:ffffffff 80:a 88:ffffffff 92:7fffffff 108:218',
      '0:3 4:2 8:1 12:6 24:100000a 36:ffff0000 40:100000a 44:51 48:3412 52:200000a 64:ffff0000 68:200000a 72:1 76:ffffffff 80:a 88:ffffffff 92:7fffffff 108:20c',
      '4:a 8:2 12:11 24:600007f 28:b80d0120 40:1000000 44:35 72:7 76:ffffffff',
      '4:a 8:1 12:6 44:52 72:a 76:ffffffff 80:a 88:ffffffff 92:7fffffff 108:218',
      '4:a 8:1 12:6 24:600007f 28:b80d0120 40:1000000 44:53 48:3512 56:b80d0120 68:2000000 72:1 76:ffffffff 80:a 88:ffffffff 92:7fffffff 108:4b8',
      '4:2 8:2 12:11 24:100000a 44:54 48:3612 52:200000a 72:1 76:ffffffff',
    ]);
  });

  it('are as many as there is room for', () => {
    const many = Array.from(
      { length: MAX_SOCKETS + 1 },
      (_, at) => ({ protocol: 'udp', local: `10.0.0.1:${at + 1}` }) as const,
    );
    expect(() => new WorldSockets(new LinearMemory(), many)).toThrow(
      `${MAX_SOCKETS + 1} sockets: the machine has room for ${MAX_SOCKETS}`,
    );
    expect(new WorldSockets(new LinearMemory(), many.slice(1)).table.sockets).toHaveLength(MAX_SOCKETS);
  });
});
