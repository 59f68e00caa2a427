/** Namespaces in which IPv6 sends nothing that nobody asked for. */
import type { Netns } from './netns.ts';

/** No multicast listener reports, router solicitations or duplicate address probes: IPv6 is off. */
export function turnOffIpv6(netns: Netns): void {
  netns.sysctl('ipv6/conf/all/disable_ipv6', 1);
  netns.sysctl('ipv6/conf/default/disable_ipv6', 1);
}

/** IPv6 without anything that it does by itself; what `default` says, new devices inherit. */
export function quietIpv6(netns: Netns): void {
  netns.sysctl('ipv6/conf/default/accept_dad', 0);
  netns.sysctl('ipv6/conf/default/accept_ra', 0);
  netns.sysctl('ipv6/conf/default/router_solicitations', 0);
}
