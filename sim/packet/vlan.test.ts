import fc from 'fast-check';
import { bit, u3, u12, u16 } from './test-support/arbitraries.ts';
import { describeProtocol } from './test-support/protocol-suite.ts';
import { decodeVlan, dissectVlan, encodeVlan, VlanView } from './vlan.ts';

describeProtocol({
  name: 'vlan',
  wire: 'b064 86dd',
  value: { priority: 5, dropEligible: true, id: 100, etherType: 0x86dd },
  view: () => new VlanView(),
  reads: { tci: 0xb064, priority: 5, dropEligible: true, id: 100, etherType: 0x86dd },
  decode: decodeVlan,
  encode: encodeVlan,
  dissect: dissectVlan,
  values: fc.record({ priority: u3, dropEligible: bit, id: u12, etherType: u16 }),
});
