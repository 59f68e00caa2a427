/** Whose a finding is, where the test has put a program into a slot of a tail-call map. */
import { describe, expect, it } from 'vitest';
import type { Case } from '../corpus/cases/case.ts';
import { testMap } from '../sim/ebpf/test-support/assemble.ts';
import { writeElf } from '../sim/ebpf/test-support/write-elf.ts';
import { XDP_PASS, XDP_TX } from '../sim/runtime/actions.ts';
import type { Program } from '../sim/runtime/program.ts';
import type { World } from '../sim/runtime/world.ts';
import type { Finding } from './finding.ts';
import { ownerOf } from './slot-owner.ts';
import { type Behaviour, fakeEngine } from './test-support/engines.ts';
import { data, ethernet, ipv4, udp } from './test-support/packets.ts';

/** Lowers the TTL without its checksum, and sends the frame back; the other leaves it alone. */
const SPOILS = `r2 = *(u32 *)(r1 + 0)
  r3 = *(u32 *)(r1 + 4)
  r4 = r2
  r4 += 34
  if r4 > r3 goto out
  r5 = *(u8 *)(r2 + 22)
  r5 += -1
  *(u8 *)(r2 + 22) = r5
  out:
  r0 = 3
  exit`;
const HARMLESS = 'r0 = 3\nexit';
const JUMPS = [testMap('jumps', 'PROG_ARRAY')];
const object = writeElf({ main: 'r0 = 2\nexit', spoils: SPOILS, harmless: HARMLESS }, JUMPS);
const program: Program = { name: 'main', entries: [{ function: 'main', hook: 'xdp' }], object };
const TTL = 22;
const packet = ethernet(0x0800, ipv4(17, udp(data(8))));

const slot = (name: string, guessed?: true) => ({
  key: new Uint8Array(4),
  name,
  ...(guessed === undefined ? {} : { guessed }),
});
const worldWith = (name: string, guessed?: true): World =>
  ({ slots: { jumps: [slot(name, guessed)] } }) as unknown as World;
const shownIn = (world: World): Case => ({ program: 'main', world, stimuli: [{ packet }] });
const finding: Finding = {
  ...{ engines: ['oracle', 'wasm'], part: 'checksum', field: 'ipv4.checksum', packet: 0 },
  ...{ expected: undefined, got: undefined },
};

const spoils: Behaviour = (one) => ({
  action: XDP_TX,
  packet: one.packet.map((byte, at) => (at === TTL ? byte - 1 : byte)),
});
/** Spoils the frame where something stands in the slot. */
const throughSlot: Behaviour = (one, { world }) =>
  world.slots === undefined ? { action: XDP_PASS } : spoils(one, { world, counts: new Map(), packets: 0 });

const owner = (behave: Behaviour, name: string, apart: readonly string[], one: Finding = finding) =>
  ownerOf(program, [fakeEngine('wasm', behave)], one, shownIn(worldWith(name, true)), {
    testedApart: new Set(apart),
  });

describe('a finding in a world with a guessed slot', () => {
  it('is the caller’s where it shows without the slot', async () => {
    const own = await owner(spoils, 'spoils', ['spoils']);
    expect(own).toMatchObject({
      is: 'caller',
      case: { world: {} },
      finding: { part: 'checksum', field: 'ipv4.checksum', packet: 0 },
    });
    expect(own.is === 'caller' && own.finding.engines).toEqual(['oracle', 'wasm']);
  });

  it('is the other’s where that does it by itself, and is tested by itself', async () => {
    expect(await owner(throughSlot, 'spoils', ['spoils'])).toEqual({ is: 'other' });
  });

  it('takes both where the other does it by itself, and is tested nowhere else', async () => {
    expect(await owner(throughSlot, 'spoils', [])).toEqual({ is: 'both' });
  });

  it('is of the guess where the other does not do it by itself, and something else may be there', async () => {
    for (const apart of [['harmless'], []])
      expect(await owner(throughSlot, 'harmless', apart)).toEqual({ is: 'guess' });
    expect(await owner(throughSlot, 'main', ['main'])).toEqual({ is: 'guess' });
  });

  it('takes both where nothing else can be there', async () => {
    const main = 'r2 = map[jumps]\nr3 = 0\ncall bpf_tail_call\nr0 = 2\nexit';
    const only = { ...program, object: writeElf({ main, harmless: HARMLESS }, JUMPS) };
    const shown = shownIn(worldWith('harmless', true));
    const options = { testedApart: new Set(['harmless']) };
    expect(await ownerOf(only, [fakeEngine('wasm', throughSlot)], finding, shown, options)).toEqual({
      is: 'both',
    });
  });

  it('that the machine stopped is nobody’s: no loader could have put the program there', async () => {
    const stopped: Finding = { ...finding, part: 'status', field: 'status' };
    const stops: Behaviour = (_, { world }) => ({
      action: XDP_PASS,
      ...(world.slots === undefined ? {} : { violation: 'stopped' }),
    });
    expect(await owner(stops, 'harmless', ['harmless'], stopped)).toEqual({ is: 'other' });
  });

  it('takes both where the machine and the kernel differ, or two machines', async () => {
    const between = (engines: Finding['engines']): Finding => ({
      ...finding,
      engines,
      part: 'action',
      field: 'action',
    });
    expect(await owner(spoils, 'spoils', ['spoils'], between(['testrun', 'wasm']))).toEqual({ is: 'both' });
    expect(await owner(spoils, 'spoils', ['spoils'], between(['wasm', 'testrun']))).toEqual({ is: 'both' });
  });

  it('is looked for in the machine where the kernel showed it', async () => {
    const inKernel: Finding = { ...finding, engines: ['oracle', 'testrun'] };
    const shown = shownIn(worldWith('spoils', true));
    const alone = { ...program, entries: [{ function: 'spoils', hook: 'xdp' }] } as const;
    const options = { testedApart: new Set<string>() };
    const own = await ownerOf(alone, [fakeEngine('testrun', spoils)], inKernel, shown, options);
    expect(own).toMatchObject({ is: 'caller', finding: { engines: ['oracle', 'testrun'] } });
    expect(await ownerOf(program, [fakeEngine('testrun', spoils)], inKernel, shown, options)).toEqual({
      is: 'both',
    });
  });
});
