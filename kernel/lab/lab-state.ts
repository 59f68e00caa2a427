/** What a lab keeps between commands. */
import type { Hook } from '../../sim/runtime/actions.ts';

/** One namespace with a device inside, and that device's peer outside. */
export interface EnvironmentState {
  readonly name: string;
  /** From 1; the addresses follow from it. */
  readonly number: number;
  /** As `ip netns` knows it. */
  readonly namespace: string;
  readonly ipv4: boolean;
  readonly vlan: boolean;
}

/** How a program is attached to a device. */
export type AttachMode = 'native' | 'generic' | 'tcx' | 'clsact';

/** A program that the lab has attached. */
export interface AttachmentState {
  /** The outer device, in the lab's namespace. */
  readonly device: string;
  readonly function: string;
  readonly hook: Hook;
  readonly mode: AttachMode;
  /** The kernel's number of the program. */
  readonly id: number;
  /** The object's file, for people. */
  readonly object: string;
}

export interface LabState {
  readonly version: 1;
  readonly name: string;
  /** Where the outer devices stand: a namespace of the lab's own, or the host's. */
  readonly namespace: string | 'host';
  /** The bpffs directory below which maps are pinned, one directory for each device. */
  readonly pinRoot: string;
  readonly environments: readonly EnvironmentState[];
  readonly attachments: readonly AttachmentState[];
}
