import { describe, expect, it } from 'vitest';
import { E2BIG, EFAULT, EINVAL, ENOENT, ERANGE } from '../../runtime/errno.ts';
import type { World } from '../../runtime/world.ts';
import { helperName } from '../helper-names.ts';
import { RingBufferMap } from '../maps/ring-buffer-map.ts';
import { testMap } from '../test-support/assemble.ts';
import { ASK, NO_PARAMETERS } from '../test-support/fib-texts.ts';
import { COUNTING_PACKET, runAgain, runText, type TextRun } from '../test-support/run-text.ts';
import { ARGUMENT_TYPES } from './argument-types.ts';
import { HELPERS } from './index.ts';
import { KERNEL_FUNCTIONS } from './kernel-functions.ts';
import { RETURN_TYPES } from './return-types.ts';

/** Runs and gives r0 as a signed number. */
function result(text: string, details: TextRun = {}): number {
  const { r0, violation } = runText(text, details);
  expect(violation).toBeUndefined();
  return Number(BigInt.asIntN(64, r0));
}

/** Puts a string on the stack at fp − 32, padded with zeros to 16 bytes. */
function onStack(text: string): string {
  const bytes = Uint8Array.from({ length: 16 }, (_, at) => text.charCodeAt(at) || 0);
  return [...bytes].map((byte, at) => `*(u8 *)(r10 - ${32 - at}) = ${byte}`).join('\n');
}

describe('the register of helpers', () => {
  it('has each helper under the kernel’s name for its number', () => {
    for (const [number, helper] of HELPERS) expect(helper.name).toBe(helperName(number));
  });

  it('has a size behind every memory argument', () => {
    const all = [...HELPERS.values(), ...KERNEL_FUNCTIONS.values()];
    for (const { name, arguments: types } of all) {
      types.forEach((type, index) => {
        if (ARGUMENT_TYPES[type].memory?.size === 'next argument')
          expect(`${name} ${types[index + 1]}`).toMatch(/size/);
      });
    }
  });

  it('has a map before every argument and result that a map decides', () => {
    for (const { name, arguments: types, returns, maps } of [
      ...HELPERS.values(),
      ...KERNEL_FUNCTIONS.values(),
    ]) {
      const sizes = types.map((type) => ARGUMENT_TYPES[type].memory?.size);
      const first = sizes.findIndex((size) => size === 'map key' || size === 'map value');
      const takes = types.includes('map');
      if (first >= 0) expect(types.slice(0, first), name).toContain('map');
      if (RETURN_TYPES[returns].holds === 'pointer or null' && returns === 'map_value_or_null') {
        expect(types[0], name).toBe('map');
      }
      if (maps !== undefined) expect(takes, name).toBe(true);
    }
  });

  it('has a pointer in r0 where one is acquired or passed on, and one in r1 where one is released', () => {
    for (const { name, arguments: types, returns, effects } of [
      ...HELPERS.values(),
      ...KERNEL_FUNCTIONS.values(),
    ]) {
      const { obligation } = effects;
      const gives = obligation === 'acquires unless null' || obligation === 'passes on';
      if (gives) expect(RETURN_TYPES[returns].holds, name).toBe('pointer or null');
      if (obligation === 'releases pointer' || obligation === 'passes on') {
        expect(['anything', 'number'], name).not.toContain(ARGUMENT_TYPES[types[0]!].holds);
      }
    }
  });
});

describe('what C functions of the kernel’s return', () => {
  it('is all of the register or its lower half, with zeros above; helpers extend the sign', () => {
    for (const { name, returns } of KERNEL_FUNCTIONS.values()) expect(returns, name).not.toBe('int');
    for (const { name, returns } of HELPERS.values()) expect(returns, name).not.toBe('word');
  });
});

