/**
 * The register of engines. The order is their rank: of the engines that ran, the first is the reference that the
 * others are compared with. The model says what should be, the kernel is the authority on what is, and of the
 * machines the stricter one stands first.
 */

/** What an engine is: a model of the program, the real kernel, or the embedded machine. */
export type EngineKind = 'model' | 'kernel' | 'machine';

interface Row {
  readonly name: string;
  readonly kind: EngineKind;
  /** Does it join a run whose user names no engines? */
  readonly byDefault: boolean;
}

export const ENGINES = [
  { name: 'model', kind: 'model', byDefault: true },
  { name: 'testrun', kind: 'kernel', byDefault: true },
  // It makes devices and sends frames: only where it is asked for.
  { name: 'veth', kind: 'kernel', byDefault: false },
  // What the compiled machine finds, the interpreter explains: it need not run everything a second time.
  { name: 'vm', kind: 'machine', byDefault: false },
  { name: 'wasm', kind: 'machine', byDefault: true },
] as const;

const ROWS: readonly Row[] = ENGINES;

type Entry = (typeof ENGINES)[number];

export type EngineName = Entry['name'];

/** The engines that are the embedded machine. */
export type MachineName = Extract<Entry, { readonly kind: 'machine' }>['name'];

/** In order of rank. */
export const ENGINE_NAMES: readonly EngineName[] = ENGINES.map(({ name }) => name);

/**
 * What findings name: an engine, the oracle, which judges single outcomes, or an example, whose author has said what must
 * come of a packet. The last two run nothing.
 */
export type Party = EngineName | 'oracle' | 'example';

/** Does it run programs? */
export function isEngine(name: Party): name is EngineName {
  return name !== 'oracle' && name !== 'example';
}

/** Is this engine the real kernel? */
export function isKernel(name: Party): boolean {
  return isOfKind(name, 'kernel');
}

/** Is this engine the embedded machine? */
export function isMachine(name: Party): name is MachineName {
  return isOfKind(name, 'machine');
}

/** Is this engine a model of the program? */
export function isModel(name: Party): boolean {
  return isOfKind(name, 'model');
}

function isOfKind(name: Party, kind: EngineKind): boolean {
  return isEngine(name) && ROWS[rankOf(name)]!.kind === kind;
}

/**
 * The place in the register: 0 is the most authoritative.
 * @throws {RangeError} for an engine that is not in it: without a rank, it must not become anybody's reference
 */
export function rankOf(name: EngineName): number {
  const rank = ENGINE_NAMES.indexOf(name);
  if (rank < 0) {
    throw new RangeError(
      `engine “${name}” is not registered and so has no rank; add it to sim/engines/register.ts (${ENGINE_NAMES.join(', ')})`,
    );
  }
  return rank;
}

/** Engines as reports list them: the most authoritative first. */
export function inOrderOfRank(names: readonly EngineName[]): EngineName[] {
  return [...names].sort((a, b) => rankOf(a) - rankOf(b));
}

/**
 * The most authoritative first.
 * @throws {RangeError} where an engine is not registered
 */
export function byRank<T extends { readonly engine: { readonly name: EngineName } }>(
  items: readonly T[],
): T[] {
  return items
    .map((item) => ({ item, rank: rankOf(item.engine.name) }))
    .sort((a, b) => a.rank - b.rank)
    .map(({ item }) => item);
}
