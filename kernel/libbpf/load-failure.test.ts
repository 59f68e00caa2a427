import { describe, expect, it } from 'vitest';
import { writeElf } from '../../sim/ebpf/test-support/write-elf.ts';
import {
  E2BIG,
  EAGAIN,
  EFAULT,
  EINTR,
  EINVAL,
  EMFILE,
  ENFILE,
  ENOENT,
  ENOMEM,
  EPERM,
} from '../../sim/runtime/errno.ts';
import { describeLoadFailure, isMomentary, isTooComplex } from './load-failure.ts';

const OBJECT = { file: 'my.bpf.o', entries: [{ function: 'first' }, { function: 'second' }] };
const loading = (error: number, messages: readonly string[] = [], log = '') =>
  describeLoadFailure({ stage: 'load', error: -error }, OBJECT, messages, log);

describe('describeLoadFailure', () => {
  it.each([EAGAIN, EINTR, EMFILE, ENFILE, ENOMEM, EPERM])(
    'does not blame the object for what the machine lacked (errno %i)',
    (error) => {
      // The verifier's log is there, too, when a signal interrupts it.
      const failure = loading(error, [], '0: R1=ctx() R10=fp0');
      expect(failure.kind).toBe('environment');
      expect(failure.message).toContain('my.bpf.o');
      expect(failure.remedy).toBeDefined();
      expect(failure.lacking).toBe(false);
    },
  );

  it('says that the verifier refuses an object, with its log', () => {
    const failure = loading(EINVAL, ['libbpf: load failed'], 'R0 !read_ok');
    expect(failure.kind).toBe('input');
    expect(failure.message).toBe('the verifier refuses first, second of my.bpf.o (EINVAL)');
    expect(failure.log).toBe('libbpf: load failed\nR0 !read_ok');
  });

  it('takes what is too complex for refused, whatever the number, and memory that is short for nothing else', () => {
    const log =
      '12: (85) call bpf_loop#181\nThe sequence of 8193 jumps is too complex.\nprocessed 57001 insns';
    for (const error of [ENOMEM, EFAULT]) {
      expect(loading(error, [], log).kind).toBe('input');
      expect(isTooComplex({ stage: 'load', error: -error }, log)).toBe(true);
    }
    expect(loading(ENOMEM, [], log).message).toBe('the verifier refuses first, second of my.bpf.o (ENOMEM)');
    expect(isTooComplex({ stage: 'load', error: -E2BIG }, '')).toBe(true);
    expect(isTooComplex({ stage: 'load', error: -ENOMEM }, '0: R1=ctx() R10=fp0')).toBe(false);
  });

  it('says what libbpf said last where the verifier saw nothing', () => {
    expect(loading(EINVAL, ['one', 'two']).message).toBe('libbpf cannot load my.bpf.o: EINVAL: two');
    const unread = describeLoadFailure({ stage: 'open', error: -EINVAL }, OBJECT, [], '');
    expect(unread.message).toBe('libbpf cannot read my.bpf.o: EINVAL');
    expect(unread.log).toBeUndefined();
  });

  it('names the section that constants lie in where libbpf looks for another', () => {
    const bytes = writeElf({ main: 'r0 = 2\n exit' }, [], { '.rodata.cst8': { table: [1, 2, 3, 4] } });
    const { message, remedy } = describeLoadFailure(
      { stage: 'open', error: -ENOENT },
      { ...OBJECT, bytes },
      [],
      '',
    );
    expect(message).toContain('finds .rodata.cst8 only');
    expect(remedy).toContain('volatile');
    const other = describeLoadFailure({ stage: 'open', error: -ENOENT }, OBJECT, [], '');
    expect(other.message).toContain('ENOENT');
  });

  it('takes memory that reading an object would need for a fault of the object', () => {
    expect(describeLoadFailure({ stage: 'open', error: -ENOMEM }, OBJECT, [], '').kind).toBe('input');
  });

  it('tells kernel functions and variables that this kernel lacks from faults', () => {
    const absent = loading(EINVAL, ["extern (func ksym) 'bpf_x': not found in kernel or module BTFs"]);
    expect([absent.kind, absent.lacking]).toEqual(['environment', true]);
    expect(absent.message).toContain('no function bpf_x');
    const variable = loading(EINVAL, ["extern (var ksym) 'bpf_y': not found in kernel BTF"]);
    expect([variable.kind, variable.lacking]).toEqual(['environment', true]);
    expect(variable.message).toContain('no variable bpf_y');
    const placeless = loading(
      EINVAL,
      [],
      "ldimm64 failed to find the address for kernel symbol 'runqueues'.",
    );
    expect([placeless.kind, placeless.lacking]).toEqual(['environment', true]);
    expect(placeless.message).toContain('variable runqueues');
  });
});

describe('isMomentary', () => {
  it('asks again after a signal only', () => {
    const momentary = [EAGAIN, EINTR, ENOMEM, EMFILE, EINVAL, EPERM].filter((error) =>
      isMomentary({ stage: 'load', error: -error }),
    );
    expect(momentary).toEqual([EAGAIN, EINTR]);
  });
});
