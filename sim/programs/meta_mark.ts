/** `meta_mark`: XDP hands a number to TC in front of the packet. */

import { arp, echoRequest, ethernet, frame, ipv4, ipv6, tcp } from '../packet/build.ts';
import { readU32le, writeU32le } from '../packet/bytes.ts';
import { TC_ACT_OK, XDP_ABORTED, XDP_PASS } from '../runtime/actions.ts';
import type { ModelContext } from '../runtime/context.ts';
import type { ProgramDefinition } from '../runtime/program.ts';
import { define } from './define.ts';

const MARK = 42;
const NO_METADATA_MARK = 41;
const META_SIZE = 4;

function xdp(context: ModelContext): number {
  if (context.adjustMeta(-META_SIZE) !== 0) return XDP_ABORTED;
  writeU32le(context.frame.bytes, context.frame.dataMeta, MARK);
  context.trace(`[XDP] metadata = ${MARK}`);
  return XDP_PASS;
}

function tc(context: ModelContext): number {
  const { bytes, dataMeta, data } = context.frame;
  if (data - dataMeta >= META_SIZE) {
    const mark = readU32le(bytes, dataMeta);
    context.skb.mark = mark;
    context.trace(`[TC] metadata = ${mark}`);
  } else {
    context.skb.mark = NO_METADATA_MARK;
    context.trace(`[TC] no metadata, mark = ${NO_METADATA_MARK}`);
  }
  return TC_ACT_OK;
}

const XDP = 0;
const TC = 1;
/** The same packet through XDP, then through TC. */
const BOTH = 2;
const ping = (): Uint8Array => frame(ethernet(), ipv4(), echoRequest());

export const metaMark: ProgramDefinition = define({
  name: 'meta_mark',
  summary: 'carries a mark from XDP to TC in the packet’s metadata',
  description:
    'The XDP half puts the u32 42 in front of every packet as metadata and passes it; where there is no room it aborts. The TC-ingress half sets skb->mark to the metadata’s u32, or to 41 where there is none. Together on one device they mark every packet with 42. Both print what they saw.',
  entries: [
    { function: 'meta_mark_xdp', hook: 'xdp', model: xdp },
    { function: 'meta_mark_tc', hook: 'tc-ingress', model: tc },
    { function: 'meta_mark_tc', hook: 'tc-ingress', after: 'meta_mark_xdp', model: tc },
  ],
  maps: [],
  traces: true,
  worlds: () => [{ name: 'default', world: {} }],
  examples: () => [
    { name: 'puts 42 in front of a packet', stimulus: { packet: ping(), entry: XDP }, action: XDP_PASS },
    {
      name: 'puts 42 in front of metadata that is there already',
      stimulus: { packet: ping(), metadata: Uint8Array.of(1, 2, 3, 4), entry: XDP },
      action: XDP_PASS,
    },
    {
      // The headroom of 256 bytes holds struct xdp_frame (40 bytes) too: net/core/filter.c, bpf_xdp_adjust_meta().
      name: 'aborts where no more metadata fits in front of the packet',
      stimulus: { packet: ping(), metadata: new Uint8Array(216), entry: XDP },
      action: XDP_ABORTED,
    },
    {
      name: 'puts 42 in front of any frame',
      stimulus: { packet: frame(ethernet(), arp()), entry: XDP },
      action: XDP_PASS,
    },
    {
      name: 'marks with the number in front of the packet',
      stimulus: { packet: ping(), metadata: Uint8Array.of(42, 0, 0, 0), entry: TC },
      action: TC_ACT_OK,
    },
    {
      name: 'carries 42 from XDP to TC',
      stimulus: { packet: ping(), entry: BOTH },
      action: TC_ACT_OK,
    },
    {
      name: 'carries its own 42, not the metadata that was there before',
      stimulus: { packet: ping(), metadata: Uint8Array.of(1, 2, 3, 4), entry: BOTH },
      action: TC_ACT_OK,
    },
    {
      name: 'marks with 41 where there is no metadata',
      stimulus: { packet: frame(ethernet(), ipv6(), tcp()), entry: TC },
      action: TC_ACT_OK,
    },
  ],
  hints: { metadata: true },
});