describe('clock and chance', () => {
  it('shows the world’s time on every clock', () => {
    for (const clock of ['ktime_get_ns', 'ktime_get_boot_ns', 'ktime_get_coarse_ns', 'ktime_get_tai_ns']) {
      const { r0 } = runText(`call bpf_${clock}\nexit`, { world: { time: 0x1_2345_6789_abcdn } });
      expect(r0).toBe(0x1_2345_6789_abcdn);
    }
  });

  it('starts at the world’s time, and goes on by its tick with each packet', () => {
    const first = runText('call bpf_ktime_get_ns\nexit', { world: { time: 1000n, tick: 7n } });
    expect(first.r0).toBe(1000n);
    expect(runAgain(first.interpreter).r0).toBe(1007n);
    expect(runAgain(first.interpreter).r0).toBe(1014n);
  });

  it('draws the same numbers from the same seed, others from another, and 32 bits of them', () => {
    const draw = (randomSeed: number): bigint =>
      runText('call bpf_get_prandom_u32\nr6 = r0\ncall bpf_get_prandom_u32\nr6 <<= 32\nr0 |= r6\nexit', {
        world: { randomSeed },
      }).r0;
    expect(draw(7)).toBe(draw(7));
    expect(draw(7)).not.toBe(draw(8));
    expect(draw(7) >> 32n).not.toBe(draw(7) & 0xffff_ffffn);
  });

  it('runs on the world’s CPU', () => {
    expect(result('call bpf_get_smp_processor_id\nexit', { world: { cpu: 5 } })).toBe(5);
  });
});

describe('maps', () => {
  const per = testMap('per', 'PERCPU_ARRAY', { valueSize: 8 });
  const lookup = (cpu: number): string =>
    `*(u32 *)(r10 - 4) = 1\nr1 = map[per]\nr2 = r10\nr2 += -4\nr3 = ${cpu}\ncall bpf_map_lookup_percpu_elem\nif r0 == 0 goto none\nr0 = *(u64 *)(r0 + 0)\nexit\nnone:\nr0 = -1\nexit`;
  const world: World = {
    cpu: 2,
    maps: { per: [{ key: Uint8Array.of(1, 0, 0, 0), value: Uint8Array.of(9, 0, 0, 0, 0, 0, 0, 0) }] },
  };

  it('bpf_map_lookup_percpu_elem finds the value of the one CPU there is', () => {
    expect(result(lookup(2), { maps: [per], world })).toBe(9);
    expect(result(lookup(0), { maps: [per], world })).toBe(-1);
  });

  it('refuses flags above 32 bits', () => {
    const text = `*(u32 *)(r10 - 4) = 1\n*(u64 *)(r10 - 16) = 1\nr1 = map[per]\nr2 = r10\nr2 += -4\nr3 = r10\nr3 += -16\nr4 = 0x100000000 ll\ncall bpf_map_update_elem\nexit`;
    expect(result(text, { maps: [per] })).toBe(-EINVAL);
  });

  it('looks up the inner map of a map of maps', () => {
    const inner = testMap('inner', 'ARRAY');
    const outer = testMap('outer', 'ARRAY_OF_MAPS', { initial: [{ key: 1, name: 'inner' }] });
    const text = (key: number): string => `*(u32 *)(r10 - 4) = ${key}
      r1 = map[outer]
      r2 = r10
      r2 += -4
      call bpf_map_lookup_elem
      if r0 == 0 goto none
      r1 = r0
      *(u32 *)(r10 - 4) = 2
      r2 = r10
      r2 += -4
      call bpf_map_lookup_elem
      if r0 == 0 goto none
      r0 = *(u64 *)(r0 + 0)
      exit
      none:
      r0 = -1
      exit`;
    const value = { key: Uint8Array.of(2, 0, 0, 0), value: Uint8Array.of(77, 0, 0, 0, 0, 0, 0, 0) };
    const details = { maps: [inner, outer], world: { maps: { inner: [value] } } };
    expect(result(text(1), details)).toBe(77);
    expect(result(text(0), details)).toBe(-1);
  });
});

