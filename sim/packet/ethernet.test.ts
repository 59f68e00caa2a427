import fc from 'fast-check';
import { decodeEthernet, dissectEthernet, EthernetView, encodeEthernet } from './ethernet.ts';
import { mac, u16 } from './test-support/arbitraries.ts';
import { describeProtocol } from './test-support/protocol-suite.ts';

describeProtocol({
  name: 'ethernet',
  wire: '02123456789a 021122334455 0800',
  value: { destination: '02:12:34:56:78:9a', source: '02:11:22:33:44:55', etherType: 0x0800 },
  view: () => new EthernetView(),
  reads: { destinationAt: 0, sourceAt: 6, etherType: 0x0800 },
  decode: decodeEthernet,
  encode: encodeEthernet,
  dissect: dissectEthernet,
  values: fc.record({ destination: mac, source: mac, etherType: u16 }),
});
