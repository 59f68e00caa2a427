import { ETHERNET } from './ethernet.ts';
import { describeProtocol } from './test-support/protocol-suite.ts';

describeProtocol(ETHERNET, {
  wire: '02123456789a 021122334455 0800',
  value: { destination: '02:12:34:56:78:9a', source: '02:11:22:33:44:55', etherType: 0x0800 },
});
