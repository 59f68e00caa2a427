import { expect, it } from 'vitest';
import { NO_CONSTANTS } from '../../verify/prove/constants.ts';
import { claimText, framesText, kernelsText } from './claim.ts';

it('says of which frames it is proved, and why not of others', () => {
  expect(framesText({ hook: 'xdp', longest: 3520 })).toBe('frames of up to 3,520 bytes');
  expect(framesText({ hook: 'tc-egress', longest: 128 })).toBe('linear frames of up to 128 bytes');
  expect(
    claimText({
      hook: 'xdp',
      longest: 128,
      longer: 'the time was up',
      ownAssumptions: [],
      constants: NO_CONSTANTS,
    }),
  ).toBe('proved equal for frames of up to 128 bytes (not known for longer ones: the time was up)');
});

it('names the kernels, where the programs call what differs between them', () => {
  const proof = { hook: 'xdp', longest: 3520, ownAssumptions: [], constants: NO_CONSTANTS } as const;
  expect(claimText({ ...proof, kernels: { helpers: ['bpf_csum_diff'], from: '6.13' } })).toBe(
    'proved equal for frames of up to 3,520 bytes on Linux 6.13 and newer (bpf_csum_diff differs between versions)',
  );
  const both = { helpers: ['bpf_csum_diff', 'bpf_redirect_map'], from: '5.14', before: '6.13' } as const;
  expect(kernelsText({ kernels: both })).toBe(
    'on Linux 5.14 and newer, older than 6.13 (bpf_csum_diff, bpf_redirect_map differ between versions)',
  );
  expect(kernelsText({ kernels: { helpers: ['bpf_csum_diff'], before: '6.13' } })).toContain(
    'older than 6.13',
  );
  expect(kernelsText({})).toBeUndefined();
});

it('names what this proof takes for granted', () => {
  const ownAssumptions = ['prefixes of map t do not cover each other', 'map h is not full'];
  expect(claimText({ hook: 'xdp', longest: 3520, ownAssumptions, constants: NO_CONSTANTS })).toBe(
    'proved equal for frames of up to 3,520 bytes, assuming that prefixes of map t do not cover each other, and that map h is not full',
  );
});

it('names the constants of the loader, those of any value and those that are as in the objects', () => {
  const proof = { hook: 'xdp', longest: 128, ownAssumptions: [] } as const;
  expect(claimText({ ...proof, constants: { any: ['dflt', 'gw'], fixed: [] } })).toBe(
    'proved equal for frames of up to 128 bytes, with any values of dflt, gw',
  );
  expect(claimText({ ...proof, constants: { any: ['gw'], fixed: ['rounds'] } })).toBe(
    'proved equal for frames of up to 128 bytes, with any value of gw and with rounds as in the objects',
  );
});
