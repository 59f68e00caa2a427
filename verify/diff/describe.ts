/** What two builds make of the packets of one class, in words. */
import { difference } from '../../sim/packet/difference.ts';
import { actionName } from '../../sim/runtime/actions.ts';
import {
  fieldPath,
  mapEntryText,
  typedGlobalText,
  typedValueText,
  valueFields,
} from '../explain/map-text.ts';
import { reasonAndPlace } from '../explain/note-text.ts';
import type { Outcome } from '../outcome.ts';
import type { DiffClass } from './diff.ts';
import type { OutsideDifference } from './outside.ts';
import type { BuildPair } from './pair.ts';

export interface Change {
  /** What differs: `action`, `ipv4.ttl`, `map hits[3].packets`. */
  readonly what: string;
  readonly old: string;
  readonly new: string;
}

type VariableDifference = Extract<NonNullable<DiffClass['finding']['pairMap']>, { readonly is: 'variable' }>;

/** More fields of one packet tell nothing more. */
const MAX_FIELDS = 6;

/** What differs in the class's example, the most telling first. */
export function changesOf(pair: BuildPair, { finding, case: shown }: DiffClass): Change[] {
  const { expected, got, part, pairMap, outside } = finding;
  if (part === 'map') return mapChanges(pair, finding, pairMap!);
  const hook = pair.old.entries[shown.stimuli[finding.packet]?.entry ?? 0]?.hook ?? 'xdp';
  const [old, next] = [expected!, got!];
  switch (part) {
    case 'status':
      return [{ what: 'the machine', old: statusText(old), new: statusText(next) }];
    case 'action':
      return [{ what: 'action', old: actionName(hook, old.action), new: actionName(hook, next.action) }];
    case 'packet':
      return difference(old.packet, next.packet)
        .slice(0, MAX_FIELDS)
        .map(({ path, left, right }) => ({ what: path, old: left ?? '(absent)', new: right ?? '(absent)' }));
    case 'metadata':
      return [{ what: 'metadata', old: hexOf(old.metadata), new: hexOf(next.metadata) }];
    case 'redirect':
      return [{ what: 'redirect', old: `to ${old.redirect}`, new: `to ${next.redirect}` }];
    case 'outside':
      return (outside ?? [])
        .slice(0, MAX_FIELDS)
        .flatMap((one) => valueChanges(pair, one) ?? [{ what: one.what, old: one.old, new: one.new }])
        .slice(0, MAX_FIELDS);
    case 'trace':
      return [{ what: 'trace', old: linesOf(old), new: linesOf(next) }];
    default:
      return skbChanges(old, next);
  }
}

function statusText({ status, note }: Outcome): string {
  if (status === 'ran') return 'runs it to its end';
  return `stops it: ${note === undefined ? status : reasonAndPlace(note)}`;
}

function mapChanges(
  pair: BuildPair,
  { map: entry, expected: _ }: DiffClass['finding'],
  map: NonNullable<DiffClass['finding']['pairMap']>,
): Change[] {
  switch (map.is) {
    case 'entry': {
      const text = mapEntryText(pair.old, entry!);
      return text.fields
        .slice(0, MAX_FIELDS)
        .map((field) => ({ what: `map ${fieldPath(text, field)}`, old: field.expected, new: field.got }));
    }
    case 'variable':
      return [variableChange(pair, map)];
    default: {
      const [lacking, has] = [
        map.is === 'only in' ? `has no such ${map.what}` : 'has it in another form',
        'is changed',
      ];
      return [
        {
          what: `${map.what} ${map.map}`,
          old: map.build === 'old' ? has : lacking,
          new: map.build === 'new' ? has : lacking,
        },
      ];
    }
  }
}

/** What differs in a value of a map without keys, by its type in C; undefined where that says nothing of it. */
function valueChanges(
  { old, new: next }: BuildPair,
  { what, value }: OutsideDifference,
): Change[] | undefined {
  if (value === undefined) return undefined;
  const [a, b] = [valueFields(old, value.map, value.old), valueFields(next, value.map, value.new)];
  // A value is there in one of them at least.
  if ((a === undefined && value.old !== undefined) || (b === undefined && value.new !== undefined))
    return undefined;
  if (a === undefined || b === undefined) {
    const whole = (build: BuildPair['old'], bytes: Uint8Array | undefined): string =>
      bytes === undefined ? 'none' : (typedValueText(build, value.map, bytes) ?? 'none');
    return [{ what, old: whole(old, value.old), new: whole(next, value.new) }];
  }
  const names = [...new Set([...a.keys(), ...b.keys()])].filter((name) => a.get(name) !== b.get(name));
  if (names.length === 0) return undefined;
  return names.map((name) => ({
    what: name === '' || name.startsWith('[') ? `${what}${name}` : `${what}.${name}`,
    old: a.get(name) ?? 'absent',
    new: b.get(name) ?? 'absent',
  }));
}

/** By its type in C, where both builds have one; as bytes elsewhere. */
function variableChange({ old, new: next }: BuildPair, map: VariableDifference): Change {
  const name = map.map.slice(map.map.indexOf(': ') + 2);
  const texts = [typedGlobalText(old, name, map.old), typedGlobalText(next, name, map.new)] as const;
  const [a, b] = texts;
  // A type may leave bytes out, padding say, or show as one what differs.
  if (a !== undefined && b !== undefined && a !== b) return { what: map.map, old: a, new: b };
  return { what: map.map, old: `0x${hexOf(map.old)}`, new: `0x${hexOf(map.new)}` };
}

function skbChanges(old: Outcome, next: Outcome): Change[] {
  const fields = (one: Outcome): Record<string, string> => ({
    mark: String(one.mark),
    priority: String(one.priority),
    cb: one.cb.join(' '),
    tstamp: String(one.tstamp),
  });
  const [a, b] = [fields(old), fields(next)];
  return Object.keys(a)
    .filter((name) => a[name] !== b[name])
    .map((name) => ({ what: `__sk_buff ${name}`, old: a[name]!, new: b[name]! }));
}

function linesOf({ trace }: Outcome): string {
  return trace.length === 0 ? 'no line' : JSON.stringify(trace.join('\n'));
}

function hexOf(bytes: Uint8Array): string {
  return bytes.length === 0 ? 'nothing' : Buffer.from(bytes).toString('hex');
}