describe('bpf_trace_printk', () => {
  const print = (format: string, ...values: readonly string[]): { lines: string[]; r0: number } => {
    const set = values.map((value, index) => `r${index + 3} = ${value} ll`).join('\n');
    const { machine, r0 } = runText(
      `${onStack(format)}\nr1 = r10\nr1 += -32\nr2 = ${format.length + 1}\n${set}\ncall bpf_trace_printk\nexit`,
    );
    return { lines: machine.lines, r0: Number(BigInt.asIntN(64, r0)) };
  };

  it('prints a line and returns its length', () => {
    expect(print('hello')).toEqual({ lines: ['hello'], r0: 5 });
  });

  it('knows the kernel’s conversions', () => {
    expect(print('%d %u %x', '0xffffffffffffffff', '0xffffffff', '0xabcdef').lines).toEqual([
      '-1 4294967295 abcdef',
    ]);
    expect(print('%ld %lu %llx', '-5', '0xffffffffffffffff', '-1').lines).toEqual([
      '-5 18446744073709551615 ffffffffffffffff',
    ]);
    expect(print('%5d|%-5d|%05d', '1', '2', '-3').lines).toEqual(['    1|2    |-0003']);
    expect(print('100%% %c', '0x41').lines).toEqual(['100% A']);
  });

  it('drops the line break at the end, which the trace pipe adds', () => {
    expect(print('line\n').lines).toEqual(['line']);
  });

  it('refuses what the kernel refuses, and prints nothing', () => {
    expect(print('%q')).toEqual({ lines: [], r0: -EINVAL });
    expect(print('%d %d %d %d', '1', '2', '3')).toEqual({ lines: [], r0: -EINVAL });
    expect(print('a\x01b')).toEqual({ lines: [], r0: -EINVAL });
    // A letter behind `%s`, as in what was meant to be `%sd`.
    expect(print('%sd %s', '0', '0')).toEqual({ lines: [], r0: -EINVAL });
    expect(print('%p\xc3', '0')).toEqual({ lines: [], r0: -EINVAL });
  });

  it('takes text in UTF-8, and nothing of it within a conversion', () => {
    expect(print('%d \xc2\xb5s', '5')).toEqual({ lines: ['5 µs'], r0: 5 });
    for (const control of ['\x1b', '\x7f', '%\xc3 d'])
      expect(print(control, '5')).toEqual({ lines: [], r0: -EINVAL });
  });

  it('has no symbol for an address', () => {
    expect(print('%ps|%8pS|%8pB', '0', '16', '-1').lines).toEqual(['0x0|    0x10|0xffffffffffffffff']);
  });

  it('puts zeros before numbers alone', () => {
    expect(print('%04d|%04s|%04c', '7', '0', '0x41').lines).toEqual(['0007|    |   A']);
  });

  it('ends a line at a character that is 0', () => {
    expect(print('a%c|%d', '0', '5')).toEqual({ lines: ['a'], r0: 4 });
  });
});

describe('bpf_snprintf', () => {
  /** What it returns for `count` pointers to `found`. */
  function printed(format: string, size: number, found: string, count: number): number {
    const { machine } = runText('r0 = 0\nexit');
    const place = (text: string): number => {
      const at = machine.memory.allocate(64);
      machine.memory.u8.set(
        Uint8Array.from(text, (letter) => letter.charCodeAt(0)),
        at,
      );
      return at;
    };
    const [text, address, pointers, out] = [place(format), place(found), place(''), place('')];
    for (let index = 0; index < count; index++) machine.memory.setU64(pointers + 8 * index, BigInt(address));
    return HELPERS.get(165)!.run(machine, out, size, text, pointers, 8 * count);
  }

  it('counts addresses of the Internet up to the end of what there is room for', () => {
    const address = '\x0a\x0b\x0c\x0d';
    expect([0, 5, 13, 40].map((size) => printed('%pI4.%pi4', size, address, 2))).toEqual([2, 13, 28, 28]);
  });

  it('does not look at the width of what it finds, nor for a user’s memory', () => {
    expect(printed('%9s|', 40, 'abc', 1)).toBe(11);
    expect(printed('%9pks|', 40, 'abc', 1)).toBe(5);
    expect(printed('%pus|', 40, 'abc', 1)).toBe(2);
  });
});

