/**
 * What `prove` says of the specimens that `check` has: the faulty form is refuted by a packet that the machine confirms, or
 * left undecided for the right reason, and never passes; of the right form nothing is refuted.
 */
import { afterAll, beforeAll, expect, it } from 'vitest';
import { createEngine } from '../cli/engines.ts';
import { reportOf } from '../cli/prove/report.ts';
import type { Solver } from '../sim/ebpf/symbolic/solver.ts';
import type { Hook } from '../sim/runtime/actions.ts';
import { type ProgramProof, proveProgram } from '../verify/prove/prove.ts';
import { showRefutation } from '../verify/prove/show-refutation.ts';
import { createZ3Solver, endZ3 } from '../verify/prove/z3-solver.ts';
import { buildCheckSpecimen, CHECK_SPECIMENS } from './check-specimens/specimens.ts';
import { oneOfEach, part } from './test-support/part.ts';
import { describeKernel } from './test-support/require-kernel.ts';

/** What the faulty form comes to. */
interface Row {
  readonly name: string;
  readonly hook?: Hook;
  readonly invariant: string;
  readonly status?: 'refuted' | 'undecided';
  /** Part of the reason. */
  readonly reason: string;
}

const ROWS: readonly Row[] = [
  { name: 'null_used', invariant: 'verifier/stopped', reason: 'the machine stops the program' },
  { name: 'unchecked', invariant: 'verifier/stopped', reason: 'the machine stops the program' },
  { name: 'head_unwritten', invariant: 'uninitialized/frame', reason: 'leaves as nobody wrote it' },
  { name: 'stack_key', invariant: 'uninitialized/map', reason: 'go into a key of map flows' },
  { name: 'redirect_bare', invariant: 'redirect/no-target', reason: 'no helper has stored a target' },
  {
    name: 'redirect_bare',
    hook: 'tc-ingress',
    invariant: 'redirect/no-target',
    reason: 'no helper has stored',
  },
  { name: 'redirect_ignored', invariant: 'redirect/no-target', reason: 'no helper has stored a target' },
  { name: 'redirect_flags', invariant: 'redirect/refused', reason: 'bpf_redirect refuses its flags' },
  {
    name: 'redirect_flags',
    hook: 'tc-ingress',
    invariant: 'redirect/refused',
    reason: 'bpf_redirect refuses',
  },
  { name: 'ttl_expired', invariant: 'ttl/expired', reason: 'went from 1 to 0' },
  { name: 'ttl_wrapped', invariant: 'ttl/wrapped', reason: 'went from 0 to 255' },
  { name: 'hop_limit_expired', invariant: 'ttl/expired', reason: 'hop limit went from' },
  { name: 'ttl_step', invariant: 'ttl/step', reason: 'its TTL lowered by 2' },
  { name: 'ttl_step', hook: 'tc-ingress', invariant: 'ttl/step', reason: 'its TTL lowered by 2' },
  { name: 'ttl_left', invariant: 'ttl/not-lowered', reason: 'with the TTL as it came' },
  { name: 'echo_group', invariant: 'reply/group-source', reason: 'a group address as its source' },
  { name: 'echo_unset', invariant: 'reply/zero-source', reason: 'with 0 as its source' },
  { name: 'fragment_read', invariant: 'fragments/ports-read', reason: 'later fragment' },
  { name: 'fragment_written', invariant: 'fragments/written', reason: 'of a later fragment changed' },
  { name: 'fragment_cleared', invariant: 'fragments/cleared', reason: 'is now marked as whole' },
  { name: 'fragment_moved', invariant: 'fragments/changed', reason: 'is now marked as' },
  { name: 'sctp_ports', invariant: 'checksum/sctp', reason: 'the sctp checksum leaves as' },
  { name: 'udplite_address', invariant: 'checksum/udplite', reason: 'the udplite checksum leaves as' },
  { name: 'esp_written', invariant: 'payload/overwritten', reason: 'of an ESP packet changed' },
  { name: 'vlan_stale', invariant: 'ethertype/stale', reason: 'follows right behind it' },
  { name: 'six_unpacked', invariant: 'ethertype/stale', reason: '0x0800 (IPv4), but the IPv6' },
  { name: 'vlan_order', invariant: 'ethertype/byte-order', reason: 'in the wrong byte order' },
  { name: 'ipip_protocol', invariant: 'protocol/mismatch', reason: '41 (IPv6 in IP), but the IPv4' },
  { name: 'ipip_ttl', invariant: 'ttl/zero', reason: 'with TTL 0' },
  { name: 'not_complemented', invariant: 'checksum/ipv4', reason: 'the ipv4 checksum leaves as' },
  { name: 'folded_once', invariant: 'checksum/icmp', reason: 'the icmp checksum leaves as' },
  { name: 'nat64_none', invariant: 'checksum/udp', reason: 'which IPv6 does not allow' },
  { name: 'ipip_total', invariant: 'lengths/surplus', reason: "behind the packet's end" },
  { name: 'udp_length_left', invariant: 'lengths/udp', reason: 'the UDP length says' },
  { name: 'trailer', invariant: 'lengths/total', reason: 'but only' },
];

