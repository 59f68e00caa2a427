import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import type { BpfProgram } from '../bpf-object.ts';
import { parseBtf } from '../btf.ts';
import { disassembleInstruction } from '../disassemble.ts';
import { CALL, LDDW } from '../instruction.ts';
import { loadObject } from '../object.ts';
import { testObject } from '../test-support/assemble.ts';
import { BtfBuilder } from '../test-support/btf-builder.ts';
import { BPF_CORE_FIELD_BYTE_OFFSET, BPF_CORE_FIELD_EXISTS } from './core-answer.ts';
import { noSuchHelper, POISONED_RELOCATION } from './core-patch.ts';
import { CoreResolver } from './core-relocation.ts';
import { essentialName, typesAreCompatible, typesMatch } from './core-types.ts';
import { readElf } from './elf.ts';

function fixture(name: string): Uint8Array {
  return new Uint8Array(readFileSync(new URL(`../test-support/${name}`, import.meta.url)));
}

/** The BTF of core-target.o, which stands for a kernel's. */
const kernelBtf = readElf(fixture('core-target.o')).sections.find((each) => each.name === '.BTF')!.data.bytes;

/** What core.bpf.c stores into `results`, slot by slot: the constant loaded last before each store. */
function results(program: BpfProgram): number[] {
  const { instructions } = program;
  const found: number[] = [];
  let value = 0;
  for (let index = 0; index < instructions.count; index++) {
    const opcode = instructions.opcode[index];
    if (instructions.dst[index] === 2 && (opcode === 0xb7 || opcode === LDDW))
      value = instructions.imm[index]!;
    if (opcode === 0x7b) found[instructions.offset[index]! / 8] = value;
    if (opcode === LDDW) index++;
  }
  return found;
}