describe('bpf_tcp_raw_gen_syncookie_ipv4', () => {
  /** The size that the cookie stands for. */
  const size = (...options: readonly number[]): number => {
    const header = [...Array(12).fill(0), (5 + options.length / 4) << 4, 2, ...Array(6).fill(0)];
    const bytes = [...header, ...options].map((byte, at) => `*(u8 *)(r10 - ${64 - at}) = ${byte}`);
    const address = Array.from({ length: 5 }, (_, word) => `*(u32 *)(r10 - ${96 - 4 * word}) = 0`);
    return result(`${[...bytes, ...address].join('\n')}
      r1 = r10
      r1 += -96
      r2 = r10
      r2 += -64
      r3 = ${header.length + options.length}
      call bpf_tcp_raw_gen_syncookie_ipv4
      r0 >>= 32
      exit`);
  };
  const LARGE = [2, 4, 5, 0xb4];
  const SMALL = [2, 4, 2, 0x18];

  it('takes the last of several sizes that is not 0', () => {
    expect(size(...LARGE)).toBe(1460);
    expect(size(...LARGE, ...SMALL)).toBe(536);
    expect(size(...SMALL, ...LARGE)).toBe(1460);
    expect(size(...LARGE, 2, 4, 0, 0)).toBe(1460);
  });

  it('keeps it where the options end or break off, and knows one that comes after the end no more', () => {
    expect(size(...LARGE, 3, 9, 0, 0)).toBe(1460);
    expect(size(...LARGE, 3, 0, 0, 0)).toBe(1460);
    expect(size(...LARGE, 1, 1, 1, 3)).toBe(1460);
    expect(size(...LARGE, 0, 0, 0, 0, ...SMALL)).toBe(1460);
  });
});

describe('numbers from text', () => {
  const parse = (helper: string, text: string, base: number): { r0: number; value: bigint } => {
    const { r0, machine } = runText(
      `${onStack(text)}\nr1 = r10\nr1 += -32\nr2 = 16\nr3 = ${base}\nr4 = r10\nr4 += -8\ncall ${helper}\nexit`,
    );
    return { r0: Number(BigInt.asIntN(64, r0)), value: machine.memory.u64(0x1_2000 + 512 - 8) };
  };

  it('bpf_strtol takes blanks, a sign and a base, and says how many characters it used', () => {
    expect(parse('bpf_strtol', ' -42x', 10)).toEqual({ r0: 4, value: BigInt.asUintN(64, -42n) });
    expect(parse('bpf_strtol', '0x1F', 0)).toEqual({ r0: 4, value: 31n });
    expect(parse('bpf_strtol', '017', 0)).toEqual({ r0: 3, value: 15n });
  });

  it('bpf_strtoul refuses a minus', () => {
    expect(parse('bpf_strtoul', '-1', 10).r0).toBe(-EINVAL);
    expect(parse('bpf_strtoul', '77', 8)).toEqual({ r0: 2, value: 63n });
  });

  it('refuses text without digits, odd bases and numbers that are too large', () => {
    expect(parse('bpf_strtol', 'abc', 10)).toEqual({ r0: -EINVAL, value: 0n });
    expect(parse('bpf_strtol', '1', 7).r0).toBe(-EINVAL);
    expect(parse('bpf_strtol', '8000000000000000', 16).r0).toBe(-ERANGE);
  });
});

describe('bpf_csum_diff', () => {
  const diff = (seed: string): string =>
    `*(u32 *)(r10 - 8) = 0x12345678\n*(u32 *)(r10 - 4) = 0xabcdef01\nr1 = r10\nr1 += -8\nr2 = 4\nr3 = r10\nr3 += -4\nr4 = 4\nr5 = ${seed} ll\ncall bpf_csum_diff\nexit`;

  it('adds what is new and subtracts what was, folded to 16 bits', () => {
    const sum = 0xabcd_ef01 + (~0x1234_5678 >>> 0) + 7;
    const folded = ((sum % 0xffff) + 0xffff) % 0xffff;
    expect(result(diff('7')) % 0xffff).toBe(folded);
    expect(result(diff('7'))).toBeLessThan(0x1_0000);
  });
});

