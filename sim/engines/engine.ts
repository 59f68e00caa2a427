/** The one interface that everything able to run a program implements. */
import type { PacketBatch } from '../packet/packet-batch.ts';
import type { Coverage } from '../runtime/coverage.ts';
import type { MapSnapshot } from '../runtime/map-snapshot.ts';
import type { Program } from '../runtime/program.ts';
import type { World } from '../runtime/world.ts';
import type { OutcomeBatch } from './outcome-batch.ts';
import type { EngineName } from './register.ts';

export type { Coverage, FunctionCoverage } from '../runtime/coverage.ts';

/** Which parts of an outcome an engine can show. A comparison takes only what both of its engines observe. */
export interface Observables {
  /** `delivery`: passed, sent back and redirected frames are told apart; dropped and aborted ones are not. */
  readonly action: 'exact' | 'delivery';
  /** `delivered`: the bytes of frames that leave, not of dropped ones. Also holds for metadata. */
  readonly packet: 'always' | 'delivered';
  readonly metadata: boolean;
  /** Where a redirect goes. */
  readonly redirect: boolean;
  readonly maps: boolean;
  readonly trace: boolean;
  /** `mark`, `priority` and `cb` of `__sk_buff`. */
  readonly skb: boolean;
  /** `tstamp` of `__sk_buff`. */
  readonly tstamp: boolean;
}

export type Availability =
  | {
      readonly available: true;
      /** What is not as usual, for reports: "frames go through packet sockets, which is slower". */
      readonly note?: string;
    }
  | {
      readonly available: false;
      /** What is missing, in half a sentence: "not running as root". */
      readonly reason: string;
      /** How to get it: "run it with sudo". */
      readonly remedy: string;
    };

export interface Engine {
  readonly name: EngineName;
  readonly observes: Observables;
  /** Can it run this program here? Without `program`: could it run anything at all? */
  availability(program?: Program): Availability;
  /**
   * Can it take every packet of the batch? `BPF_PROG_TEST_RUN`, for one, refuses frames below 14 bytes.
   * @returns undefined, or the first refused packet and why
   */
  refuses(program: Program, batch: PacketBatch): Refusal | undefined;
  /**
   * Loads the object, fills the maps, makes the devices.
   * @throws {EngineError} when the object or the world cannot be loaded
   */
  open(program: Program, world: World): Promise<Session>;
}

export interface Refusal extends RefusalReason {
  readonly packet: number;
}

/** Why an engine does not take a packet: a rule, which reports count by, and what breaks it in this packet. */
export interface RefusalReason {
  /** The same text for every packet: "a frame needs at least 14 bytes". */
  readonly rule: string;
  /** "this one has 12". */
  readonly detail?: string;
}

/** Both parts as one clause, for messages about a single packet. */
export function refusalText({ rule, detail }: RefusalReason): string {
  return detail === undefined ? rule : `${rule}, ${detail}`;
}

export interface Session {
  /** Runs the batch in order and overwrites `output`; the program's state carries over from call to call. */
  run(input: PacketBatch, output: OutcomeBatch): Promise<void>;
  /** The contents of the maps, one snapshot for each that the engine can read, in order of name. */
  maps(): MapSnapshot[];
  /** Brings maps, clock and random numbers back to the world's; cheaper than to close and open. */
  reset(): Promise<void>;
  /** Absent where every answer is the world's by nature. */
  readonly pinning?: Pinning;
  /** What has been executed since `open`, where the engine counts it. */
  coverage?(): Coverage;
  /**
   * The way that execution has gone since `open` or `clearCoverage`, as a short text: the same instructions, as often, give
   * the same text. Where it is known already, `coverage` need not be asked.
   */
  path?(): string;
  /** Lets `coverage` and `path` count from here on. */
  clearCoverage?(): void;
  /** Leaves nothing behind. May be called more than once. */
  close(): Promise<void>;
}

/** Where the answers of helpers that depend on clock or chance come from. */
export interface Pinning {
  /** Helpers whose answers are the world's: the same in every engine. */
  readonly pinned: readonly string[];
  /** Helpers whose answers are those of the machine that the program runs on. */
  readonly live: readonly string[];
  /** Why those are live. */
  readonly reason?: string;
}

/**
 * Why an engine cannot do what was asked. `kind` decides the exit code: `input` 2 (the object or the world is
 * bad), `environment` 3 (the machine it runs on lacks something).
 */
export class EngineError extends Error {
  readonly kind: 'input' | 'environment';
  readonly remedy: string | undefined;
  /** The verifier's log or the like, for people. */
  readonly log: string | undefined;
  /** Is it the engine that lacks something which the object may rightly ask for? */
  readonly lacking: boolean;
  /** Is it the world that cannot be made, whatever the program? */
  readonly ofWorld: boolean;

  constructor(
    kind: 'input' | 'environment',
    message: string,
    details: {
      readonly remedy?: string;
      readonly log?: string;
      readonly cause?: unknown;
      readonly lacking?: boolean;
      readonly ofWorld?: boolean;
    } = {},
  ) {
    super(message, details.cause === undefined ? {} : { cause: details.cause });
    this.name = 'EngineError';
    this.kind = kind;
    this.remedy = details.remedy;
    this.log = details.log;
    this.lacking = details.lacking ?? false;
    this.ofWorld = details.ofWorld ?? false;
  }
}
