/** `checksum` by itself: the register of commands that this is bundled with holds no other (build.ts). */
export const command = (): Promise<unknown> => import('../main.ts');
