/** What the register says about each invariant: what it asks for, and how much a breach of it matters. */
import type { Severity } from '../severity.ts';

export interface Rule {
  /** `checksum/udp-zero-lost`: what reports name it by, and `--off` and `--only` take. */
  readonly id: string;
  readonly severity: Severity;
  /** What a program does that breaks it, as a headline: "UDP checksum 0 updated". */
  readonly title: string;
  /** What becomes of it, and when it is right to do so: one to three sentences. */
  readonly why: string;
}

export function rule(id: string, severity: Severity, title: string, why: string): Rule {
  return { id, severity, title, why };
}
