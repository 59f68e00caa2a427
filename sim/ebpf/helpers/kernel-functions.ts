/** The register of kernel functions (kfuncs), by name. */
import type { Helper } from './helper.ts';

export const KERNEL_FUNCTIONS: ReadonlyMap<string, Helper> = new Map(
  ([] as readonly Helper[]).map((helper) => [helper.name, helper]),
);
