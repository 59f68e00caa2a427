/**
 * The kernel's per-CPU variables (`bpf_per_cpu_ptr`): what the machine makes of them, and what takes their place in the
 * kernel's engines. A kernel without CONFIG_KALLSYMS_ALL refuses every program that refers to one, and says so.
 */
import { expect, it } from 'vitest';
import { createEngine } from '../cli/engines.ts';
import { runningKernel } from '../kernel/libbpf/kernel-facts.ts';
import { requireLibbpf } from '../kernel/libbpf/libbpf.ts';
import { encode, exit, helperCall, insn, jumpIfNotEqual, load32, mov, movImm } from '../kernel/pin/encode.ts';
import { Pins } from '../kernel/pin/pins.ts';
import { PacketRunner } from '../kernel/testrun/packets.ts';
import { outcomesOf } from '../sim/engines/test-support/outcomes-as-text.ts';
import { helperPackets } from '../sim/engines/test-support/recordings.ts';
import { compileProgram, expectAgreement } from './test-support/agreement.ts';
import { describeKernel } from './test-support/require-kernel.ts';
import { batchOf, frame, outcomes } from './test-support/testrun.ts';

const BPF_PROG_TYPE_XDP = 6;
const PSEUDO_BTF_ID = 3;

describeKernel('variables of the kernel', ['root', 'testrun', 'compiler'], () => {
  it('are the same in machine and kernel, or the kernel says why not', async () => {
    const program = compileProgram('sim/ebpf/test-support/kernel-variables.bpf.c');
    const packets = helperPackets(program, 500);
    expect(runningKernel()!.variable('runqueues')).toBe(true);
    expect(runningKernel()!.variable('xdpsim_is_nowhere')).toBe(false);
    const world = { kernelFill: 0xa5, cpu: 1 };
    if (runningKernel()!.symbol('runqueues') === undefined) {
      await expect(outcomesOf(createEngine('testrun'), program, packets, world)).rejects.toMatchObject({
        kind: 'environment',
        remedy: expect.stringContaining('CONFIG_KALLSYMS_ALL'),
      });
    } else {
      for (const each of [{}, world]) await expectAgreement(program, packets, each);
    }
    const interpreted = await outcomesOf(createEngine('vm'), program, packets, world);
    expect(await outcomesOf(createEngine('wasm'), program, packets, world)).toEqual(interpreted);
    expect(await outcomesOf(createEngine('vm'), program, packets, {})).not.toEqual(interpreted);
  });

  it.each([
    [0, 0, 0x5a5a_5a5a],
    [2, 2, 0x5a5a_5a5a],
    [2, 3, 7],
    [0, -1, 7],
  ])(
    'have bytes of the world’s in a copy of a program: CPU %i of it, asked for %i',
    (cpu, asked, expected) => {
      // Two variables, by numbers that no kernel need have: the copy refers to none.
      const variable = (dst: number, id: number) => [
        insn(0x18, dst, PSEUDO_BTF_ID, 0, id),
        insn(0, 0, 0, 0, 0),
      ];
      const instructions = encode([
        ...variable(1, 4711),
        helperCall('bpf_this_cpu_ptr'),
        load32(6, 0, 1024),
        ...variable(1, 4712),
        movImm(2, asked),
        helperCall('bpf_per_cpu_ptr'),
        jumpIfNotEqual(0, 0, 2),
        movImm(0, 7),
        exit(),
        load32(0, 0, 0xffc),
        mov(0, 6),
        exit(),
      ]);
      const fd = 1 << 20;
      const pins = new Pins(requireLibbpf(), {
        programs: [
          {
            name: 'variables',
            fd,
            instructions,
            type: BPF_PROG_TYPE_XDP,
            attachType: 0,
            hasFrags: false,
            isEntry: true,
            linked: undefined,
          },
        ],
        programMaps: [],
        btf: undefined,
        license: 'GPL',
        world: { time: 0n, tick: 0n, randomSeed: 0, hashSeed: 0, kernelFill: 0x5a, cpu },
      });
      const runner = new PacketRunner();
      try {
        expect(pins.helpers).toEqual(['bpf_per_cpu_ptr', 'bpf_this_cpu_ptr']);
        const batch = batchOf({ packet: frame(60) });
        const output = outcomes(batch);
        const entry = { fd: pins.copyOf(fd), hook: 'xdp' as const, changesMetadata: false };
        runner.run([entry], batch, output, undefined);
        expect(output.action[0]).toBe(expected);
      } finally {
        runner.close();
        pins.close();
      }
    },
  );
});
