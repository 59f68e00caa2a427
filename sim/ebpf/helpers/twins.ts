/** The register of helpers that compiled programs carry out themselves: one line per topic. */
import type { Twins } from '../wasm/twin.ts';
import { CALLBACK_TWINS } from './callback-helpers.wasm.ts';
import { CHECKSUM_TWINS } from './checksum-helpers.wasm.ts';
import { CLOCK_TWINS } from './clock-helpers.wasm.ts';
import { MAP_TWINS } from './map-helpers.wasm.ts';
import { REDIRECT_TWINS } from './redirect-helpers.wasm.ts';
import { TAIL_CALL_TWINS } from './tail-call-helper.wasm.ts';
import { XDP_ADJUST_TWINS } from './xdp-adjust-helpers.wasm.ts';

export const TWINS: Twins = {
  ...MAP_TWINS,
  ...CLOCK_TWINS,
  ...CHECKSUM_TWINS,
  ...REDIRECT_TWINS,
  ...XDP_ADJUST_TWINS,
  ...CALLBACK_TWINS,
  ...TAIL_CALL_TWINS,
};
