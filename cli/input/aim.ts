/** `--aim port=34567,vlan=100,address=203.0.113.7`: values that generated packets aim at. */
import { hintsShape } from '../../sim/ebpf/world-file/shape.ts';
import { nearestName } from '../../sim/runtime/nearest-name.ts';
import { type GeneratorHints, mergedHints } from '../../sim/runtime/program.ts';
import { parse, ShapeError } from '../../sim/runtime/schema.ts';
import { inputFailure } from '../failure.ts';

/** The field of the hints that each name means. */
const FIELDS: Readonly<Record<string, keyof GeneratorHints>> = {
  port: 'ports',
  address: 'addresses',
  mac: 'macs',
  vlan: 'vlans',
  protocol: 'protocols',
  'icmp-type': 'icmpTypes',
  'icmpv6-type': 'icmpv6Types',
  'tcp-option': 'tcpOptions',
};

/** @throws {Failure} naming what is no aim, or no value of it */
export function parseAims(options: readonly string[]): GeneratorHints {
  return options
    .flatMap((option) => option.split(','))
    .map(parseAim)
    .reduce(mergedHints, {});
}

function parseAim(text: string): GeneratorHints {
  const equals = text.indexOf('=');
  const names = Object.keys(FIELDS);
  if (equals <= 0) {
    throw inputFailure(
      `--aim takes NAME=VALUE, not “${text}”`,
      'like --aim port=34567,vlan=100,address=203.0.113.7',
    );
  }
  const name = text.slice(0, equals).trim();
  if (!Object.hasOwn(FIELDS, name)) {
    const near = nearestName(name, names);
    const hint = near === undefined ? `known are ${names.join(', ')}` : `did you mean ${near}?`;
    throw inputFailure(`--aim: no “${name}” to aim at; ${hint}`);
  }
  const written = text.slice(equals + 1).trim();
  const value = /^(\d+|0x[0-9a-f]+)$/i.test(written) ? Number(written) : written;
  try {
    return parse(hintsShape, { [FIELDS[name]!]: [value] }) as GeneratorHints;
  } catch (error) {
    if (error instanceof ShapeError) throw inputFailure(`--aim ${name}: ${error.problem}`);
    throw error;
  }
}
