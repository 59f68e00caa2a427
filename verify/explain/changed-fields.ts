import type { ChangedWord } from './cause.ts';
import { QUOTED } from './checksum-site.ts';

/** What each byte of a word is called that holds two fields. */
const FIELDS: Readonly<Record<string, readonly [high: string, low: string]>> = {
  'version, ihl and TOS': ['version and ihl', 'TOS'],
  'TTL and protocol': ['TTL', 'protocol'],
  'type and code': ['type', 'code'],
  'offset and flags': ['data offset', 'flags'],
};

/** What changed, by name, each once: of a word that holds two fields the one that did, or the word where both did. */
export function changedFields(changes: readonly ChangedWord[]): string[] {
  return [...new Set(changes.map(fieldOf))];
}

function fieldOf({ group, from, to }: ChangedWord): string {
  const isQuoted = group.startsWith(QUOTED);
  const fields = FIELDS[isQuoted ? group.slice(QUOTED.length) : group];
  const [high, low] = [from >> 8 !== to >> 8, (from & 0xff) !== (to & 0xff)];
  if (fields === undefined || high === low) return group;
  return `${isQuoted ? QUOTED : ''}${high ? fields[0] : fields[1]}`;
}
