/** The faulty forms of the programs in many styles: each is found, without any model, by what its register's line says. */
import { expect, it } from 'vitest';
import { STYLED_PROGRAMS } from './styles/programs.ts';
import { runStyled } from './styles/run-styled.ts';
import { oneOfEach } from './test-support/part.ts';
import { describeKernel } from './test-support/require-kernel.ts';

const PACKETS = 200_000;

describeKernel('faulty programs of many styles', ['compiler', 'testrun'], () => {
  for (const styled of oneOfEach(STYLED_PROGRAMS, ({ style, fault }) => `${style} ${fault}`)) {
    if (styled.fault === 'refused by the kernel') {
      // Nothing that a packet could show: few are enough.
      it(`${styled.style}: ${styled.name} is refused by the kernel`, async () => {
        const { engines } = await runStyled(styled, 'faulty', 'styles', 2048);
        expect(engines).toContainEqual(expect.objectContaining({ name: 'testrun', status: 'failed' }));
      });
      continue;
    }
    it(`${styled.style}: ${styled.name} is found by its ${styled.fault}`, async () => {
      const { divergences, engines } = await runStyled(styled, 'faulty', 'styles', PACKETS);
      const [found] = divergences;
      if (styled.fault === 'refused') {
        expect(found, 'the machine stops it').toMatchObject({ engines: ['oracle', 'wasm'], field: 'status' });
        expect(engines).toContainEqual(expect.objectContaining({ name: 'testrun', status: 'failed' }));
      } else {
        expect(found?.field ?? 'nothing found').toContain(styled.fault);
        expect(found!.engines[0], 'no model is needed').toBe('oracle');
      }
    });
  }
});
