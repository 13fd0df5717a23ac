/** How parts of the daemon hear of the cluster's resources: Resources.listen(). */
import type { AnyPolicy } from '../policies/types.js';
import type { EndpointSlice, Namespace, Service } from './types.js';

/** Called in the turn in which a change is heard of; keys are NAMESPACE/NAME. */
export interface ResourceListener {
  setService?(service: Service): void;
  removeService?(key: string): void;
  setSlice?(slice: EndpointSlice): void;
  removeSlice?(key: string): void;
  setNamespace?(namespace: Namespace): void;
  /** The object; things in it may be left. */
  removeNamespace?(name: string): void;
  setPolicy?(policy: AnyPolicy): void;
  /** @param key NAMESPACE/NAME of a NetworkPolicy, NAME of the others */
  removePolicy?(kind: AnyPolicy['kind'], key: string): void;
}
