/** What no helper returns: no input takes the path. */
export class Impossible extends Error {}
