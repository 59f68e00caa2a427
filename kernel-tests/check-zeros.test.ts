/** A zero that stands in the program is a fault; one that comes from a map may be what nobody has filled in yet. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { compileBpf } from '../bpf/compile.ts';
import { createEngine } from '../cli/engines.ts';
import type { World } from '../sim/runtime/world.ts';
import { check } from '../verify/check/check.ts';
import { describeKernel } from './test-support/require-kernel.ts';

function built(options: readonly string[]): Uint8Array {
  const scratch = mkdtempSync(join(tmpdir(), 'xdpsim-zeros-'));
  try {
    const object = join(scratch, 'zeros.o');
    compileBpf('kernel-tests/check-specimens/zeros.bpf.c', object, { options });
    return new Uint8Array(readFileSync(object));
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
}

const OBJECTS = new Map<string, Uint8Array>();

/** How bad the finding is; undefined where there is none. */
async function severityOf(name: string, hook: 'xdp' | 'tc-ingress', invariant: string, world?: World) {
  const object = OBJECTS.get(hook) ?? built(hook === 'xdp' ? [] : ['-DTC']);
  OBJECTS.set(hook, object);
  const { findings } = await check({
    program: { name, entries: [{ function: name, hook }], object },
    machine: createEngine('wasm'),
    witness: createEngine('vm'),
    seed: '1',
    runs: 600,
    effort: 50_000,
    sweeps: false,
    shrinkSeconds: 0.1,
    ...(world === undefined ? {} : { worlds: [{ name: 'given', world }] }),
  });
  return findings.find((one) => one.invariant === invariant)?.severity;
}

describeKernel('a zero', ['compiler'], () => {
  for (const hook of ['xdp', 'tc-ingress'] as const) {
    it(`is no device at ${hook}: a fault where it stands in the program`, async () => {
      const severity = (name: string, world?: World) => severityOf(name, hook, 'redirect/no-target', world);
      expect(await severity('to_constant')).toBe('error');
      expect(await severity('to_computed')).toBe('error');
      expect(await severity('to_map')).toBe('info');
      expect(await severity('to_global')).toBe('info');
      expect(await severity('to_global', { devices: [] })).toBe('warning');
    });

    it(`is no source of a reply at ${hook}`, async () => {
      const severity = (name: string, world?: World) => severityOf(name, hook, 'reply/zero-source', world);
      expect(await severity('from_constant')).toBe('error');
      expect(await severity('from_global')).toBe('warning');
      // Who describes the world has said what the variable holds.
      expect(await severity('from_global', { devices: [] })).toBe('error');
    });
  }
});
