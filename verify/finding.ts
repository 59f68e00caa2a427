/** What is found when engines are held against each other: one disagreement, with what people need to see of it. */

import type { EngineName, Party } from '../sim/engines/register.ts';
import type { OutcomePart } from './compare.ts';
import type { MapDifference } from './compare-maps.ts';
import type { Breach } from './invariants/invariant.ts';
import type { KernelVerdict } from './kernel-verdict.ts';
import type { ChecksumFault } from './oracle/judge.ts';
import type { Outcome, Sample, SourcePlaceWithText } from './outcome.ts';
import type { Severity } from './severity.ts';

/** Who disagrees: two engines, the reference first, or the checksum oracle or an example with an engine. */
export type Disagreeing = readonly [reference: Party, engine: EngineName];

export interface Finding {
  readonly engines: Disagreeing;
  readonly part: OutcomePart | 'status' | 'map' | 'checksum' | 'invariant' | 'outside';
  /** The part more finely: `icmp.checksum`, `action`, `map rxcnt`. Together with the engines it is the finding's kind. */
  readonly field: string;
  /**
   * Of a violation, where the machine stopped the program: what is stopped elsewhere is another fault. Of an example, its
   * name.
   */
  readonly place?: string;
  /** Of a violation: what the kernel does with the program. */
  readonly kernel?: KernelVerdict;
  /** Default: `error`. */
  readonly severity?: Severity;
  /** Which stimulus of the sequence shows it; for a map, which holds no packet to account, the last one. */
  readonly packet: number;
  /** What the reference showed for that packet; undefined for a map, and where only one engine is judged. */
  readonly expected: Outcome | undefined;
  readonly got: Outcome | undefined;
  readonly map?: MapDifference;
  readonly fault?: ChecksumFault;
  readonly breach?: Breach;
  /** What is special about the packet (`fault-shape.ts`), where findings of one kind are told apart by it. */
  readonly shape?: string;
  /** Of a program's example: who does what it says, and who does not. */
  readonly example?: HeldExample;
  /** The C line that wrote the bytes in question last, where a program with line information wrote them. */
  readonly source?: SourcePlaceWithText;
  /** More packets that fail in the same way, where a cause is to be found: one alone may be a coincidence. */
  readonly others?: readonly Sample[];
}

/** A program's example, held against what engines make of its packet. */
export interface HeldExample {
  readonly name: string;
  /** The engines that differ from it in the same way, in order of rank. */
  readonly differing: readonly EngineName[];
  /** Those that do what it says. */
  readonly keeping: readonly EngineName[];
}

/** Two findings of the same kind are one divergence, seen on two inputs. */
export function kindOf({ engines, part, field, place = '' }: Kind): string {
  return `${engines.join('/')} ${part} ${field} ${place}`;
}

export type Kind = Pick<Finding, 'engines' | 'part' | 'field' | 'place'>;

/**
 * A kind, IPv4 and IPv6 not told apart: a fault in code that both share may shrink from one to the other, as an
 * ICMPv6 checksum does to the shorter packet of ICMP.
 */
export function familyOf(finding: Kind): string {
  return kindOf({ ...finding, field: finding.field.replace(/^ipv[46]/, 'ip').replace(/^icmpv6/, 'icmp') });
}
