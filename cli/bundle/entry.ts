/** The bundled command, loaded when it is asked for. */
export const command = (): Promise<unknown> => import('../main.ts');
