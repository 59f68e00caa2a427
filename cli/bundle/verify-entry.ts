/** `verify` by itself, with its worker processes: the register of commands that this is bundled with holds no other (build.ts). */
export const command = (): Promise<unknown> => import('../main.ts');
export const verifyWorker = (): Promise<unknown> => import('../verify/worker.ts');
