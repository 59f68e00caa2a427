import { expect, it } from 'vitest';
import { ofPacket, reasonsForPacket } from './kept.ts';

it('reasons are shown with the packet that they name, and others with the last one', () => {
  const note = { kept: [ofPacket(1, 'returns XDP_TX'), 'both', ofPacket(3, 'path: a\nb'), ofPacket(4, 'c')] };
  expect([1, 2, 3].map((packet) => reasonsForPacket(note, packet, 3))).toEqual([
    ['returns XDP_TX'],
    [],
    ['both', 'path: a\nb', 'packet 4: c'],
  ]);
  expect(reasonsForPacket({ kept: ['alone'] }, 1, 1)).toEqual(['alone']);
  expect(reasonsForPacket(undefined, 1, 1)).toEqual([]);
});
