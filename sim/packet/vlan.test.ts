import { describeProtocol } from './test-support/protocol-suite.ts';
import { VLAN } from './vlan.ts';

describeProtocol(VLAN, {
  wire: 'b064 86dd',
  value: { priority: 5, dropEligible: true, id: 100, etherType: 0x86dd },
});
