import { expect, it } from 'vitest';
import { ratesLines, ratesToJson } from './stats-text.ts';

const actions = [
  { action: 'XDP_DROP', packets: 0, bytes: 0, packetsPerSecond: 0, megabitsPerSecond: 0 },
  { action: 'XDP_TX', packets: 1234, bytes: 118_000, packetsPerSecond: 616.9, megabitsPerSecond: 0.472 },
];

it('shows every action with packets, rates and the time they were taken over', () => {
  expect(ratesLines({ period: 2, actions, protocols: undefined })).toEqual([
    'action    packets  pps   kB  Mbit/s  period',
    'XDP_DROP        0    0    0   0.000  2.00 s',
    'XDP_TX      1,234  617  118   0.472  2.00 s',
  ]);
});

it('calls protocols by their names, and by their numbers where they have none', () => {
  const protocols = [
    { protocol: 58, packets: 3, packetsPerSecond: 12 },
    { protocol: 200, packets: 1, packetsPerSecond: 4 },
  ];
  expect(ratesLines({ period: 0.25, actions: undefined, protocols })).toEqual([
    'protocol  packets  pps  period',
    'ICMPv6          3   12  0.25 s',
    '200             1    4  0.25 s',
  ]);
});

it('says so where no protocol was seen', () => {
  expect(ratesLines({ period: 1, actions: undefined, protocols: [] })).toContain('nothing counted yet');
});

it('leaves out of the JSON what the program does not count', () => {
  expect(ratesToJson({ period: 2, actions, protocols: undefined })).toEqual({ period: 2, actions });
});
