/** What the bundled command consists of: the processes that it starts, each loaded when it is asked for. */
export const command = (): Promise<unknown> => import('../main.ts');
export const verifyWorker = (): Promise<unknown> => import('../verify/worker.ts');