describe('bytes of an XDP frame', () => {
  const call = (helper: string, offset: number, size: number): string =>
    `*(u64 *)(r10 - 8) = -1\nr2 = ${offset}\nr3 = r10\nr3 += -8\nr4 = ${size}\ncall ${helper}\nr1 = *(u64 *)(r10 - 8)\nif r0 != 0 goto out\nr0 = r1\nout:\nexit`;

  it('bpf_xdp_load_bytes reads from any offset within the frame', () => {
    expect(runText(call('bpf_xdp_load_bytes', 10, 8)).r0).toBe(0x1110_0f0e_0d0c_0b0an);
    expect(result(call('bpf_xdp_load_bytes', 57, 8))).toBe(-EINVAL);
    expect(result(call('bpf_xdp_load_bytes', 0x1_0000, 8))).toBe(-EFAULT);
  });

  it('bpf_xdp_store_bytes writes them', () => {
    const { machine } = runText(call('bpf_xdp_store_bytes', 60, 4));
    expect([...machine.memory.read(machine.packet.data + 58, 6)]).toEqual([58, 59, 255, 255, 255, 255]);
  });

  it('bpf_xdp_get_buff_len counts what lies behind the linear part, which data_end does not', () => {
    const packet = new Uint8Array(5000);
    expect(result('call bpf_xdp_get_buff_len\nexit', { packet })).toBe(5000);
    expect(result('r2 = *(u32 *)(r1 + 0)\nr0 = *(u32 *)(r1 + 4)\nr0 -= r2\nexit', { packet })).toBe(3520);
  });
});

describe('redirects', () => {
  const devices = testMap('devices', 'DEVMAP');
  const byHash = testMap('by_hash', 'DEVMAP_HASH');
  const cpus = testMap('cpus', 'CPUMAP');
  const four = (value: number): Uint8Array => Uint8Array.of(value, 0, 0, 0);
  const world: World = {
    maps: {
      devices: [{ key: four(1), value: four(7) }],
      by_hash: [{ key: four(99), value: four(8) }],
      cpus: [{ key: four(2), value: four(64) }],
    },
  };
  const redirect = (map: string, key: number, flags: number): { action: number; target: number } => {
    const text = `r1 = map[${map}]\nr2 = ${key}\nr3 = ${flags}\ncall bpf_redirect_map\nexit`;
    const { action, machine } = runText(text, { maps: [devices, byHash, cpus], world });
    return { action, target: machine.redirectTarget };
  };

  it('bpf_redirect_map leads to the device, the CPU, or back with the flags’ action', () => {
    expect(redirect('devices', 1, 0)).toEqual({ action: 4, target: 7 });
    expect(redirect('by_hash', 99, 0)).toEqual({ action: 4, target: 8 });
    expect(redirect('cpus', 2, 0)).toEqual({ action: 4, target: 2 });
    expect(redirect('devices', 0, 2)).toEqual({ action: 2, target: 0 });
    expect(redirect('devices', 0, 64)).toEqual({ action: 0, target: 0 });
    expect(redirect('devices', 0, 8)).toEqual({ action: 4, target: 0 });
  });

  it('bpf_redirect knows no flags in XDP, and one in TC', () => {
    const text = (flags: number): string => `r1 = 9\nr2 = ${flags}\ncall bpf_redirect\nexit`;
    expect(runText(text(0))).toMatchObject({ action: 4 });
    expect(runText(text(1))).toMatchObject({ action: 0 });
    expect(runText(text(1), { hook: 'tc-ingress' })).toMatchObject({ action: 7 });
    expect(runText(text(2), { hook: 'tc-ingress' })).toMatchObject({ action: 2 });
  });
});

