import { expect, it } from 'vitest';
import { reasonAndPlace, reasonOf } from './note-text.ts';

const source = { file: '/home/me/prog.bpf.c', line: 51, text: 'return data[0];' };

it('tells reason and place of a note apart, whether or not a line of C is known', () => {
  const note = { message: 'instruction 1 (/home/me/prog.bpf.c:51): invalid access', instruction: 1, source };
  expect(reasonOf(note)).toBe('invalid access');
  expect(reasonAndPlace(note)).toBe('invalid access (prog.bpf.c:51)');
  const bare = { message: 'instruction 7: invalid access', instruction: 7 };
  expect(reasonAndPlace(bare)).toBe('invalid access (instruction 7)');
});

it('leaves a message alone that no machine wrote', () => {
  expect(reasonAndPlace({ message: 'no space: left' })).toBe('no space: left');
  expect(reasonOf({ message: 'gave up', instruction: 3, source })).toBe('gave up');
});
