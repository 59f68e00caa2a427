import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import type { RunTrace } from '../ebpf/interpreter/trace.ts';
import { PacketBatch, type Stimulus } from '../packet/packet-batch.ts';
import type { Hook } from '../runtime/actions.ts';
import type { Program } from '../runtime/program.ts';
import type { World } from '../runtime/world.ts';
import type { Session } from './engine.ts';
import { EngineError } from './engine.ts';
import { OutcomeBatch, STATUS } from './outcome-batch.ts';
import { createVmEngine } from './vm.ts';

function builtIn(name: string, ...entries: readonly (readonly [string, Hook])[]): Program {
  const path = new URL(`../../bpf/built/${name}.o`, import.meta.url);
  const functions = entries.length > 0 ? entries : ([[name, 'xdp']] as const);
  return {
    name,
    object: new Uint8Array(readFileSync(path)),
    objectPath: `${name}.o`,
    entries: functions.map(([entry, hook]) => ({ function: entry, hook })),
  };
}

async function run(session: Session, ...stimuli: readonly Stimulus[]): Promise<OutcomeBatch> {
  const input = new PacketBatch(stimuli.length);
  for (const stimulus of stimuli) input.push(stimulus);
  const output = new OutcomeBatch(stimuli.length);
  await session.run(input, output);
  return output;
}

const open = (program: Program, world: World = {}): Promise<Session> => createVmEngine().open(program, world);

/** 98 bytes: an echo request over IPv4. */
function ping(): Uint8Array {
  const packet = new Uint8Array(98);
  packet.set([2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 8, 0]);
  packet.set([0x45, 0, 0, 84, 0, 1, 0x40, 0, 64, 1, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2], 14);
  packet.set([8, 0, 0x12, 0x34, 0, 1, 0, 1], 34);
  return packet;
}

describe('runs', () => {
  it('the echo server: swaps addresses, rewrites type and checksum, counts', async () => {
    const session = await open(builtIn('icmp_echo'));
    const output = await run(session, { packet: ping() });
    expect(output.action[0]).toBe(3);
    expect([...output.packet(0).subarray(0, 12)]).toEqual([2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1]);
    expect([...output.packet(0).subarray(26, 38)]).toEqual([10, 0, 0, 2, 10, 0, 0, 1, 0, 0, 0x1a, 0x34]);
    const stats = session.maps().find((map) => map.definition.name === 'xdp_stats_map')!;
    expect([...stats.list()[3]!.value.subarray(0, 10)]).toEqual([1, 0, 0, 0, 0, 0, 0, 0, 98, 0]);
  });

  it('both entries of one object over the same maps', async () => {
    const session = await open(
      builtIn('layer_coop', ['layer_coop_rx', 'xdp'], ['layer_coop_tx', 'tc-egress']),
    );
    const back = ping();
    back.set([10, 0, 0, 2, 10, 0, 0, 1], 26);
    const output = await run(session, { packet: ping(), entry: 0 }, { packet: back, entry: 1 });
    expect([...output.action]).toEqual([2, 0]);
    expect(
      session
        .maps()
        .find((map) => map.definition.name === 'trackers')!
        .list(),
    ).toHaveLength(1);
  });

  it('metadata in and out', async () => {
    const session = await open(
      builtIn('meta_mark', ['meta_mark_xdp', 'xdp'], ['meta_mark_tc', 'tc-ingress']),
    );
    const output = await run(
      session,
      { packet: ping(), entry: 0 },
      { packet: ping(), entry: 1, metadata: Uint8Array.of(7, 0, 0, 0) },
      { packet: ping(), entry: 1 },
    );
    expect([...output.metadata(0)]).toEqual([42, 0, 0, 0]);
    expect(output.packet(0)).toEqual(ping());
    expect([...output.mark]).toEqual([0, 7, 41]);
    expect(output.trace.get(0)).toHaveLength(1);
  });

  it('redirects, and tells where to', async () => {
    const four = (value: number): Uint8Array => Uint8Array.of(value, 0, 0, 0);
    const world: World = {
      maps: {
        redirect_params: [{ key: ping().slice(6, 12), value: Uint8Array.of(2, 0, 0, 0, 0, 9) }],
        tx_port: [{ key: four(0), value: four(6) }],
      },
    };
    const output = await run(await open(builtIn('redirect_map'), world), { packet: ping() });
    expect([output.action[0], output.redirect[0]]).toEqual([4, 6]);
  });

  it('read-only globals of the world', async () => {
    const packet = ping();
    packet[23] = 6;
    packet.set([0x1f, 0x90, 0, 80], 34);
    const verdict = async (world: World): Promise<number> =>
      (await run(await open(builtIn('port_filter'), world), { packet })).action[0]!;
    const globals = (await import('../ebpf/object.ts'))
      .loadObject(builtIn('port_filter').object!)
      .maps.flatMap((map) => [...(map.global?.variables.keys() ?? [])]);
    const bytes = (port: number): Uint8Array => Uint8Array.of(port & 255, port >> 8);
    expect(await verdict({})).toBe(1);
    expect(await verdict({ globals: { [globals[0]!]: bytes(81) } })).toBe(2);
  });

  it('again as at first, after a reset', async () => {
    const session = await open(builtIn('proto_count_hash'));
    await run(session, { packet: ping() });
    expect(session.maps()[0]!.list()).toHaveLength(1);
    await session.reset();
    expect(session.maps()[0]!.list()).toHaveLength(0);
  });

  it('and shows the maps that may change: read-only data are none of them', async () => {
    const names = async (name: string): Promise<string[]> =>
      (await open(builtIn(name))).maps().map(({ definition }) => definition.name);
    expect(await names('xdp_trace_drop')).toEqual([]);
    expect(await names('proto_count_hash')).toHaveLength(1);
  });
});

