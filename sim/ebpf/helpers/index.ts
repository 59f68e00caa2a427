/** The register of helpers: one line per topic. What is not here is refused when a program is loaded, by name. */
import { CHECKSUM_HELPERS } from './checksum-helpers.ts';
import { CLOCK_HELPERS } from './clock-helpers.ts';
import type { Helper } from './helper.ts';
import { MAP_HELPERS } from './map-helpers.ts';
import { REDIRECT_HELPERS } from './redirect-helpers.ts';
import { TAIL_CALL_HELPERS } from './tail-call-helper.ts';
import { TRACE_HELPERS } from './trace-helpers.ts';
import { XDP_ADJUST_HELPERS } from './xdp-adjust-helpers.ts';

export const HELPERS: ReadonlyMap<number, Helper> = new Map(
  [
    ...MAP_HELPERS,
    ...CLOCK_HELPERS,
    ...TRACE_HELPERS,
    ...CHECKSUM_HELPERS,
    ...REDIRECT_HELPERS,
    ...XDP_ADJUST_HELPERS,
    ...TAIL_CALL_HELPERS,
  ].map((helper) => [helper.number, helper]),
);
