/** Of which frames a proof speaks that two builds do the same, and what it takes for granted besides: never more than it knows. */
import type { AgainstProof } from '../../verify/prove/against/against.ts';
import { constantsText } from '../../verify/prove/constants.ts';
import { count } from '../terminal.ts';

type Claim = Pick<AgainstProof, 'hook' | 'longest' | 'kernels' | 'longer' | 'ownAssumptions' | 'constants'>;

/** `frames of up to 3,520 bytes`. */
export function framesText({ hook, longest }: Pick<Claim, 'hook' | 'longest'>): string {
  return `${hook === 'xdp' ? '' : 'linear '}frames of up to ${count(longest)} bytes`;
}

/** `on Linux 6.13 and newer (bpf_csum_diff differs between versions)`; undefined: on all. */
export function kernelsText({ kernels }: Pick<Claim, 'kernels'>): string | undefined {
  if (kernels === undefined) return undefined;
  const { helpers, from, before } = kernels;
  const versions =
    from === undefined
      ? `older than ${before}`
      : `${from} and newer${before === undefined ? '' : `, older than ${before}`}`;
  return `on Linux ${versions} (${helpers.join(', ')} ${helpers.length === 1 ? 'differs' : 'differ'} between versions)`;
}

/** Why not more is known; undefined: longer frames were not asked about, or there are none. */
export function longerText({ longer }: Pick<Claim, 'longer'>): string | undefined {
  return longer === undefined ? undefined : `not known for longer ones: ${longer}`;
}

/** What is said of equal builds in one line: the frames, and the assumptions that not every proof has. */
export function claimText(proof: Claim): string {
  const longer = longerText(proof);
  const assuming = proof.ownAssumptions.map((one) => `that ${one}`).join(', and ');
  const kernels = kernelsText(proof);
  return [
    `proved equal for ${framesText(proof)}${constantsText(proof.constants, 'objects')}`,
    ...(kernels === undefined ? [] : [` ${kernels}`]),
    ...(longer === undefined ? [] : [` (${longer})`]),
    ...(assuming === '' ? [] : [`, assuming ${assuming}`]),
  ].join('');
}