describe('bpf_fib_lookup', () => {
  const mac = (last: number): Uint8Array => Uint8Array.of(2, 0, 0, 0, 0, last);
  const world: World = {
    devices: [
      { ifindex: 1, name: 'in', mac: mac(1), forwarding: true, addresses: ['10.0.0.1/24'] },
      { ifindex: 5, name: 'out', mac: mac(5), forwarding: true, addresses: ['10.9.0.1/24'] },
    ],
    routes: [{ to: '192.168.0.0/16', via: '10.9.0.2', ifindex: 5 }],
    neighbours: [{ ifindex: 5, address: '10.9.0.2', mac: mac(9) }],
  };
  const text = `r6 = r1
    ${NO_PARAMETERS}
    *(u8 *)(r10 - 64) = 2
    *(u32 *)(r10 - 56) = 1
    *(u32 *)(r10 - 48) = 0x0200000a
    *(u32 *)(r10 - 32) = 0x0100a8c0
    ${ASK}
    exit`;

  it('fills in device and addresses from the world’s routes', () => {
    const { r0, machine } = runText(text, { world });
    expect(r0).toBe(0n);
    const at = 0x1_2000 + 512 - 64;
    expect(machine.memory.u32(at + 8)).toBe(5);
    expect([...machine.memory.read(at + 52, 12)]).toEqual([...mac(5), ...mac(9)]);
  });

  it('finds forwarding switched off in an empty world', () => {
    expect(result(text)).toBe(5);
  });
});

describe('events', () => {
  const events = testMap('events', 'PERF_EVENT_ARRAY');
  const output = (flags: string, size = 8): string =>
    `*(u64 *)(r10 - 8) = 1\nr2 = map[events]\nr3 = ${flags} ll\nr4 = r10\nr4 += -8\nr5 = ${size}\ncall bpf_perf_event_output\nexit`;

  it('bpf_perf_event_output finds nobody listening', () => {
    expect(result(output('0xffffffff'), { maps: [events] })).toBe(-ENOENT);
    expect(result(output('9'), { maps: [events] })).toBe(-E2BIG);
    expect(result(output('0xfff00ffffffff'), { maps: [events] })).toBe(-EFAULT);
    // As many bytes of the packet as there are, and one more.
    expect(result(output('0x40ffffffff'), { maps: [events] })).toBe(-ENOENT);
    expect(result(output('0x41ffffffff'), { maps: [events] })).toBe(-EFAULT);
    expect(result(output('0x8000000000000000'), { maps: [events] })).toBe(-EINVAL);
  });

  it('bpf_ringbuf_output keeps samples until the ring is full', () => {
    const ring = testMap('ring', 'RINGBUF');
    const text = `*(u64 *)(r10 - 8) = 5\nr1 = map[ring]\nr2 = r10\nr2 += -8\nr3 = 8\nr4 = 0\ncall bpf_ringbuf_output\nexit`;
    expect(result(text, { maps: [ring] })).toBe(0);
  });
});

describe('what is asked with all of a register, or too much of it', () => {
  const maps = [testMap('ring', 'RINGBUF')];

  it('bpf_ringbuf_query knows no question above 32 bits', () => {
    const query = (what: string): number =>
      result(`r1 = map[ring]\nr2 = ${what}\ncall bpf_ringbuf_query\nexit`, { maps });
    expect([query('1'), query('0x100000001 ll')]).toEqual([4096, 0]);
  });

  it('a dynptr is no longer than 24 bits say', () => {
    const reserve = (size: number, flags: number): number =>
      result(
        `r1 = map[ring]\nr2 = ${size}\nr3 = ${flags}\nr4 = r10\nr4 += -16\ncall bpf_ringbuf_reserve_dynptr\nr6 = r0
         r1 = r10\nr1 += -16\nr2 = 0\ncall bpf_ringbuf_discard_dynptr\nr0 = r6\nexit`,
        { maps },
      );
    expect([reserve(8, 0), reserve(0xff_ffff, 0)]).toEqual([0, -EINVAL]);
    expect([reserve(0x100_0000, 0), reserve(0x100_0000, 1)]).toEqual([-E2BIG, -EINVAL]);
  });

  it('bpf_iter_num_next starts at the lowest number there is', () => {
    const { machine } = runText('r0 = 0\nexit');
    const at = machine.memory.allocate(8);
    const lowest = -0x8000_0000;
    const call = (name: string, ...[from = 0, to = 0]: number[]): number =>
      KERNEL_FUNCTIONS.get(name)!.run(machine, at, from, to, 0, 0);
    expect(call('bpf_iter_num_new', lowest, lowest + 2)).toBe(0);
    const next = (): number | undefined =>
      call('bpf_iter_num_next') === 0 ? undefined : machine.memory.view.getInt32(at, true);
    expect([next(), next(), next()]).toEqual([lowest, lowest + 1, undefined]);
  });
});

