/** `xdpsim checksum` by itself: the register of commands that this is bundled with holds no other (build.ts). */
export const checksum = (): Promise<unknown> => import('../main.ts');
