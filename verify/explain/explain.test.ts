import { describe, expect, it } from 'vitest';
import type { Case } from '../../corpus/cases/case.ts';
import type { EngineName } from '../../sim/engines/register.ts';
import type { Stimulus } from '../../sim/packet/packet-batch.ts';
import { XDP_PASS, XDP_TX } from '../../sim/runtime/actions.ts';
import { addU64 } from '../../sim/runtime/model-map.ts';
import type { Finding } from '../finding.ts';
import type { Outcome } from '../outcome.ts';
import { Replay } from '../replay.ts';
import type { Divergence } from '../report.ts';
import { type Behaviour, FAKE_PROGRAM, fakeEngine } from '../test-support/engines.ts';
import { bytes, data, ethernet, icmp, icmpv6, ipv4, ipv6, udp } from '../test-support/packets.ts';
import { testify } from '../witness.ts';
import { commandsOf } from './command.ts';
import { explain } from './explain.ts';
import { notable } from './notable.ts';
import { summarize } from './summary.ts';

const L4 = 34;
const echo = ethernet(0x0800, ipv4(1, icmp(8, 0, [0x12, 0x34, 0, 1], data(16))));
const checksumOf = (packet: Uint8Array): number => (packet[L4 + 2]! << 8) | packet[L4 + 3]!;

function edit(packet: Uint8Array, ...changes: [at: number, ...values: number[]][]): Uint8Array {
  const copy = packet.slice();
  for (const [at, ...values] of changes) copy.set(values, at);
  return copy;
}

/** The reply as it should be: the type changed, the checksum updated. */
const reply = (() => {
  const sum = checksumOf(echo) + 0x0800;
  const checksum = sum > 0xffff ? sum - 0xffff : sum;
  return edit(echo, [L4, 0], [L4 + 2, checksum >> 8, checksum & 0xff]);
})();

const answer =
  (packet: Uint8Array): Behaviour =>
  () => ({ action: XDP_TX, packet });

async function found(
  stimuli: readonly Stimulus[],
  model: Behaviour,
  machine: Behaviour,
  names: readonly [EngineName, EngineName] = ['model', 'vm'],
): Promise<Divergence> {
  const shown: Case = { program: 'fake', world: {}, stimuli };
  const replay = new Replay(FAKE_PROGRAM, [fakeEngine(names[0], model), fakeEngine(names[1], machine)]);
  const [finding] = await replay.findings(shown);
  await replay.close();
  return divergenceOf(shown, finding!);
}

function divergenceOf(shown: Case, finding: Finding): Divergence {
  const { engines, part, field } = finding;
  return {
    program: 'fake',
    engines,
    part,
    field,
    severity: 'error',
    summary: summarize(FAKE_PROGRAM, shown, finding),
    case: shown,
    finding,
    seen: { seed: 'a seed', packet: 17 },
    state: 'shrunk',
  };
}

