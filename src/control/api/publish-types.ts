/**
 * Published ports: a port of the node whose traffic goes to a port of a pod. The fields are those of Kubernetes' container
 * ports and of CNI's portMappings.
 */
import type { Protocol } from '../services/types.js';

/** What is asked for. */
export interface PublishWish {
  /** Of the pod. */
  containerPort: number;
  /** Of the node; default: one that is free is chosen. */
  hostPort?: number;
  /** An address of the node; default: all. 0.0.0.0 and :: are all of one family. */
  hostIP?: string;
  /** Default TCP. */
  protocol?: Protocol;
}

/** As it is recorded. */
export interface PublishedPort {
  containerPort: number;
  hostPort: number;
  /** Left out: all addresses of the node, of both families. */
  hostIP?: string;
  protocol: Protocol;
}

/** As it is shown. */
export interface PublishedPortStatus extends PublishedPort {
  /** Why it leads nowhere at present. */
  message?: string;
}

/** POST /v1/pods/NAMESPACE/NAME/ports. */
export interface PublishRequest {
  /** The interface that the ports lead to. Default: the pod's first whose network can be reached from the node. */
  ifname?: string;
  ports: PublishWish[];
}

/** Which ports: those that have all that is said. */
export interface PortChoice {
  containerPort?: number;
  hostPort?: number;
  hostIP?: string;
  protocol?: Protocol;
}

/** POST /v1/pods/NAMESPACE/NAME/ports/remove; without `ports`, all of them. */
export interface UnpublishRequest {
  ports?: PortChoice[];
}

export interface PortsAnswer {
  name: string;
  namespace: string;
  /** All that the pod has published now. */
  ports: PublishedPortStatus[];
}
