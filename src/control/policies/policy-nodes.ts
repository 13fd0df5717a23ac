/** Nodes as policies know them: the addresses that they send from. */
import type { Node } from '../api/types.js';
import { layoutOf, nodeAddresses } from '../layout.js';
import type { PolicyNode } from './types.js';

/** @param own addresses of this node beside those that its resource says. */
export function policyNodes(
  nodes: readonly Node[],
  self: {
    readonly name: string;
    readonly podCidrs: readonly string[];
    readonly addresses: readonly string[];
  },
): PolicyNode[] {
  const others = nodes.filter(({ metadata }) => metadata.name !== self.name);
  const own = nodes.find(({ metadata }) => metadata.name === self.name);
  return [
    {
      name: self.name,
      labels: own?.metadata.labels ?? {},
      addresses: [...new Set([...self.addresses, ...ofSubnets(self.podCidrs)])],
    },
    ...others.map(({ metadata: { name, labels = {} }, spec: { podCIDRs, underlay } }) => ({
      name,
      labels,
      addresses: [...new Set([...(underlay ? [underlay.address] : []), ...ofSubnets(podCIDRs)])],
    })),
  ];
}

/** Gateways, which connections of clients from outside come from, and the node's own. */
function ofSubnets(cidrs: readonly string[]): string[] {
  const gateways = layoutOf({ mode: 'routed', cidrs: [...cidrs] }, true).flatMap((domain) => domain.gateways);
  return [...gateways, ...nodeAddresses(cidrs)];
}