describe('the flow hash of a packet', () => {
  const run = (text: string): bigint => runText(text, { hook: 'tc-ingress' }).r0;
  const recalculated = 'r1 = r6\ncall bpf_get_hash_recalc';

  it('is what a program has set, until it declares that unknown', () => {
    const set = 'r6 = r1\nr2 = 1234\ncall bpf_set_hash';
    expect(run(`${set}\n${recalculated}\nexit`)).toBe(1234n);
    const invalidated = `${set}\nr1 = r6\ncall bpf_set_hash_invalid\n${recalculated}\nexit`;
    expect(run(invalidated)).toBe(run(`r6 = r1\n${recalculated}\nexit`));
    expect(run(invalidated)).not.toBe(1234n);
  });

  it('stays what it was first asked for, whatever is written to the packet afterwards', () => {
    const written =
      'r7 = *(u32 *)(r6 + 76)\nr8 = *(u32 *)(r6 + 80)\nr9 = r7\nr9 += 14\nif r9 > r8 goto out\n*(u8 *)(r7 + 13) = 255';
    const asked = `r6 = r1\n${recalculated}\n${written}\n${recalculated}\nout:\nexit`;
    expect(run(asked)).toBe(run(`r6 = r1\n${recalculated}\nexit`));
    expect(run(`r6 = r1\n${written}\n${recalculated}\nout:\nexit`)).not.toBe(run(asked));
  });
});

describe('samples of a ring buffer that are reached by a dynptr', () => {
  const reserved = (release: string): string =>
    `r1 = map[ring]\nr2 = 8\nr3 = 0\nr4 = r10\nr4 += -16\ncall bpf_ringbuf_reserve_dynptr
     *(u64 *)(r10 - 24) = 77\nr1 = r10\nr1 += -16\nr2 = 0\nr3 = r10\nr3 += -24\nr4 = 8\nr5 = 0\ncall bpf_dynptr_write
     r1 = r10\nr1 += -16\nr2 = 0\ncall ${release}\nr0 = 0\nexit`;
  const samplesAfter = (release: string): number[][] => {
    // The other ring buffer shows whose samples they are.
    const maps = [testMap('ring', 'RINGBUF'), testMap('other', 'RINGBUF')];
    const run = runText(reserved(release), { maps });
    expect(run.violation).toBeUndefined();
    return run.machine.maps.map((map) => {
      if (!(map instanceof RingBufferMap)) throw new Error('a ring buffer was expected');
      return [...map.samples()].map((sample) => sample[0]!);
    });
  };

  it('are there once they are submitted', () => {
    expect(samplesAfter('bpf_ringbuf_submit_dynptr')).toEqual([[77], []]);
  });

  it('are not there once they are discarded', () => {
    expect(samplesAfter('bpf_ringbuf_discard_dynptr')).toEqual([[], []]);
  });
});

describe('classic packet loads', () => {
  it('give numbers in host order, and end the program with 0 behind the packet', () => {
    const run = (load: string): bigint => runText(`r6 = r1\n${load}\nexit`, { hook: 'tc-ingress' }).r0;
    expect(run('r0 = *skb(u16)(12)')).toBe(0x0c0dn);
    expect(run('r0 = *skb(u32)(4)')).toBe(0x0405_0607n);
    expect(run('r7 = 3\nr0 = *skb(u8)(r7 + 4)')).toBe(7n);
    expect(run(`r0 = *skb(u32)(${COUNTING_PACKET.length - 3})\nr0 = 9`)).toBe(0n);
  });
});