describe('notes', () => {
  it('a frame that no hook is ever given is a fault, not an exception', async () => {
    const program = builtIn('account', ['account_ingress', 'tc-ingress']);
    const output = await run(await open(program), { packet: new Uint8Array(13) }, { packet: ping() });
    expect([...output.status]).toEqual([STATUS.fault, STATUS.ran]);
    expect(output.notes.get(0)?.message).toBe('a frame needs at least 14 bytes, this one has 13');
  });

  it('an XDP program may be given any length', async () => {
    const output = await run(
      await open(builtIn('icmp_echo')),
      { packet: new Uint8Array(13) },
      { packet: new Uint8Array() },
    );
    expect([...output.status]).toEqual([STATUS.ran, STATUS.ran]);
    expect([...output.action]).toEqual([2, 2]);
  });

  it('a violation has its instruction, its C line and no frame', async () => {
    const object = builtIn('icmp_echo');
    // The one comparison with data_end before the Ethernet header, `if r1 > r5 goto`, always falls through now.
    const bytes = object.object!.slice();
    const view = new DataView(bytes.buffer);
    for (let at = 64; at + 8 < bytes.length; at += 8) {
      if (bytes[at] === 0x2d && view.getInt16(at + 2, true) > 200) {
        view.setUint8(at, 0xb7);
        view.setUint8(at + 1, 4);
        view.setInt16(at + 2, 0, true);
        break;
      }
    }
    const output = await run(await open({ ...object, object: bytes }), { packet: ping() });
    expect(output.status[0]).toBe(STATUS.violation);
    expect(output.length[0]).toBe(0);
    const note = output.notes.get(0)!;
    expect(note.message).toMatch(/invalid access to packet, off=1[23] size=\d, R\d\(r=0\)/);
    expect(note.source?.file).toMatch(/parsing\.h|icmp_echo/);
    expect(note.source?.line).toBeGreaterThan(0);
  });
});

describe('refuses', () => {
  const refusal = async (program: Program, world: World = {}): Promise<EngineError> => {
    try {
      await open(program, world);
    } catch (error) {
      if (error instanceof EngineError) return error;
      throw error;
    }
    throw new Error('it was opened');
  };

  it('functions, maps and globals that the object does not have, naming those that it has', async () => {
    const absent = await refusal(builtIn('icmp_echo', ['nothing', 'xdp']));
    expect(absent).toMatchObject({ kind: 'input', lacking: false, remedy: undefined });
    expect(absent.message).toBe(
      'icmp_echo.o: program nothing: expected a program of the object, found only icmp_echo',
    );
    const map = await refusal(builtIn('icmp_echo'), { maps: { other: [] } });
    expect(map.message).toMatch('map other of the world: expected a map of the object');
    const global = await refusal(builtIn('icmp_echo'), { globals: { port: new Uint8Array(2) } });
    expect(global.message).toMatch('global port');
  });

  it('entries that do not fit', async () => {
    const world = { maps: { xdp_stats_map: [{ key: new Uint8Array(4), value: new Uint8Array(3) }] } };
    expect((await refusal(builtIn('icmp_echo'), world)).message).toMatch(
      'expected a key of 4 and a value of 16 bytes, found 4 and 3',
    );
  });

  it('what is no object', async () => {
    const program = { ...builtIn('icmp_echo'), object: Uint8Array.of(1, 2, 3) };
    expect((await refusal(program)).kind).toBe('input');
  });
});

it('counts coverage by function and line', async () => {
  const session = await open(builtIn('icmp_echo'));
  await run(session, { packet: ping() }, { packet: new Uint8Array(60) });
  const { functions } = session.coverage!();
  expect(functions.map((each) => each.function)).toEqual(['icmp_echo']);
  expect(functions[0]!.instructions[0]).toBe(2);
  expect(functions[0]!.lines.length).toBeGreaterThan(100);
  expect(functions[0]!.branches.some(({ taken, notTaken }) => taken === 1 && notTaken === 1)).toBe(true);
});

it('traces each packet of a batch, with the state that those before it left', async () => {
  const traces: RunTrace[] = [];
  const session = await createVmEngine({ onTrace: (trace) => traces.push(trace) }).open(
    builtIn('proto_count_hash'),
    {},
  );
  await run(session, { packet: ping() }, { packet: ping() });
  const added = traces[1]!.steps.find((step) => step.memory?.place.startsWith('rxcnt'));
  expect(added?.memory?.bytes[0]).toBe(2);
  expect(added?.source?.text).toMatch('__sync_fetch_and_add');
});
