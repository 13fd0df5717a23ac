/** What must not come out of the tunnel: packets from strangers, for strangers' networks, or in another's name. */
import type { Node, ResourceList } from '../../../control/api/types.js';
import { bridgedPair, type Check, type CheckContext, expect, remotePair } from '../check.js';
import { ipBatch } from '../namespaces.js';
import type { DemoNode } from '../node.js';
import { type TunnelParties, tunnelForgeries } from '../tunnel-frames.js';
import { UNDERLAY_IFNAME, UNKNOWN_ADDRESS } from '../underlay.js';
import { dropsAt, waitForDrops } from './drops.js';

const TUNNEL_PORT = 4789;
/** The switch's name for its end of the tunnel. */
const PORT_NAME = 'tunnel';

export const TUNNEL_FORGERY_CHECKS: readonly Check[] = [
  { name: 'forged tunnel packets', run: forgedTunnelPackets },
];

/** Sent by the last node's host to the first, past its own switch. */
async function forgedTunnelPackets({ stage }: CheckContext): Promise<string> {
  const [victim, claimed] = bridgedPair(stage);
  const [, honest] = remotePair(stage);
  const { first } = stage;
  const sender = stage.nodes.at(-1)!;
  const served = await victim.probe.call('udpServe', {});
  const heard = await victim.probe.call('udpHeard', {});
  const forged = tunnelForgeries({
    vtep: await vtepOf(first, first),
    senderVtep: await vtepOf(first, sender),
    victim: stage.address(victim, 4),
    claimed: stage.address(claimed, 4),
    honest: stage.address(honest, 4),
    port: served.port,
  } satisfies TunnelParties);
  const before = await dropsAt(first, PORT_NAME);
  await ipBatch([`address add ${UNKNOWN_ADDRESS}/24 dev ${UNDERLAY_IFNAME}`], sender.netns);
  for (const { datagram, stranger } of forged) {
    const from = stranger ? UNKNOWN_ADDRESS : sender.underlay!;
    const request = {
      from,
      host: first.underlay!,
      port: TUNNEL_PORT,
      datagrams: [datagram.toString('base64')],
    };
    await sender.probe.call('udpSend', request);
  }
  const wanted = forged.map(({ reason }) => reason);
  const missing = await waitForDrops(first, PORT_NAME, before, wanted);
  await ipBatch([`address del ${UNKNOWN_ADDRESS}/24 dev ${UNDERLAY_IFNAME}`], sender.netns);
  expect(missing.length === 0, `nothing was dropped as ${missing.join(', ')}`);
  const after = await victim.probe.call('udpHeard', {});
  expect(after.datagrams === heard.datagrams, `${victim.name} heard a forged packet`);
  return `${forged.length} of ${forged.length} dropped: ${wanted.join(', ')}`;
}

/** As the cluster has it, asked of the first node. */
async function vtepOf({ switch: daemon }: DemoNode, { name }: DemoNode): Promise<string> {
  const { items } = await daemon.api.get<ResourceList<Node>>('/v1/nodes');
  const mac = items.find(({ metadata }) => metadata.name === name)?.spec.vtepMAC;
  expect(mac !== undefined, `node ${name} has published no VTEP MAC address`);
  return mac;
}
