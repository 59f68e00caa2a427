/** The kinds of input that xdpsim reads, each with good ones to start from and the code that reads them. */
import { ARGUMENT_KINDS } from './kinds/arguments.ts';
import { CAPTURE_KINDS } from './kinds/captures.ts';
import type { InputKind } from './kinds/input-kind.ts';
import { OBJECT_KINDS } from './kinds/objects.ts';
import { PACKET_TEXT_KINDS } from './kinds/packet-texts.ts';
import { SETTINGS_KINDS } from './kinds/settings.ts';

const ALL: readonly InputKind[] = [
  ...OBJECT_KINDS,
  ...CAPTURE_KINDS,
  ...SETTINGS_KINDS,
  ...PACKET_TEXT_KINDS,
  ...ARGUMENT_KINDS,
];

/** @param name part of the names of those that are meant */
export function kindsNamed(name: string): readonly InputKind[] {
  return ALL.filter((kind) => kind.name.includes(name));
}
