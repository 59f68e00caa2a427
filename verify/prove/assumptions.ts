/** What a proof rests on, in sentences. */
import { ELSEWHERE, type Inputs, whoElse } from '../../sim/ebpf/symbolic/inputs.ts';
import type { PathState } from '../../sim/ebpf/symbolic/path-state.ts';
import { KERNEL_CONFIG, NO_CONSTANTS, type ReadConstants } from './constants.ts';

export function assumptionsOf(
  inputs: Inputs,
  paths: readonly PathState[],
  notJudged: readonly string[],
  ofProperties: readonly string[],
  constants: ReadConstants = NO_CONSTANTS,
): string[] {
  const { limits, hook, machine } = inputs;
  const inPieces = paths.some((one) => whoElse(one) === ELSEWHERE.inPieces.who);
  const linear = inPieces
    ? ', linear, or with the Ethernet header alone linear for slices'
    : ', all of them linear';
  const inOneBuffer = inputs.frags ? ', each of them in one buffer' : '';
  const where = hook === 'xdp' ? inOneBuffer : linear;
  const all = [`frames have ${limits.shortest} to ${limits.longest} bytes${where}`];
  const answered = new Set(paths.flatMap((one) => one.answers.map((answer) => answer.helper)));
  if (answered.size > 0) {
    const names = [...answered].sort().join(', ');
    all.push(`${names}: any result that the helper’s record permits`);
  }
  const readOnly = machine.object.maps.filter((map) => map.global?.readOnly === true);
  if (readOnly.some(({ name }) => name !== KERNEL_CONFIG)) {
    const { any, fixed } = constants;
    const besides = any.length === 0 ? '' : ` besides ${any.join(', ')}`;
    const among = fixed.length === 0 ? '' : `, also what a loader may set: ${fixed.join(', ')}`;
    all.push(`read-only data${besides} is as it is in the object${among}`);
  }
  if (readOnly.some(({ name }) => name === KERNEL_CONFIG))
    all.push('the kernel’s version and configuration are those that the machine sees here');
  if (machine.object.maps.some((map) => map.global === undefined)) {
    all.push('maps hold anything before the packet comes, and nobody changes them while it is processed');
  }
  for (const one of new Set(paths.flatMap((path) => path.assumptions))) all.push(one);
  all.push(...ofProperties);
  if (notJudged.length > 0) all.push(`checksums are not judged in what is ${notJudged.join(', ')}`);
  all.push('the instructions and helpers mean what the machine of this version takes them to mean');
  return all;
}
