/** Programs that ask a socket for its state: guidance has one that listens, and one that is connected. */
import { expect, it } from 'vitest';
import { writeElf } from '../../sim/ebpf/test-support/write-elf.ts';
import type { Program } from '../../sim/runtime/program.ts';
import type { World } from '../../sim/runtime/world.ts';
import { guide } from './guide.ts';

/** 0 where there is no socket, 2 where it listens, 3 where it is in another state. */
const STATE = `r6 = r1
  r7 = *(u32 *)(r1 + 0)
  r8 = *(u32 *)(r1 + 4)
  r0 = r7
  r0 += 42
  if r0 > r8 goto out
  r1 = *(u16 *)(r7 + 12)
  if r1 != 8 goto out
  r1 = *(u64 *)(r7 + 26)
  *(u64 *)(r10 - 16) = r1
  r1 = *(u32 *)(r7 + 34)
  *(u32 *)(r10 - 8) = r1
  r1 = r6
  r2 = r10
  r2 += -16
  r3 = 12
  r4 = -1
  r5 = 0
  call bpf_skc_lookup_tcp
  if r0 == 0 goto out
  r8 = *(u32 *)(r0 + 72)
  r1 = r0
  call bpf_sk_release
  r0 = 2
  if r8 == 10 goto done
  r0 = 3
  goto done
out:
  r0 = 0
done:
  exit`;

const program: Program = {
  name: 'state',
  entries: [{ function: 'main', hook: 'xdp' }],
  object: writeElf({ main: STATE }),
};
const options = { seed: 'sockets', effort: 400_000 };

it('reaches what is done with each', () => {
  expect(guide(program, options).missing).toEqual([]);
});

it('has those alone that a world states', () => {
  const world: World = { sockets: [{ protocol: 'tcp', local: '0.0.0.0:80' }] };
  const { cases } = guide(program, { ...options, worlds: [{ name: 'given', world }] });
  const connected = cases.filter((one) => one.world.sockets?.some(({ remote }) => remote !== undefined));
  expect(connected).toEqual([]);
});

it('has others for what a program asks of one besides: a mark, the device that it is bound to, the address', () => {
  const asks = [16, 0, 24, 48].map(
    (field) => `r1 = *(u32 *)(r8 + ${field})\nif r1 == 0 goto next${field}\nr9 += 1\nnext${field}:`,
  );
  const lookup = STATE.slice(0, STATE.lastIndexOf('  r8 = *(u32')).replace('skc_lookup_tcp', 'sk_lookup_udp');
  const text = `${lookup}r8 = r0\nr9 = 0\n${asks.join('\n')}\nr1 = r8\ncall bpf_sk_release\nout:\nr0 = 2\nexit`;
  const asking: Program = { ...program, object: writeElf({ main: text }) };
  expect(guide(asking, { seed: 'sockets', effort: 800_000 }).missing).toEqual([]);
});
