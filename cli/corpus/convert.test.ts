import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it, vi } from 'vitest';
import { convert } from './convert.ts';

const scratch = mkdtempSync(join(tmpdir(), 'xdpsim-convert-'));
afterAll(() => rmSync(scratch, { recursive: true, force: true }));

const FRAME = '0200000000010200000000020800';
const SUMMARY = 'ethernet 02:00:00:00:00:02 → 02:00:00:00:00:01';

async function converted(text: string, out: string): Promise<string> {
  const from = join(scratch, 'from.hex');
  writeFileSync(from, text);
  vi.spyOn(process.stderr, 'write').mockReturnValue(true);
  try {
    await convert([from], { out: join(scratch, out) }, undefined);
  } finally {
    vi.restoreAllMocks();
  }
  return readFileSync(join(scratch, out), 'utf8');
}

describe('corpus convert', () => {
  it('keeps the description of each packet of a list', async () => {
    const text = `# the first\n${FRAME}\n// the second\n${FRAME}\n`;
    expect(await converted(text, 'to.hex')).toBe(`# the first\n${FRAME}\n# the second\n${FRAME}\n`);
    expect(JSON.parse(await converted(text, 'to.json'))).toEqual([
      { packet: FRAME, description: 'the first' },
      { packet: FRAME, description: 'the second' },
    ]);
  });

  it('describes a packet that has no description by its headers', async () => {
    const text = `# the first\n${FRAME}\n${FRAME}   # left out\n`;
    expect(await converted(text, 'to.hex')).toBe(`# the first\n${FRAME}\n# ${SUMMARY}\n${FRAME}\n`);
  });
});