describe('explain', () => {
  it('says after how long shrinking was stopped', async () => {
    const divergence = await found([{ packet: echo }], answer(reply), answer(edit(echo, [L4, 0])));
    const shown = (stopped: Divergence['stopped']): string =>
      explain(FAKE_PROGRAM, {
        ...divergence,
        state: 'cut short',
        ...(stopped === undefined ? {} : { stopped }),
      })[1]!;
    expect(shown({ after: 'seconds', limit: 10 })).toMatch(/stopped shrinking after 10 s/);
    expect(shown({ after: 'interrupt' })).toMatch(/stopped shrinking when interrupted/);
  });

  it('tells of a checksum that was not updated: verdict, changed layer, marked bytes, worksheet, command', async () => {
    const divergence = await found([{ packet: echo }], answer(reply), answer(edit(echo, [L4, 0])));
    const text = explain(FAKE_PROGRAM, divergence, {
      run: { engines: ['model', 'vm'], seed: 'a seed' },
    }).join('\n');
    const was = checksumOf(echo).toString(16).padStart(4, '0');
    const right = checksumOf(reply).toString(16).padStart(4, '0');
    expect(divergence.field).toBe('icmp.checksum');
    expect(divergence.summary).toContain(`icmp.checksum: expected 0x${right}`);
    expect(divergence.summary).toContain(`(model), got 0x${was}`);
    expect(divergence.summary).toContain('type changed, but the checksum stayed');
    expect(text).toMatch(/ {4}! Checksum: .*expected 0x/);
    // Only ICMP is open: no field of the others is shown.
    expect(text).toContain('Internet Protocol Version 4');
    expect(text).not.toContain('Time to Live:');
    expect(text.match(/^ +\^\^$/gm)).toHaveLength(2);
    expect(text).toContain(`difference: 0x${was} is 0x${right} − 0x0800`);
    expect(text).toContain(`~0x${was} + ~0x0800 + 0x0000`);
    expect(text).toContain('it would be right if it were updated at all');
    expect(text).toContain("npx xdpsim verify fake --engines model,vm --seed 'a seed'");
    expect(text).not.toContain('\u001b');
  });

  it('says the same with and without colour', async () => {
    const divergence = await found([{ packet: echo }], answer(reply), answer(edit(echo, [L4, 0])));
    const plain = explain(FAKE_PROGRAM, divergence);
    const coloured = explain(FAKE_PROGRAM, divergence, { style: (_, line) => `\u001b[1m${line}\u001b[22m` });
    expect(coloured.join('\n')).toContain('\u001b[');
    // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what colours are made of
    expect(coloured.map((line) => line.replace(/\u001b\[\d+m/g, ''))).toEqual(plain);
  });

  it('tells of an action by what is special about the packet', async () => {
    const fragment = ethernet(0x0800, ipv4(1, icmp(8, 0, [0, 1, 0, 1], data(8)), { fragment: 0x2000 }));
    const divergence = await found([{ packet: fragment }], () => ({ action: XDP_PASS }), answer(fragment));
    expect(divergence.summary).toBe(
      'fake: action: expected XDP_PASS (model), got XDP_TX (vm): the packet is special: it is a first fragment',
    );
    expect(explain(FAKE_PROGRAM, divergence).join('\n')).toContain('The packet (50 bytes)');
  });

  it('tells of addresses that were not swapped', async () => {
    const six = edit(ethernet(0x86dd, ipv6(58, icmpv6(128, [0, 1, 0, 1], data(8)))), [21, 0]);
    const swapped = bytes(six.subarray(0, 22), six.subarray(38, 54), six.subarray(22, 38), six.subarray(54));
    const { summary } = await found([{ packet: six }], answer(swapped), answer(six));
    expect(summary).toContain(
      'fake: ipv6.source: expected fc00:dead:cafe:1::2 (model), got fc00:dead:cafe:1::1 (vm)',
    );
    expect(summary).toMatch(/not swapped \(byte 38 holds what is expected here\)$/);
  });

  it('tells of a field that should have stayed, and of one in the wrong byte order', async () => {
    const packet = ethernet(0x0800, ipv4(17, udp(data(8))));
    const changed = await found([{ packet }], answer(packet), answer(edit(packet, [14 + 8, 63])));
    expect(changed.summary).toContain('should stay as it came');
    const wanted = edit(packet, [14 + 4, 0xab, 0xcd]);
    const turned = await found([{ packet }], answer(wanted), answer(edit(packet, [14 + 4, 0xcd, 0xab])));
    expect(turned.summary).toContain('wrong byte order');
  });

  it('tells of statistics counted twice', async () => {
    const count =
      (amount: number): Behaviour =>
      (_stimulus, { counts }) => {
        counts.set(1, (counts.get(1) ?? 0) + amount);
        return { action: XDP_PASS };
      };
    const divergence = await found([{ packet: echo }], count(98), count(196));
    expect(divergence.summary).toContain('map counts[0x01000000]: expected 98 (model), got 196 (vm)');
    expect(divergence.summary).toContain('counted twice');
    const value = (packets: number, size: number): Uint8Array => {
      const both = new Uint8Array(16);
      addU64(both, 0, packets);
      addU64(both, 8, size);
      return both;
    };
    const shown = { program: 'fake', world: {}, stimuli: [{ packet: echo }, { packet: echo }] };
    const map = { ...divergence.finding.map!, expected: value(2, 196), got: value(2, 168) };
    const off = divergenceOf(shown, { ...divergence.finding, packet: 1, map });
    expect(off.summary).toContain('number 2 of 2 is off by -28, -14 a packet: the Ethernet header?');
    expect(explain(FAKE_PROGRAM, off).join('\n')).toContain('expected 2, 196');
    const gone = { ...divergence.finding, map: { ...map, got: undefined } };
    expect(divergenceOf(shown, gone).summary).toContain('no entry was made');
  });

  it('tells where the machine stopped a program', async () => {
    const divergence = await found(
      [{ packet: echo }],
      () => ({ action: XDP_PASS }),
      () => ({
        action: 0,
        violation: 'packet access beyond data_end',
      }),
    );
    expect(divergence.summary).toBe(
      'fake: the machine (vm) stops the program: packet access beyond data_end',
    );
    const note = {
      message: 'beyond data_end',
      instruction: 12,
      source: { file: 'a.c', line: 3, text: '\treturn *p;' },
    };
    const got: Outcome = { ...divergence.finding.got!, note };
    const text = explain(FAKE_PROGRAM, { ...divergence, finding: { ...divergence.finding, got } }).join('\n');
    expect(text).toContain('beyond data_end, at instruction 12\n  a.c:3: return *p;');
  });

  it('tells of a fault that only the oracle sees', async () => {
    const wrong = answer(edit(echo, [L4, 0]));
    const divergence = await found([{ packet: echo }], wrong, wrong);
    expect(divergence.engines).toEqual(['oracle', 'model']);
    expect(divergence.summary).toMatch(/^fake: icmp.checksum: expected 0x[0-9a-f]{4} \(oracle\), got 0x/);
    const text = explain(FAKE_PROGRAM, divergence).join('\n');
    expect(text).toContain('it would be right if');
  });

  it('lists the packets of a sequence, the world, and what came beside the packet', async () => {
    const stimuli = [
      { packet: echo },
      { packet: echo, ingressIfindex: 4, rxQueueIndex: 2, metadata: data(4) },
    ];
    const divergence = await found(
      stimuli,
      () => ({ action: XDP_PASS }),
      (_stimulus, { packets }) => ({
        action: packets === 2 ? XDP_TX : XDP_PASS,
      }),
    );
    const world = {
      maps: { rules: [{ key: data(1), value: data(1) }] },
      globals: { port: Uint8Array.of(80, 0) },
    };
    const text = explain(FAKE_PROGRAM, { ...divergence, case: { ...divergence.case, world } }).join('\n');
    expect(text).toContain('The case has 2 packets; number 2 shows it:');
    expect(text).toMatch(/ {2}1\. 58 bytes: Internet Control Message Protocol/);
    expect(text).toContain('World: map rules: 0x0b = 0x0b, port = 0x5000');
    expect(text).toContain('With the packet: metadata 0b30557a, ingress ifindex 4, rx queue 2');
  });

  it('names fields of the sk_buff as the kernel does, and the tag that lies beside the bytes', async () => {
    const skb = { mark: 5, queueMapping: 7, vlan: { proto: 0x88a8, tci: 100 } };
    const divergence = await found([{ packet: echo, skb }], answer(echo), answer(bytes(echo, [1])));
    expect(explain(FAKE_PROGRAM, divergence).join('\n')).toContain(
      'With the packet: mark 5, queue_mapping 7, a VLAN tag beside its bytes (type 0x88a8, tci 0x0064)',
    );
  });

  it('says what the tunnel was that the frame came out of', async () => {
    const skb = { tunnel: { id: 5, remote: '10.0.0.1', flags: 4 } };
    const divergence = await found([{ packet: echo, skb }], answer(echo), answer(bytes(echo, [1])));
    expect(explain(FAKE_PROGRAM, divergence).join('\n')).toContain(
      'With the packet: out of a tunnel (id 5, remote 10.0.0.1, flags 0x0004)',
    );
  });

  it('never fails, whatever the packets are', async () => {
    for (let size = 0; size < 60; size++) {
      const packet = echo.slice(0, size);
      const divergence = await found([{ packet }], answer(packet), answer(bytes(packet, [size])));
      expect(explain(FAKE_PROGRAM, divergence).length).toBeGreaterThan(3);
    }
  });
});

describe('what the interpreter says as a witness', () => {
  const asTold = async (witness: Behaviour): Promise<string> => {
    const divergence = await found([{ packet: echo }], answer(reply), answer(echo), ['model', 'testrun']);
    const outcome = await testify(fakeEngine('vm', witness), FAKE_PROGRAM, divergence.case, 0);
    return explain(FAKE_PROGRAM, { ...divergence, witness: outcome! }).join('\n');
  };

  it('is whose side it takes', async () => {
    expect(await asTold(answer(echo))).toContain('The interpreter (vm) does what testrun does.');
    expect(await asTold(answer(reply))).toContain('The interpreter (vm) does what model does.');
    expect(await asTold(() => ({ action: XDP_PASS }))).not.toContain('interpreter');
  });

  it('is why it stops the program, where it does', async () => {
    const text = await asTold(() => ({ action: 0, violation: 'instruction 7 (fake.bpf.c:3): R1 !read_ok' }));
    expect(text).toContain(
      'The machine (vm) refused what this kernel ran, a defect of xdpsim:\ninstruction 7 (fake.bpf.c:3): R1 !read_ok',
    );
  });

  it('is nothing where it cannot run the case', async () => {
    const divergence = await found([{ packet: echo }], answer(reply), answer(echo), ['model', 'testrun']);
    const absent = { available: false, reason: 'no', remedy: 'none' } as const;
    const engines = [
      fakeEngine('vm', answer(echo), { availability: absent }),
      fakeEngine('vm', answer(echo), { refuses: () => ({ packet: 0, rule: 'no' }) }),
      fakeEngine('vm', answer(echo), { openError: () => new Error('no') }),
    ];
    for (const engine of engines) {
      expect(await testify(engine, FAKE_PROGRAM, divergence.case, 0)).toBeUndefined();
    }
  });
});

describe('the commands', () => {
  it('repeat the run that found it, with its engines and options, and run the saved case alone', async () => {
    const divergence = await found([{ packet: echo }], answer(reply), answer(echo));
    const program = { ...FAKE_PROGRAM, object: new Uint8Array(1), commandLine: ['my own.o:fake'] };
    const run = {
      engines: ['model', 'wasm', 'testrun'],
      words: ['--map', 'ports=p.json'],
      seed: 's',
    } as const;
    expect(commandsOf(program, { ...divergence, file: 'a.pcapng' }, run)).toEqual({
      repeat: "npx xdpsim verify 'my own.o:fake' --map ports=p.json --engines model,wasm,testrun --seed s",
      alone: "npx xdpsim run 'my own.o:fake' --packet a.pcapng",
    });
    const seen = { file: 'example: x' };
    expect(commandsOf(FAKE_PROGRAM, { ...divergence, seen }, { ...run, words: [] })).toEqual({
      repeat: 'npx xdpsim verify fake --engines model,wasm,testrun --seed s',
    });
  });

  it('generate the whole batch that showed it: what is found first depends on all of its packets', async () => {
    const divergence = await found([{ packet: echo }], answer(reply), answer(echo));
    const at = (packet: number) => ({ ...divergence, seen: { seed: 's', packet } });
    const runs = (packet: number, more: { runs?: number; timed?: boolean } = {}): string | undefined =>
      /--runs (\d+)/.exec(
        commandsOf(FAKE_PROGRAM, at(packet), { engines: [], seed: 's', ...more }).repeat,
      )?.[1];
    expect(runs(17)).toBeUndefined();
    expect(runs(17, { runs: 500 })).toBe('500');
    expect(runs(17, { timed: true })).toBe('2048');
    expect(runs(20_000)).toBe('20480');
    expect(runs(2048, { timed: true })).toBe('4096');
  });
});

describe('notable', () => {
  it('says nothing of an ordinary packet', () => {
    expect(notable(echo)).toEqual([]);
    expect(notable(ethernet(0x86dd, ipv6(58, icmpv6(128, [0, 1, 0, 1], data(8)))))).toEqual([]);
  });

  it('says what is special', () => {
    expect(notable(echo.slice(0, 38))).toEqual([
      'its IPv4 total length 44 goes beyond the frame',
      'it ends after 4 bytes of the ICMP header',
    ]);
    const options = ethernet(0x0800, ipv4(1, icmp(8, 0, [0, 1, 0, 1], data(4)), { options: [1, 1, 1, 0] }));
    expect(notable(options)).toEqual(['it has IPv4 options (ihl 6)']);
    expect(notable(edit(echo, [0, 1]))).toEqual(['its destination MAC is a group address']);
    expect(notable(edit(echo, [L4 + 8, 9]))).toEqual(['its icmp checksum is bad']);
    expect(notable(edit(echo, [14 + 8, 1], [14 + 10, 0x91]))).toEqual(['its TTL is 1']);
    expect(notable(edit(echo, [14 + 8, 1], [0, 1]))).not.toContain('its TTL is 1');
    expect(notable(echo.slice(0, 9))).toEqual(['it ends within the Ethernet header (9 bytes)']);
  });
});
