/**
 * The registers of helpers and kernel functions against the running kernel's verifier: which programs may call what, and
 * with which license. Whatever the kernel allows is in the machine, or in the list of what it lacks.
 */
import { expect, it } from 'vitest';
import { createEngine } from '../cli/engines.ts';
import { helperName, LAST_HELPER } from '../sim/ebpf/helper-names.ts';
import type { Helper } from '../sim/ebpf/helpers/helper.ts';
import { HELPERS } from '../sim/ebpf/helpers/index.ts';
import { KERNEL_FUNCTIONS } from '../sim/ebpf/helpers/kernel-functions.ts';
import {
  SLEEPING_HELPERS,
  UNSUPPORTED_FUNCTIONS,
  UNSUPPORTED_HELPERS,
} from '../sim/ebpf/helpers/unsupported.ts';
import { verify } from '../verify/run.ts';
import {
  allKernelFunctions,
  type HelperPermission,
  helperPermission,
  kernelFunctionIsAllowed,
  type ProgramType,
} from './test-support/helper-probe.ts';
import { describeKernel } from './test-support/require-kernel.ts';
import { fixtureOf } from './test-support/testrun.ts';

const TYPES: readonly ProgramType[] = ['xdp', 'tc'];
const NUMBERS: readonly number[] = Array.from({ length: LAST_HELPER }, (_, index) => index + 1);

/** What the machine lacks. */
function allows(record: { readonly only?: ProgramType } | undefined, type: ProgramType): boolean {
  return record !== undefined && (record.only === undefined || record.only === type);
}

function takes({ rules }: Helper, type: ProgramType): boolean {
  return rules.hooks === 'both' || rules.hooks === type;
}

// The lists are of 6.18: older kernels lack some of it, younger ones have more.
describeKernel('what the kernel lets programs call', ['testrun', 'linux 6.18'], () => {
  for (const type of TYPES) {
    it(`${type}: the machine has each helper, or its page lists it; and no other`, () => {
      const unsupported = new Map(UNSUPPORTED_HELPERS.map((one) => [one.number, one]));
      const told = NUMBERS.map((number): string => {
        const helper = HELPERS.get(number);
        let permission: HelperPermission = 'no';
        if (helper !== undefined && takes(helper, type))
          permission = helper.rules.license === 'gpl' ? 'gpl' : 'yes';
        else if (SLEEPING_HELPERS.includes(number)) permission = 'sleeps';
        // The license of what the machine lacks is the kernel's business.
        else if (allows(unsupported.get(number), type)) permission = helperPermission(type, number);
        return `${number} ${helperName(number)}: ${permission}`;
      });
      expect(told).toEqual(
        NUMBERS.map((number) => `${number} ${helperName(number)}: ${helperPermission(type, number)}`),
      );
      const lacking = UNSUPPORTED_HELPERS.filter((one) => allows(one, type));
      expect(lacking.filter(({ number }) => helperPermission(type, number) === 'no')).toEqual([]);
    });

    it(`${type}: the machine has each kernel function, or its page lists it; and no other`, () => {
      const listed = new Set(
        UNSUPPORTED_FUNCTIONS.filter((one) => allows(one, type)).flatMap(({ names }) => names),
      );
      const told = new Set(listed);
      const present = allKernelFunctions();
      const names = new Set(present.map(({ name }) => name));
      // What a module has that this kernel was built without, nobody can be asked about.
      for (const record of KERNEL_FUNCTIONS.values())
        if (takes(record, type) && names.has(record.name)) told.add(record.name);
      const allowed = present.filter((one) => kernelFunctionIsAllowed(type, one.id));
      expect([...told].sort()).toEqual(allowed.map(({ name }) => name).sort());
    });
  }
});

describeKernel('the probe of the kernel', ['testrun'], () => {
  it('tells helpers of one type of program, of both, of none and of GPL programs apart', () => {
    expect(TYPES.map((type) => helperPermission(type, 1))).toEqual(['yes', 'yes']);
    expect(TYPES.map((type) => helperPermission(type, 44))).toEqual(['yes', 'no']);
    expect(TYPES.map((type) => helperPermission(type, 6))).toEqual(['gpl', 'gpl']);
    expect(TYPES.map((type) => helperPermission(type, 57))).toEqual(['no', 'no']);
  });
});

describeKernel('an object that calls what the machine lacks', ['testrun', 'compiler', 'linux 6.12'], () => {
  it.each([
    ['asks_for_task', 'helper bpf_get_current_task \\(number 35\\)', { XDP_DROP: 200 }],
    ['asks_for_kernel_context', 'kernel function bpf_cast_to_kern_ctx', { XDP_TX: 200 }],
  ])('runs in the kernel, and the report names it: %s', async (name, what, actions) => {
    const report = await verify({
      program: fixtureOf('lacking', name),
      engines: (['vm', 'wasm', 'testrun'] as const).map(createEngine),
      seed: 'lacking',
      runs: 200,
    });
    const reason = expect.stringMatching(new RegExp(`the machine lacks the ${what}$`));
    for (const machine of ['vm', 'wasm']) {
      const engine = report.engines.find((one) => one.name === machine)!;
      expect(engine).toMatchObject({ status: 'skipped', reason });
    }
    expect(report.engines.find((one) => one.name === 'testrun')).toMatchObject({
      status: 'ran',
      packets: 200,
    });
    expect(report.actions).toEqual(actions);
    expect(report.divergences).toEqual([]);
  });
});
