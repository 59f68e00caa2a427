import { afterEach, describe, expect, it } from 'vitest';
import { type Check, probeMachine } from './probe.ts';

const path = process.env.PATH;
afterEach(() => {
  process.env.PATH = path;
});

const named = (checks: readonly Check[], name: string): Check => checks.find((check) => check.name === name)!;

describe('probing the machine', () => {
  it('gives every check once, and a remedy with each that fails', () => {
    const checks = probeMachine();
    expect(new Set(checks.map((check) => check.name)).size).toBe(checks.length);
    for (const check of checks) {
      expect(check.detail, check.name).not.toBe('');
      expect(check.remedy === undefined, check.name).toBe(check.ok);
    }
  });

  it('names the package of a tool that is not there, and goes on', () => {
    process.env.PATH = '/nonexistent';
    const checks = probeMachine();
    expect(named(checks, 'tcpdump')).toMatchObject({
      ok: false,
      detail: '`tcpdump` is not there',
      remedy: 'apt-get install tcpdump',
    });
    expect(named(checks, 'ip').ok).toBe(false);
    expect(checks.at(-1)?.name).toBe('clang');
  });
});
