import { describe, expect, it } from 'vitest';
import { packageFile } from '../../kernel/package-file.ts';
import { parse } from '../../sim/runtime/schema.ts';
import { runInProcess } from '../test-support/in-process.ts';
import { type MutantsJson, mutantsShape } from './mutants-json.ts';

const TCP = ['verify', 'tcp_filter', '--mutants', '8', '--seed', 'mutants', '--runs', '2000'];

describe('verify --mutants', () => {
  it('prints one document of the published form', async () => {
    const { code, out, err } = await runInProcess(...TCP, '--json');
    expect(err).toBe('');
    expect(code).toBe(0);
    const document: MutantsJson = parse(mutantsShape, JSON.parse(out));
    expect(document).toMatchObject({ version: 1, seed: 'mutants', interrupted: false });
    const [program] = document.programs;
    expect(program).toMatchObject({ name: 'tcp_filter', status: 'judged', against: 'model', tried: 8 });
    const { killed, stopped, survived, alike, notRun } = program!;
    expect(killed + stopped + survived.length + alike.length + notRun.length).toBe(8);
    expect(killed).toBeGreaterThan(3);
    expect(program!.mutants).toBeGreaterThan(50);
  });

  it('says the same to people', async () => {
    const { out } = await runInProcess(...TCP);
    expect(out).toMatch(/tcp_filter: 100\.0 % of \d mutants killed, 8 of \d+ tried/);
    expect(out).toMatch(/set aside: \d that no kernel would load, \d that nothing told apart/);
  });

  it('compares an object without a model with itself', async () => {
    const object = packageFile('bpf/built/tcp_filter.o');
    const { code, out } = await runInProcess('verify', object, ...TCP.slice(2), '--json');
    const [program] = parse(mutantsShape, JSON.parse(out)).programs;
    expect(program).toMatchObject({ against: 'itself', status: 'judged' });
    expect(code).toBe(0);
  });

  it('gives no score where no mutant can be told apart, which is below every share that is asked for', async () => {
    const args = ['verify', 'xdp_trace_drop', '--mutants', '1', '--seed', 'mutants', '--runs', '100'];
    const { code, out } = await runInProcess(...args, '--json', '--min-score', '1');
    const [program] = parse(mutantsShape, JSON.parse(out)).programs;
    expect(program!.score).toBeUndefined();
    expect(program!.stopped).toBe(1);
    expect(code).toBe(4);
  });
});
