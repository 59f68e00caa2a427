import { describe, expect, it } from 'vitest';
import type { Word } from '../../verify/prove/words.ts';
import { type TreePath, treeLines } from './path-tree.ts';

const word = (subject: string, relation: '==' | '!=' | '<' | '>=', value: number): Word => ({
  ...{ text: `${subject} ${relation} ${value}`, subject, relation, value: BigInt(value), shown: `${value}` },
});
const said = (text: string): Word => ({ text });
const path = (end: string, ...words: readonly Word[]): TreePath => ({ words, end });

describe('the tree of paths', () => {
  it('is one line where there is one path', () => {
    expect(treeLines([path('PASS')])).toEqual(['└ always  → PASS']);
    expect(treeLines([path('PASS', word('a', '==', 1), word('b', '<', 2))])).toEqual([
      '└ a == 1 && b < 2  → PASS',
    ]);
  });

  it('says what ends at once first, and what is left in the same column', () => {
    const tree = treeLines([
      path('DROP', word('len', '>=', 14), word('type', '==', 8), said('key is in map flows')),
      path('TX', word('len', '>=', 14), word('type', '==', 8), said('key is not in map flows')),
      path('PASS', word('len', '>=', 14), word('type', '!=', 8)),
      path('ABORTED', word('len', '<', 14)),
    ]);
    expect(tree).toEqual([
      '├ len < 14  → ABORTED',
      '├ type != 8  → PASS',
      '├ key is in map flows  → DROP',
      '└ key is not in map flows  → TX',
    ]);
  });

  it('keeps what else has to hold for what is left', () => {
    const tree = treeLines([
      path('PASS', word('len', '<', 14)),
      path('DROP', word('len', '>=', 14), said('x'), word('type', '==', 8)),
      path('TX', word('len', '>=', 14), said('x'), word('type', '!=', 8)),
    ]);
    expect(tree).toEqual([
      '├ len < 14  → PASS',
      '└ x  (2 paths)',
      '  ├ type == 8  → DROP',
      '  └ type != 8  → TX',
    ]);
  });

  it('has two branches where neither ends at once, or where they are not each other’s opposite', () => {
    const ways = (one: Word, other: Word): string[] =>
      treeLines([
        path('PASS', one, word('type', '==', 8)),
        path('DROP', one, word('type', '!=', 8)),
        path('TX', other, word('port', '==', 8)),
        path('PASS', other, word('port', '!=', 8)),
      ]);
    expect(ways(word('len', '<', 14), word('len', '>=', 14))).toEqual([
      '├ len < 14  (2 paths)',
      '│ ├ type == 8  → PASS',
      '│ └ type != 8  → DROP',
      '└ len >= 14  (2 paths)',
      '  ├ port == 8  → TX',
      '  └ port != 8  → PASS',
    ]);
    const open = [
      path('PASS', word('len', '<', 14)),
      path('DROP', word('len', '>=', 15), said('x')),
      path('TX', word('len', '>=', 15), said('y')),
    ];
    expect(treeLines(open)).toEqual([
      '├ len < 14  → PASS',
      '└ len >= 15  (2 paths)',
      '  ├ x  → DROP',
      '  └ y  → TX',
    ]);
  });

  it('makes one line of what differs in a number only', () => {
    const tree = treeLines([
      path('DROP', word('port', '==', 53)),
      path('DROP', { ...word('port', '==', 123), shown: '0x7b' }),
      path('PASS', word('port', '==', 80)),
    ]);
    expect(tree).toEqual(['├ port in {53, 0x7b}  → DROP  (2 paths)', '└ port == 80  → PASS']);
  });

  it('says nothing of a number on which nothing depends, where there is no other', () => {
    const bit = (value: number): TreePath[] => [
      path('DROP', word('type', '==', 8), word('bit', '==', value), word('ttl', '==', 0)),
      path('PASS', word('type', '==', 8), word('bit', '==', value), word('ttl', '!=', 0)),
    ];
    const all = [path('PASS', word('type', '!=', 8)), ...bit(1), ...bit(0)];
    expect(treeLines(all)).toEqual(['├ type != 8  → PASS', '├ ttl == 0  → DROP', '└ ttl != 0  → PASS']);
    // Of some paths nobody knows which others there are.
    expect(treeLines(all, false).join('\n')).toContain('bit in {1, 0}');
  });
});