/** What is proved of right forms, although they write lengths, change the frame's size or lower a TTL. */
const PROVED: Readonly<Record<string, readonly string[]>> = {
  ttl_step: ['ttl/expired', 'ttl/wrapped', 'ttl/step'],
  ttl_left: ['ttl/not-lowered'],
  echo_group: ['reply/group-source', 'reply/zero-source'],
  fragment_read: ['fragments/ports-read'],
  fragment_cleared: ['fragments'],
  vlan_stale: ['lengths'],
  ipip_total: ['lengths', 'ttl/zero'],
  udp_length_left: ['lengths', 'checksum/udp'],
  total_byte_order: ['lengths'],
  head_unwritten: ['lengths'],
  not_complemented: ['checksum/ipv4'],
  folded_once: ['checksum/icmp'],
  nat64_none: ['checksum/udp', 'lengths'],
  stack_key: ['uninitialized/map'],
};

let solver: Solver;

beforeAll(async () => {
  solver = (await createZ3Solver({ timeout: 8_000 }))!;
});
afterAll(endZ3);

async function prove(name: string, hook: Hook, faulty: boolean): Promise<Proved> {
  const specimen = CHECK_SPECIMENS.find((one) => one.name === name)!;
  const program = buildCheckSpecimen(specimen, hook, faulty);
  const proof = await proveProgram(program, { solver, time: 100_000 });
  return { proof, verdict: reportOf(program, proof).verdict };
}

interface Proved {
  readonly proof: ProgramProof;
  readonly verdict: string;
}

describeKernel('prove on the specimens of check', ['compiler'], () => {
  const rows = oneOfEach(ROWS, ({ invariant, status }) => `${invariant} ${status}`);
  // What is said of all faulty forms is recorded in `verify/prove/recorded-proofs.test.ts`.
  for (const { name, hook = 'xdp', invariant, status = 'refuted', reason } of part(rows, 4)) {
    it(`${name}, ${hook}: ${invariant} ${status}`, async () => {
      const { proof, verdict } = await prove(name, hook, true);
      const found = proof.properties.find((one) => one.invariant === invariant);
      expect(found).toMatchObject({ status, reason: expect.stringContaining(reason) });
      expect(found?.confirmedBy).toEqual(status === 'refuted' ? ['vm'] : []);
      expect(verdict).toBe(status === 'refuted' ? 'fail' : 'incomplete');
    });
  }

  for (const { name, hook = 'xdp' } of part(rows, 2)) {
    it(`${name}, ${hook}, without its fault: nothing is refuted`, async () => {
      const { proof } = await prove(name, hook, false);
      expect(proof.properties.filter((one) => one.status === 'refuted')).toEqual([]);
      for (const proved of PROVED[name] ?? [])
        expect(proof.properties.find((one) => one.invariant === proved)).toMatchObject({ status: 'proved' });
    });
  }

  it('names the room in front of the frame where a program moves its head', async () => {
    const { proof } = await prove('head_unwritten', 'xdp', false);
    expect(proof.assumptions).toContain('there are 256 bytes of room in front of the frame');
  });
});

/** Faulty forms, what refutes them, and part of the line that is to blame. */
const SHOWN = [
  ['ttl_expired', 'ttl/expired', 'ttl'],
  ['carry_lost', 'checksum/ipv4', 'ip->check = check;'],
  ['redirect_flags', 'redirect/refused', 'bpf_redirect'],
  ['null_used', 'verifier/stopped', undefined],
] as const;

describeKernel('what refutes a program', ['compiler', 'root', 'testrun'], () => {
  for (const [name, invariant, line] of SHOWN) {
    it(`is run in the kernel, too, and shown with its line: ${name}`, async () => {
      const specimen = CHECK_SPECIMENS.find((one) => one.name === name)!;
      const program = buildCheckSpecimen(specimen, 'xdp', true);
      const { properties } = await proveProgram(program, { solver, time: 100_000 });
      const [machine, kernel] = [createEngine('vm'), createEngine('testrun')];
      const found = properties.find((one) => one.invariant === invariant)!;
      const shown = await showRefutation(found, { program, machine, kernel, shrinkSeconds: 2 });
      expect({ status: shown.status, by: [...shown.confirmedBy].sort() }).toEqual({
        status: 'refuted',
        by: ['testrun', 'vm'],
      });
      expect(shown.divergence?.summary).toContain(name);
      if (line !== undefined) expect(shown.source?.text).toContain(line);
    });
  }
});
