/** The first checks: the stage is made. What fails here ends the demo. */
import { ioName } from '../../output/io-name.js';
import { counted } from '../../output/units.js';
import { type Check, type CheckContext, expect } from '../check.js';
import type { Pod, Stage } from '../stage.js';

export const NAMESPACES: Check = {
  name: 'namespaces',
  fatal: true,
  run: async ({ stage }) => {
    await stage.makeNamespaces();
    const names = stage.namespaces.map((name) => name.slice(stage.prefix.length + 1));
    return `${stage.prefix}-{${names.join(',')}}`;
  },
};

export const PODS_ATTACHED: Check = { name: 'pods attached', fatal: true, run: attachAll };

/** Of a single node. */
export const SETUP_CHECKS: readonly Check[] = [
  NAMESPACES,
  {
    name: 'switch starts',
    fatal: true,
    run: async ({ stage: { first } }) => {
      const { io, nodeIPs } = await first.start();
      return `${ioName(io)}, podwire0 ${nodeIPs.join(' ')}`;
    },
  },
  {
    name: 'network of two subnets',
    fatal: true,
    run: async ({ stage }) => {
      const { spec } = await stage.makeNetwork();
      return spec.cidrs.join(', ');
    },
  },
  PODS_ATTACHED,
];

async function attachAll({ stage, progress }: CheckContext): Promise<string> {
  for (const pod of stage.pods) {
    progress(pod.name);
    await stage.attach(pod);
    await checkInterface(stage, pod);
  }
  return stage.pods.map((pod) => `${pod.name} ${stage.address(pod, 4)}`).join(', ');
}

/** The pod's own kernel has to say the same as the answer of `attach`. */
async function checkInterface(stage: Stage, pod: Pod): Promise<void> {
  const { ifname, mac, ips } = pod.attached!;
  const found = await pod.probe.call('interface', { ifname });
  expect(found !== null, `${pod.name} has no ${ifname}`);
  expect(found.mac === mac, `${pod.name}: ${ifname} has MAC ${found.mac}, not ${mac}`);
  const same = found.addresses.join(' ') === [...ips].sort().join(' ');
  expect(same, `${pod.name}: ${ifname} has ${found.addresses.join(' ')}, not ${ips.join(' ')}`);
  expect(
    stage.address(pod, 4) !== '' && stage.address(pod, 6) !== '',
    `${pod.name}: ${counted(ips.length, 'address', 'addresses')}`,
  );
}