describe('CO-RE relocations', () => {
  const object = loadObject(fixture('core.o'), { kernelBtf });
  const [core, loads] = [object.programs[0]!, object.programs[1]!];
  const answers = results(core);

  it('of fields give offset, size and existence in the kernel, through its anonymous structs', () => {
    expect(answers.slice(0, 9)).toEqual([
      72, // dev->ifindex
      32, // dev->mtu, in a union in a struct, both without a name
      32, // sizeof dev->name
      1, // dev->name exists
      0, // dev->no_such_field does not
      40 + 3, // dev->name[3]
      24, // skb->len
      0, // skb->gone does not exist
      2, // sizeof skb->mark
    ]);
  });

  it('of bit fields give the load and the shifts', () => {
    // pkt_type: five bits from bit 258 on, in byte 32.
    expect(answers.slice(9, 14)).toEqual([32, 1, 64 - 7, 64 - 5, 0]);
  });

  it('of types give existence, size and ids', () => {
    const target = parseBtf(kernelBtf);
    expect(answers.slice(14, 17)).toEqual([1, 0, 80]);
    expect(object.btf!.name(answers[17]!)).toBe('net_device');
    expect(target.name(answers[18]!)).toBe('net_device');
    expect(answers.slice(22, 24)).toEqual([0, 0]);
  });

  it('of enumerators ignore flavours, and say what is not there', () => {
    expect(answers.slice(19, 22)).toEqual([1, 173, 0]);
  });

  it('of loads change offset and width', () => {
    const { instructions } = loads;
    expect(disassembleInstruction(instructions, 1)).toBe('r2 = *(u64 *)(r1 +8)');
    // unsigned int became unsigned long: the load widens.
    expect(disassembleInstruction(instructions, 2)).toBe('r1 = *(u64 *)(r1 +24)');
  });

  it('that cannot be met become a call that no kernel has', () => {
    expect([...loads.poisoned.values()]).toEqual(['net_device.no_such_field is not in the kernel']);
    const [index] = [...loads.poisoned.keys()];
    expect(loads.instructions.opcode[index!]).toBe(CALL);
    expect(loads.instructions.imm[index!]).toBe(POISONED_RELOCATION);
  });

  it('without a kernel leave everything as it was compiled, but for types of another flavour', () => {
    const plain = loadObject(fixture('core.o'));
    const own = results(plain.programs[0]!);
    // ifindex, mtu, sizeof name, exists, exists, name[3], len.
    expect(own.slice(0, 7)).toEqual([0, 4, 16, 1, 1, 11, 0]);
    expect(own[7]).toBe(0);
    expect(plain.programs[1]!.poisoned.size).toBe(0);
  });

  it('of enumerators take 64 bits from an enum that grew', () => {
    const blob = new BtfBuilder();
    blob.enum64('bpf_func_id', false, [['BPF_FUNC_get_func_ip', 0x1_0000_0005n]]);
    const { instructions } = loadObject(fixture('core.o'), { kernelBtf: blob.bytes() }).programs[0]!;
    const texts = [...instructions.opcode.keys()].map((index) => disassembleInstruction(instructions, index));
    expect(texts).toContain('r2 = 0x100000005');
  });

  it('refuse a field whose type became incompatible as if it were not there', () => {
    const blob = new BtfBuilder();
    const int = blob.int('int', 4, 1);
    const struct = blob.struct('sk_buff', 4, [['len', int, 0]]);
    blob.struct('net_device', 16, [
      ['ifindex', struct, 0],
      ['name', int, 32],
    ]);
    const changed = loadObject(fixture('core.o'), { kernelBtf: blob.bytes() });
    // ifindex is a struct now; a signed len may not stand for an unsigned one of the same width, but it is found.
    expect([...changed.programs[1]!.poisoned.values()]).toContain('net_device.ifindex is not in the kernel');
    expect(results(changed.programs[0]!)[3]).toBe(0);
  });

  it('poison a load of a field that is signed in the kernel, and wider', () => {
    const widened = (encoding: number, size: number): readonly string[] => {
      const blob = new BtfBuilder();
      blob.struct('sk_buff', 16, [['len', blob.int('long', size, encoding), 64]]);
      const [, program] = loadObject(fixture('core.o'), { kernelBtf: blob.bytes() }).programs;
      return [...program!.poisoned.values()];
    };
    const reason = 'the field has another width in the kernel, and is signed or no number';
    expect(widened(1, 8)).toContain(reason);
    expect(widened(0, 8)).not.toContain(reason);
    expect(widened(1, 4)).not.toContain(reason);
  });

  it('refuse kernels whose types of one name differ', () => {
    const blob = new BtfBuilder();
    const int = blob.int('unsigned int', 4);
    blob.struct('sk_buff', 8, [['len', int, 0]]);
    blob.struct('sk_buff___other', 8, [['len', int, 32]]);
    expect(() => loadObject(fixture('core.o'), { kernelBtf: blob.bytes() })).toThrow(
      'types of that name that differ',
    );
  });
});

describe('types that an object has in one flavour only', () => {
  /** What a load of the second member becomes, and what is said of whether that exists. */
  const loaded = (others: readonly string[], kernel?: BtfBuilder): readonly string[] => {
    const blob = new BtfBuilder();
    const int = blob.int('int', 4, 1);
    const type = blob.struct('ct_opts___local', 8, [
      ['netns', int, 0],
      ['error', int, 32],
    ]);
    for (const name of others) blob.struct(name, 8, [['netns', int, 0]]);
    const target = kernel === undefined ? undefined : parseBtf(kernel.bytes());
    const resolver = new CoreResolver(parseBtf(blob.bytes()), target);
    const { instructions } = testObject({ main: '  r0 = *(u32 *)(r1 + 4)\n  r0 = 1\n  exit' }).programs[0]!;
    const at = { typeId: type, access: '0:1' };
    resolver.apply({ ...at, instruction: 0, kind: BPF_CORE_FIELD_BYTE_OFFSET }, instructions, 0, 'here');
    resolver.apply({ ...at, instruction: 1, kind: BPF_CORE_FIELD_EXISTS }, instructions, 1, 'here');
    return [0, 1].map((index) => disassembleInstruction(instructions, index));
  };

  it('are as they were compiled, without a kernel, and do not exist', () => {
    expect(loaded([])).toEqual(['r0 = *(u32 *)(r1 +4)', 'r0 = 0']);
  });

  it('are as the other flavour says where the object has another, or as the kernel does', () => {
    const failed = `call unknown#${POISONED_RELOCATION}`;
    expect(loaded(['ct_opts'])).toEqual([failed, 'r0 = 0']);
    const kernel = new BtfBuilder();
    kernel.struct('ct_opts', 16, [['error', kernel.int('int', 4, 1), 96]]);
    expect(loaded([], kernel)).toEqual(['r0 = *(u32 *)(r1 +12)', 'r0 = 1']);
    const bare = new BtfBuilder();
    bare.int('int', 4, 1);
    expect(loaded([], bare)).toEqual([failed, 'r0 = 0']);
  });

  it('that a relocation failed is what the verifier stops at', () => {
    expect(noSuchHelper(POISONED_RELOCATION)).toBe('a CO-RE relocation failed');
    expect(noSuchHelper(4242)).toBe('invalid func unknown#4242');
  });
});

