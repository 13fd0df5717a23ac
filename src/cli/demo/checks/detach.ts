/** The last check: a pod that is detached has no interface, and its addresses are free. Not with --keep. */
import type { DetachAnswer, StatusAnswer } from '../../../control/api/types.js';
import { counted } from '../../output/units.js';
import { type Check, type CheckContext, expect } from '../check.js';

export const DETACH_CHECKS: readonly Check[] = [{ name: 'pods detached', run: detachAll }];

async function detachAll({ stage }: CheckContext): Promise<string> {
  let freed = 0;
  for (const { name, probe, attached, node } of stage.pods) {
    const { body } = await node.switch.api.send<DetachAnswer>('POST', `/v1/pods/default/${name}/detach`);
    freed += body.ips.length;
    const left = await probe.call('interface', { ifname: attached!.ifname });
    expect(left === null, `${name} still has ${attached!.ifname}`);
  }
  for (const { name, switch: daemon } of stage.nodes) {
    const { pods } = await daemon.api.get<StatusAnswer>('/v1/status');
    expect(pods === 0, `${pods} pods are still attached to ${name}`);
  }
  return `no interface left, ${counted(freed, 'address', 'addresses')} free again`;
}
