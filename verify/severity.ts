/** An `error` fails the run; the others are reported beside it. */
export type Severity = (typeof SEVERITIES)[number];

/** The worst first. */
export const SEVERITIES = ['error', 'warning', 'info'] as const;