describe('essentialName', () => {
  it('takes a flavour off, and only a flavour', () => {
    expect(essentialName('sk_buff___old')).toBe('sk_buff');
    expect(essentialName('a___b___c')).toBe('a___b');
    for (const name of ['sk_buff', '___x', 'x___', 'a____b', '', 'a__b'])
      expect(essentialName(name)).toBe(name);
  });
});

describe('types', () => {
  /** A struct `s` with a pointer to itself, an array and an enum; `change` builds another one. */
  function blob(count: number, enumerators: readonly string[], size: number = 4): Uint8Array {
    const builder = new BtfBuilder();
    const int = builder.int('int', size, 1);
    const array = builder.array(int, count);
    const choice = builder.enum(
      'choice',
      false,
      enumerators.map((name, value) => [name, value]),
    );
    const forward = builder.add('FWD', 's', 0);
    const pointer = builder.add('PTR', '', forward);
    builder.struct('s', 32, [
      ['numbers', array, 0],
      ['choice', choice, 128],
      ['next', pointer, 192],
    ]);
    return builder.bytes();
  }
  const STRUCT = 6;
  const local = parseBtf(blob(4, ['A', 'B']));

  it('match when every member and enumerator has its like', () => {
    expect(typesMatch(local, STRUCT, parseBtf(blob(4, ['A', 'B', 'C'])), STRUCT)).toBe(true);
  });

  it.each([
    ['an array has another length', blob(5, ['A', 'B'])],
    ['an enumerator is missing', blob(4, ['A', 'C'])],
    ['a number has another size', blob(4, ['A', 'B'], 8)],
  ])('do not match when %s, and are compatible all the same', (_, target) => {
    expect(typesMatch(local, STRUCT, parseBtf(target), STRUCT)).toBe(false);
    expect(typesAreCompatible(local, STRUCT, parseBtf(target), STRUCT)).toBe(true);
  });

  it('are compatible with the same kind only', () => {
    expect(typesAreCompatible(local, STRUCT, local, 3)).toBe(false);
  });

  it('that contain themselves are refused', () => {
    const builder = new BtfBuilder();
    builder.struct('s', 4, [['m', 1, 0]]);
    const endless = parseBtf(builder.bytes());
    expect(() => typesMatch(endless, 1, endless, 1)).toThrow('at most 32 types inside each other');
  });

  it('that would take ages to compare are refused', () => {
    const crowd = (size: number): Uint8Array => {
      const builder = new BtfBuilder();
      let type = builder.int('int', size);
      for (let level = 0; level < 12; level++) {
        const member = ['m', type, 0] as const;
        type = builder.struct(
          's',
          size,
          Array.from({ length: 8 }, () => member),
        );
      }
      return builder.bytes();
    };
    const target = parseBtf(crowd(8));
    const top = target.count - 1;
    expect(() => typesMatch(parseBtf(crowd(4)), top, target, top)).toThrow('in reasonable time');
  });
});
