/** A program is in the register with all that belongs to it, or it is not finished. */
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { SOURCE_ROOT } from '../bpf/compile.ts';
import { builtInPrograms } from '../cli/input/program-source.ts';
import { loadObject } from '../sim/ebpf/object.ts';
import { programs } from '../sim/programs/index.ts';

const file = (path: string): string => join(SOURCE_ROOT, path);

describe('the register of programs', () => {
  it('names every C source in bpf/, and nothing else', () => {
    const sources = readdirSync(file('bpf'))
      .filter((name) => name.endsWith('.bpf.c'))
      .map((name) => name.replace('.bpf.c', ''));
    expect(programs.map((program) => program.name).sort()).toEqual(sources.sort());
  });

  for (const program of programs) {
    describe(program.name, () => {
      it('has a C source, an object, a model, a page and a live scenario under its own name', () => {
        for (const path of [
          `bpf/${program.name}.bpf.c`,
          `bpf/built/${program.name}.o`,
          `sim/programs/${program.name}.ts`,
          `docs/programs/${program.name}.md`,
          `kernel-tests/live/${program.name}.test.ts`,
        ]) {
          expect(existsSync(file(path)), path).toBe(true);
        }
      });

      it('has the functions of its entries, and the maps and globals of its worlds, in its object', () => {
        const { object } = builtInPrograms().find((one) => one.name === program.name)!;
        const loaded = loadObject(object!);
        const functions = loaded.programs.map((one) => one.function);
        expect(functions.sort()).toEqual([...new Set(program.entries.map((entry) => entry.function))].sort());
        for (const map of program.maps) {
          const own = loaded.maps.find((one) => one.name === map.name);
          expect(own, map.name).toMatchObject({ ...map });
        }
        for (const { world } of program.worlds) {
          for (const name of Object.keys(world.maps ?? {})) {
            expect(program.maps.map((map) => map.name)).toContain(name);
          }
          for (const name of Object.keys(world.globals ?? {})) {
            expect(
              loaded.maps.some((map) => map.global?.variables.has(name)),
              name,
            ).toBe(true);
          }
        }
      });

      it('has examples for each of its entries, in worlds that it has', () => {
        const worlds = program.worlds.map((world) => world.name);
        expect(new Set(worlds).size).toBe(worlds.length);
        for (const example of program.examples) {
          if (example.world !== undefined) expect(worlds).toContain(example.world);
        }
        const shown = new Set(program.examples.map((example) => example.stimulus.entry ?? 0));
        expect([...shown].sort()).toEqual(program.entries.map((_, index) => index));
      });
    });
  }
});
