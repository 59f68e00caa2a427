/** The frames that `proto_count` and `proto_count_hash` tell apart. */
import {
  arp,
  dstopts,
  echoRequest,
  ethernet,
  frame,
  icmpv6,
  ipv4,
  ipv6,
  tcp,
  udp,
  vlan,
} from '../packet/build.ts';
import type { Example } from '../runtime/program.ts';

/** All with the same action: the programs differ from each other in it, and the frames in what they count. */
export function protocolExamples(verb: string, action: number): readonly Example[] {
  const example = (name: string, packet: Uint8Array): Example => ({
    name: `${verb} ${name}`,
    stimulus: { packet },
    action,
  });
  return [
    example('ICMP, counted as 1', frame(ethernet(), ipv4(), echoRequest())),
    example('TCP behind two tags, counted as 6', frame(ethernet(), vlan(), vlan(), ipv4(), tcp())),
    example('UDP over IPv6, counted as 17', frame(ethernet(), ipv6(), udp())),
    example('ICMPv6, counted as 58', frame(ethernet(), ipv6(), icmpv6({ type: 128 }))),
    example('an extension header, counted under its own number', frame(ethernet(), ipv6(), dstopts(), tcp())),
    example(
      'a later fragment, counted under its protocol',
      frame(ethernet(), ipv4({ protocol: 17, fragmentOffset: 1 }), new Uint8Array(8)),
    ),
    example('protocol 255', frame(ethernet(), ipv4({ protocol: 255 }))),
    example('ARP, counted as 0', frame(ethernet(), arp())),
    example('another EtherType, counted as 0', frame(ethernet())),
    example('three tags, counted as 0', frame(ethernet(), vlan(), vlan(), vlan(), ipv4(), tcp())),
    example('an IPv4 header that is cut off, counted as 0', frame(ethernet(), ipv4(), tcp()).subarray(0, 33)),
    example('a tag that is cut off, not counted', frame(ethernet(), vlan()).subarray(0, 17)),
    example('a frame too short for Ethernet, not counted', frame(ethernet()).subarray(0, 13)),
  ];
}
