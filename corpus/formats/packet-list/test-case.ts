/** TypeScript: a vitest suite that runs each packet through the program and expects what it does today. */
import { toHex } from '../../../sim/packet/bytes.ts';
import type { ListContext, ListedPacket, PacketListFormat } from './listed-packet.ts';
import { bytesOfHex, lineAt, quoted } from './text-bytes.ts';

function write(packets: readonly ListedPacket[], { program }: ListContext): string {
  const rows = packets.map(({ packet, description, expected }, index) => {
    const name = quoted(description ?? `packet ${index + 1}`);
    const outcome = expected === undefined ? '' : `, ${quoted(expected.action)}, "${toHex(expected.packet)}"`;
    return `  [${name}, "${toHex(packet)}"${outcome}],\n`;
  });
  const isExpected = packets.length > 0 && packets.every(({ expected }) => expected !== undefined);
  const type = isExpected
    ? '[name: string, packet: string, action: string, bytes: string]'
    : '[name: string, packet: string]';
  const parameters = isExpected ? '_name, packet, action, bytes' : '_name, packet';
  const expectation = isExpected
    ? 'expect({ action: outcome.action, bytes: outcome.bytes }).toEqual({ action, bytes });'
    : 'expect({ action: outcome.action, bytes: outcome.bytes }).toMatchSnapshot();';
  return `import { execFileSync } from 'node:child_process';
import { expect, it } from 'vitest';

const PROGRAM = ${quoted(program)};

it.each<${type}>([
${rows.join('')}])('%s', (${parameters}) => {
  const output = execFileSync('npx', ['xdpsim', 'run', PROGRAM, packet, '--json'], { encoding: 'utf8' });
  const [outcome] = JSON.parse(output).packets;
  ${expectation}
});
`;
}

/** Rows as they are written: a name, and digits that are long enough to be a frame's. */
function read(text: string): ListedPacket[] {
  const packets: ListedPacket[] = [];
  const rows = /\[\s*("(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*')\s*,\s*["']((?:[0-9a-fA-F]{2})+)["']/g;
  for (const row of text.matchAll(rows)) {
    const [, name = '""', digits = ''] = row;
    packets.push({ packet: bytesOfHex(digits, lineAt(text, row.index)), description: unquoted(name) });
  }
  return packets;
}

function unquoted(literal: string): string {
  try {
    return String(JSON.parse(literal));
  } catch {
    return literal.slice(1, -1);
  }
}

export const TEST_CASE: PacketListFormat = { endings: ['.ts'], label: 'a TypeScript test', write, read };
