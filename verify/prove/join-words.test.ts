import { describe, expect, it } from 'vitest';
import { joinWords, type Word } from './words.ts';

/** `ip.ttl >= 2`: the subject, the relation and the value of a condition. */
function word(text: string): Word {
  const [subject, relation, value] = text.split(' ');
  return value === undefined
    ? { text }
    : { text, subject: subject!, relation: relation as '==', value: BigInt(value) };
}

describe('conditions in a row', () => {
  it.each([
    [['ip.ttl >= 2', 'frame.len >= 34'], 'ip.ttl >= 2 && frame.len >= 34'],
    // Of several bounds of one field the closest.
    [['frame.len >= 14', 'frame.len >= 34'], 'frame.len >= 34'],
    [['frame.len >= 34', 'frame.len >= 14'], 'frame.len >= 34'],
    [['frame.len < 34', 'frame.len < 14'], 'frame.len < 14'],
    [['frame.len < 14', 'frame.len < 34'], 'frame.len < 14'],
    [['frame.len >= 14', 'frame.len < 34'], 'frame.len >= 14 && frame.len < 34'],
    [['frame.len >= 14', 'frame.len >= 14'], 'frame.len >= 14'],
    [['frame.len < 14', 'frame.len < 14'], 'frame.len < 14'],
    // An equality says it better.
    [['ip.proto != 6', 'ip.proto == 17'], 'ip.proto == 17'],
    [['ip.proto == 17', 'ip.proto >= 2', 'ip.proto < 99'], 'ip.proto == 17'],
    [['ip.proto == 17', 'ip.ttl >= 2'], 'ip.proto == 17 && ip.ttl >= 2'],
    [['ip.proto == 17', 'ip.proto == 17'], 'ip.proto == 17'],
    // What it is not cannot be put together.
    [['ip.proto != 6', 'ip.proto != 17'], 'ip.proto != 6 && ip.proto != 17'],
    [['ip.proto != 6', 'ip.proto != 6'], 'ip.proto != 6'],
    [['ip.proto != 6', 'ip.proto < 9'], 'ip.proto != 6 && ip.proto < 9'],
    [['full', 'full', 'empty'], 'full && empty'],
    [[], ''],
  ])('%j are %j', (words, joined) => expect(joinWords(words.map(word))).toBe(joined));
});
