/** What two builds do with one packet besides its outcome: copies, events and signals, and what goes along with it. */
import {
  type Carried,
  canActOutside as canObjectActOutside,
  type OutsideActs,
} from '../../sim/ebpf/interpreter/outside.ts';
import type { CodePlace } from '../../sim/ebpf/interpreter/run-path.ts';
import type { Sent } from '../../sim/ebpf/interpreter/sent.ts';
import { linkedObject } from '../../sim/ebpf/linked-object.ts';
import type { MapContent } from '../../sim/ebpf/maps/live-map.ts';
import { toHex } from '../../sim/packet/bytes.ts';
import { type Hook, TC_ACT_REDIRECT, XDP_REDIRECT } from '../../sim/runtime/actions.ts';
import { leaves } from '../../sim/runtime/delivery.ts';
import type { Program } from '../../sim/runtime/program.ts';
import type { BuildPair } from './pair.ts';

/** One thing that differs, in words. */
export interface OutsideDifference {
  /** `copies sent`, `events in map events`, `__sk_buff queue_mapping`, `way of the redirect`. */
  readonly what: string;
  readonly old: string;
  readonly new: string;
  /** The lines that did it, as far as there are any. */
  readonly places: { readonly old: CodePlace | undefined; readonly new: CodePlace | undefined };
  /** Is it a field of `__sk_buff`, which stores set, too? */
  readonly isStore: boolean;
  /** Of a map without keys: the bytes that each build holds there. */
  readonly value?: {
    readonly map: string;
    readonly old: Uint8Array | undefined;
    readonly new: Uint8Array | undefined;
  };
}

/** Of bytes that differ, so many are shown. */
const MAX_SHOWN = 16;

/** Can either build do more than outcomes show? */
export function canActOutside({ old, new: next }: BuildPair): boolean {
  return [old, next].some(({ object, entries }: Program) => {
    const isTc = entries.some(({ hook }) => hook !== 'xdp');
    return object !== undefined && canObjectActOutside(linkedObject(object), isTc);
  });
}

/** @param ran both builds' action, which is the same */
export function outsideDifferences(
  ran: { readonly hook: Hook; readonly action: number },
  old: OutsideActs,
  next: OutsideActs,
): OutsideDifference[] {
  const goesOn = leaves(ran.hook, ran.action);
  return [
    ...sentDifferences(old.sent, next.sent),
    ...contentDifferences(old, next),
    ...(isRedirect(ran.hook, ran.action) ? redirectDifference(old, next) : []),
    ...(goesOn ? carriedDifferences(old.carried, next.carried) : []),
  ];
}

function isRedirect(hook: Hook, action: number): boolean {
  return action === (hook === 'xdp' ? XDP_REDIRECT : TC_ACT_REDIRECT);
}

/** Of each receiver, the first thing that differs: what comes behind it differs for no reason of its own. */
function sentDifferences(old: readonly Sent[], next: readonly Sent[]): OutsideDifference[] {
  const receivers = new Set([...old, ...next].map(({ to }) => to));
  return [...receivers].sort().flatMap((to) => {
    const [a, b] = [old.filter((one) => one.to === to), next.filter((one) => one.to === to)];
    const count = Math.max(a.length, b.length);
    for (let at = 0; at < count; at++) {
      const [one, other] = [a[at], b[at]];
      if (isSame(one, other)) continue;
      return [
        {
          what: to,
          old: sentText(one, other),
          new: sentText(other, one),
          places: { old: one?.place, new: other?.place },
          isStore: false,
        },
      ];
    }
    return [];
  });
}

function isSame(a: Sent | undefined, b: Sent | undefined): boolean {
  return a !== undefined && b !== undefined && a.what === b.what && Buffer.compare(a.bytes, b.bytes) === 0;
}

function sentText(one: Sent | undefined, other: Sent | undefined): string {
  if (one === undefined) return 'nothing';
  const { what, bytes } = one;
  if (bytes.length === 0) return what;
  const against = other?.bytes ?? new Uint8Array(0);
  const from = differsFrom(bytes, against);
  const size = `${what} (${bytes.length} bytes`;
  if (other === undefined || from === bytes.length) return `${size})`;
  const shown = toHex(bytes.subarray(from, from + MAX_SHOWN));
  const more = from + MAX_SHOWN < bytes.length ? '…' : '';
  return other.what === what || from > 0 ? `${size}, from byte ${from}: ${shown}${more})` : `${size})`;
}

/** What maps without keys hold after the packet, where one of the two may have changed it, and both have such a map. */
function contentDifferences(old: OutsideActs, next: OutsideActs): OutsideDifference[] {
  if (old.contentPlace === undefined && next.contentPlace === undefined) return [];
  const places = { old: old.contentPlace, new: next.contentPlace };
  return [...old.contents].flatMap(([map, held]) => {
    const other = next.contents.get(map);
    if (other === undefined) return [];
    const names = new Set([...held, ...other].map(({ name }) => name));
    const texts = [...names].map((name) => ({
      name,
      old: contentText(held, other, name),
      new: contentText(other, held, name),
    }));
    const found = texts.find((one) => one.old !== one.new);
    if (found === undefined) return [];
    const bytesOf = (all: readonly MapContent[]): Uint8Array | undefined =>
      all.find(({ name }) => name === found.name)?.bytes;
    const value = { map, old: bytesOf(held), new: bytesOf(other) };
    return [
      { what: `map ${map}, ${found.name}`, old: found.old, new: found.new, places, isStore: false, value },
    ];
  });
}

/** Equal for equal bytes; of others, from where they differ. */
function contentText(held: readonly MapContent[], others: readonly MapContent[], name: string): string {
  const bytes = held.find((one) => one.name === name)?.bytes;
  if (bytes === undefined) return 'none';
  const other = others.find((one) => one.name === name)?.bytes;
  const from = bytes.length <= MAX_SHOWN || other === undefined ? 0 : differsFrom(bytes, other);
  const shown = toHex(bytes.subarray(from, from + MAX_SHOWN));
  return `${from === 0 ? '' : `from byte ${from}: `}0x${shown}${from + MAX_SHOWN < bytes.length ? '…' : ''}`;
}

function differsFrom(bytes: Uint8Array, other: Uint8Array): number {
  let from = 0;
  while (from < bytes.length && bytes[from] === other[from]) from++;
  return from;
}

function redirectDifference(
  { redirect: old }: OutsideActs,
  { redirect: next }: OutsideActs,
): OutsideDifference[] {
  return difference('way of the redirect', old, next);
}

function carriedDifferences(
  old: ReadonlyMap<string, Carried>,
  next: ReadonlyMap<string, Carried>,
): OutsideDifference[] {
  return [...old].flatMap(([what, one]) => difference(what, one, next.get(what)));
}

function difference(what: string, old: Carried | undefined, next: Carried | undefined): OutsideDifference[] {
  const texts = { old: old?.text ?? 'none', new: next?.text ?? 'none' };
  if (texts.old === texts.new) return [];
  const isStore = what.startsWith('__sk_buff');
  return [{ what, ...texts, places: { old: old?.place, new: next?.place }, isStore }];
}
