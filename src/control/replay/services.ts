/** Services of a state, as the engine is told of them: with what their selectors find among the state's pods. */
import type { ServiceChanges } from '../../dataplane/service-spec.js';
import { DEFAULT_NETWORK } from '../model/network.js';
import type { PolicyPod } from '../policies/types.js';
import { ServicePlan } from '../services/plan.js';
import type { ServicePod } from '../services/types.js';
import type { ReplayState } from './types.js';

/** Every pod is taken for ready: a state does not say. */
export function servicesOf(state: ReplayState): Omit<ServiceChanges, 'generation'> {
  const plan = new ServicePlan({ node: state.node });
  for (const service of state.services) plan.setService(service);
  for (const slice of state.slices) plan.setSlice(slice);
  for (const pod of state.pods.values()) plan.setPod(servicePod(pod));
  return plan.changes();
}

/** Its addresses in the default network, or those of its first interface. */
function servicePod({ namespace, name, node, labels, ports, interfaces }: PolicyPod): ServicePod {
  const place = interfaces.find(({ network }) => network === DEFAULT_NETWORK) ?? interfaces[0];
  return { namespace, name, node, labels, ports, ips: place?.ips ?? [], ready: true, terminating: false };
}
