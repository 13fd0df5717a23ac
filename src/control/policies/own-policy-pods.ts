/**
 * This node's pods as policies know them, told whenever one is different: an interface came or went, or labels changed. A pod
 * that is being attached is told of before its record is written, so that what holds for it is in force before its port is
 * in a snapshot.
 *
 * Only interfaces with a port of ours are told: one that is Lost can neither send nor be sent to.
 */
import { namedPorts } from '../model/pod.js';
import type { AttachmentRecord, PodRecord } from '../records.js';
import { podKeyOf } from '../services/types.js';
import type { PolicyInterface, PolicyPod } from './types.js';

export interface OwnPolicyPodsParts {
  readonly node: string;
  /** By NAMESPACE/NAME. */
  readonly records: () => Iterable<[key: string, record: PodRecord]>;
  /** Number of an attachment's port; undefined: it has none. */
  readonly portOf: (attachment: AttachmentRecord) => number | undefined;
  readonly policies: {
    setPod(pod: PolicyPod): void;
    removePod(key: string): void;
  };
}

interface Known {
  readonly record: PodRecord;
  /** Numbers of its ports. */
  readonly ports: string;
  readonly key: string;
}

type SomePod = Pick<PodRecord, 'pod' | 'attachments'>;

export class OwnPolicyPods {
  private known = new Map<string, Known>();
  /** Attached a moment later than now, by NAMESPACE/NAME. */
  private readonly coming = new Map<string, PodRecord>();

  constructor(private readonly parts: OwnPolicyPodsParts) {}

  /** It will have this record, or has it until `arrived`. */
  expect(key: string, record: PodRecord): void {
    this.coming.set(key, record);
    this.refresh();
  }

  /** Its record says what there is of it. */
  arrived(key: string): void {
    if (this.coming.delete(key)) this.refresh();
  }

  /** Tells what is different. Cheap where nothing is: a look at each pod. */
  refresh(): void {
    const found = new Map<string, Known>();
    for (const [name, record] of new Map([...this.parts.records(), ...this.coming])) {
      const known = this.look(name, record);
      if (known) found.set(name, known);
    }
    for (const [name, { key }] of this.known) if (!found.has(name)) this.parts.policies.removePod(key);
    this.known = found;
  }

  private look(name: string, record: PodRecord): Known | undefined {
    const interfaces = record.attachments.flatMap((attachment) => this.interfaceOf(attachment));
    if (interfaces.length === 0) return undefined;
    const ports = interfaces.map(({ port }) => port).join();
    const before = this.known.get(name);
    if (before?.record === record && before.ports === ports) return before;
    const pod = this.read(name, record, interfaces);
    this.parts.policies.setPod(pod);
    return { record, ports, key: podKeyOf(pod) };
  }

  private interfaceOf(attachment: AttachmentRecord): PolicyInterface[] {
    const port = this.parts.portOf(attachment);
    return port === undefined ? [] : [{ network: attachment.network, ips: attachment.ips, port }];
  }

  private read(key: string, { pod }: SomePod, interfaces: readonly PolicyInterface[]): PolicyPod {
    const [namespace, name] = key.split('/');
    const labels = pod.metadata.labels ?? {};
    return { namespace, name, node: this.parts.node, labels, ports: namedPorts(pod), interfaces };
  }
}
