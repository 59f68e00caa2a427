/** An `error` fails the run; the others are reported beside it. */
export type Severity = 'error' | 'warning' | 'info';
