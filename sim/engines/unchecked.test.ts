import { describe, expect, it } from 'vitest';
import { testObject } from '../ebpf/test-support/assemble.ts';
import { compileAndRun, interpret } from '../ebpf/test-support/run-both.ts';
import { isRefused, VERIFIER_CASES, type VerifierCase } from '../ebpf/test-support/verifier-cases.ts';
import { UNCHECKED, type Unchecked } from '../ebpf/unchecked.ts';
import { PacketBatch } from '../packet/packet-batch.ts';
import { uncheckedBy } from './test-support/unchecked.ts';

const RUNNERS = { vm: interpret, wasm: compileAndRun } as const;

function stops(engine: keyof typeof RUNNERS, { text, maps, hook, world }: VerifierCase): boolean {
  const batch = new PacketBatch(1);
  batch.push({ packet: Uint8Array.from({ length: 64 }, (_, index) => index), metadata: new Uint8Array(8) });
  const object = testObject({ main: text }, maps ?? []);
  const run = RUNNERS[engine](object, batch, { hook: hook ?? 'xdp', world: world ?? {} });
  return run.outcomes[0]!.stoppedAt !== undefined;
}

for (const engine of ['vm', 'wasm'] as const) {
  describe(`of what the verifier refuses, ${engine}`, () => {
    for (const each of VERIFIER_CASES.filter(isRefused)) {
      const lack = each.unchecked?.[engine];
      it(lack === undefined ? `stops ${each.name}` : `does not check ${lack}: ${each.name}`, () => {
        expect(stops(engine, each)).toBe(lack === undefined);
        if (lack !== undefined) expect(uncheckedBy(engine)).toContain(UNCHECKED[lack]);
      });
    }

    it('leaves nothing unchecked of which there is no case', () => {
      const shown = new Set(VERIFIER_CASES.flatMap((each) => each.unchecked?.[engine] ?? []));
      const named = (Object.keys(UNCHECKED) as Unchecked[]).filter((kind) =>
        uncheckedBy(engine).includes(UNCHECKED[kind]),
      );
      expect(new Set(named)).toEqual(shown);
    });
  });

  describe(`of what the verifier takes, ${engine}`, () => {
    for (const each of VERIFIER_CASES.filter((one) => !isRefused(one))) {
      it(`runs ${each.name}`, () => expect(stops(engine, each)).toBe(false));
    }
  });
}

it('says nothing of engines that are the kernel, or that run no program', () => {
  for (const engine of ['model', 'testrun', 'veth'] as const) expect(uncheckedBy(engine)).toEqual([]);
});
