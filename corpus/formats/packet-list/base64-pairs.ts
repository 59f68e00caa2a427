/**
 * Pairs of strings as katran's tests have them: a packet in base64 and its description; where the program was run, behind
 * these the packet that came out, in base64, and the action.
 */
import type { ListedPacket, PacketListFormat } from './listed-packet.ts';
import { base64Of, bytesOfBase64, commentText, lineAt, quoted } from './text-bytes.ts';

function write(packets: readonly ListedPacket[]): string {
  const input = packets.map(
    ({ packet, description }, index) =>
      `  // ${index + 1}\n  {\n    "${base64Of(packet)}",\n    ${quoted(nameOf(description, index))}\n  },\n`,
  );
  const output = packets.flatMap(({ expected }, index) =>
    expected === undefined
      ? []
      : [
          `  // ${index + 1}\n  {\n    "${base64Of(expected.packet)}",\n    ${quoted(expected.action)}\n  },\n`,
        ],
  );
  const list = (name: string, rows: readonly string[]): string =>
    `const std::vector<std::pair<std::string, std::string>> ${name} = {\n${rows.join('')}};\n`;
  const expected =
    output.length === packets.length && output.length > 0 ? `\n${list('outputTestFixtures', output)}` : '';
  return `${list('inputTestFixtures', input)}${expected}`;
}

const PAIR = /"([A-Za-z0-9+/]{16,}={0,2})"\s*,\s*(?:\.description\s*=\s*)?"((?:[^"\\\n]|\\.)*)"/g;

/** What programs return: their rows are what comes out, not what goes in. */
const ACTION = /^(XDP|TC_ACT)_[A-Z]+$/;

/** A packet that is called like an action would be taken for one that comes out. */
function nameOf(description: string | undefined, index: number): string {
  const name = commentText(description ?? '') || `packet ${index + 1}`;
  return ACTION.test(name) ? `packet ${index + 1}: ${name}` : name;
}

function read(text: string): ListedPacket[] {
  // Comments hold Scapy's expressions, with strings in them.
  const code = text.replaceAll(/\/\*[\s\S]*?\*\/|^\s*\/\/[^\n]*/gm, (comment) =>
    comment.replaceAll(/[^\n]/g, ' '),
  );
  return [...code.matchAll(PAIR)].flatMap((pair): ListedPacket[] => {
    const [, packet = '', description = ''] = pair;
    if (ACTION.test(description)) return [];
    return [{ packet: bytesOfBase64(packet, lineAt(text, pair.index)), description }];
  });
}

export const BASE64_PAIRS: PacketListFormat = {
  endings: ['.base64', '.cpp', '.hpp'],
  label: 'base64 pairs',
  write,
  read,
};
