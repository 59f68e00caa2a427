/** Shell lines that run a pinned program on each packet: `bpftool prog run` with the packet on its standard input. */
import type { ListContext, ListedPacket, PacketListFormat } from './listed-packet.ts';
import { base64Of, bytesOfBase64, commentText, lineAt } from './text-bytes.ts';

function write(packets: readonly ListedPacket[], { program }: ListContext): string {
  const lines = packets.map(({ packet, description }) => {
    const comment = description === undefined ? '' : `# ${commentText(description)}\n`;
    return `${comment}echo ${base64Of(packet)} | base64 -d | bpftool prog run pinned "$PROGRAM" data_in - data_out - repeat 1\n`;
  });
  const load = `# Packets for ${commentText(program)}: bpftool prog load OBJECT /sys/fs/bpf/program, then PROGRAM=/sys/fs/bpf/program sh FILE`;
  return `#!/bin/sh\n${load}\n\n${lines.join('')}`;
}

function read(text: string): ListedPacket[] {
  const packets: ListedPacket[] = [];
  let description: string | undefined;
  for (const part of text.matchAll(/^\s*#(?!!)([^\n]*)|\becho\s+(\S+)\s*\|\s*base64\s+-d\b/gm)) {
    const [, comment, base64] = part;
    if (base64 === undefined) {
      description = (comment ?? '').trim() || undefined;
      continue;
    }
    const packet = bytesOfBase64(base64, lineAt(text, part.index));
    packets.push({ packet, ...(description === undefined ? {} : { description }) });
    description = undefined;
  }
  return packets;
}

export const BPFTOOL: PacketListFormat = { endings: ['.sh'], label: 'bpftool prog run', write, read };
