/** Replies to the MAC address that the packet came to, which the program left there, or happens to write. */
import { expect, it } from 'vitest';
import { writeElf } from '../../sim/ebpf/test-support/write-elf.ts';
import { createVmEngine } from '../../sim/engines/vm.ts';
import { createWasmEngine } from '../../sim/engines/wasm.ts';
import { check } from './check.ts';

/** Swaps the addresses of IPv4 packets whose destination is a host of 10.0.0.0/8, and sends them back. */
const answering = (macs: string): string => `r7 = *(u32 *)(r1 + 0)
  r8 = *(u32 *)(r1 + 4)
  r0 = r7
  r0 += 34
  if r0 > r8 goto pass
  r1 = *(u16 *)(r7 + 12)
  if r1 != 8 goto pass
  r1 = *(u8 *)(r7 + 14)
  if r1 != 0x45 goto pass
  r1 = *(u8 *)(r7 + 30)
  if r1 != 10 goto pass
  ${macs}
  r1 = *(u32 *)(r7 + 26)
  r2 = *(u32 *)(r7 + 30)
  *(u32 *)(r7 + 30) = r1
  *(u32 *)(r7 + 26) = r2
  r0 = 3
  exit
  pass:
  r0 = 2
  exit`;

async function found(macs: string): Promise<(readonly [string, string])[]> {
  const { findings } = await check({
    program: {
      name: 'answering',
      entries: [{ function: 'main', hook: 'xdp' }],
      object: writeElf({ main: answering(macs) }),
    },
    machine: createWasmEngine(),
    witness: createVmEngine(),
    ...{ seed: 'own-mac', runs: 300, effort: 100_000, shrinkSeconds: 600, sweeps: false },
  });
  return findings
    .filter(({ invariant }) => invariant.endsWith('mac'))
    .map(({ invariant, severity }) => [invariant, severity] as const);
}

const TO = (last: number): string =>
  `*(u32 *)(r7 + 0) = 2\n*(u16 *)(r7 + 4) = ${last << 8}\n*(u16 *)(r7 + 10) = 0x0909`;
const UNICAST = 'r1 = *(u8 *)(r7 + 0)\nr1 &= 1\nif r1 != 0 goto pass';

it.each([
  ['left as they came', UNICAST],
  [
    'to nobody but the host itself',
    `r1 = *(u32 *)(r7 + 0)\nif r1 != 2 goto pass\nr1 = *(u16 *)(r7 + 4)\nif r1 != 0x200 goto pass`,
  ],
  ['whose source alone was set', `${UNICAST}\n*(u16 *)(r7 + 10) = 0x0909`],
])('addresses %s', async (_, macs) => expect(await found(macs)).toEqual([['reply/own-mac', 'warning']]));

it('an address of the program’s own is not the one that the packet came to, though packets come to it', async () => {
  expect(await found(TO(2))).toEqual([]);
});
