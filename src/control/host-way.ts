/**
 * The way between the switch and the outside, through the host's kernel: its table of nftables, its settings, and its own
 * addresses, each as it is wanted and looked at again and again.
 */
import { networkInterfaces } from 'node:os';
import type { ServiceSpec } from '../dataplane/service-spec.js';
import { holds } from './cidr.js';
import { type Clock, SYSTEM_CLOCK, type Timer } from './clock.js';
import { type HostAddress, hostAddresses } from './host/addresses.js';
import { Forwarding } from './host/forwarding.js';
import { HostRules } from './host/host-rules.js';
import { hostSockets, programOf } from './host/listeners.js';
import type { WantedRules } from './host/nft-rules.js';
import { type Logger, RepeatedLog } from './logger.js';
import type { AddressPlan } from './network-overlap.js';
import type { Networks } from './networks.js';
import { Exposure } from './services/exposure.js';
import { externalFrontendAddresses } from './services/external-frontends.js';
import { nodeFrontendAddresses } from './services/node-frontends.js';
import type { PlanChanges } from './services/plan.js';

const LOOK_EVERY_MS = 2_000;

export interface HostWayParts {
  readonly plan: AddressPlan & { readonly serviceCidrs: readonly string[] };
  readonly nonMasqueradeCidrs: readonly string[];
  readonly networks: () => Networks;
  /** The host's addresses are others. */
  readonly addressesChanged: (addresses: readonly HostAddress[]) => Promise<void>;
  /** The way out is open. */
  readonly opened: () => Promise<void>;
  readonly log: Logger;
  readonly clock?: Clock;
}

interface OpenedPort {
  readonly protocol: ServiceSpec['protocol'];
  readonly port: number;
  readonly service: string;
}

export class HostWay {
  readonly rules: HostRules;
  /** The rules are, or have been, in force: pods may leave. Not before, as nothing would keep networks apart. */
  isOpen = false;
  private readonly exposure: Exposure;
  private readonly forwarding: Forwarding;
  private readonly repeated: RepeatedLog;
  private readonly clock: Clock;
  private timer: Timer | undefined;
  private isStopped = false;
  private seen = interfacesText();
  private openedPorts: OpenedPort[] = [];

  constructor(private readonly parts: HostWayParts) {
    const { log, plan, clock = SYSTEM_CLOCK } = parts;
    this.clock = clock;
    this.rules = new HostRules({ log, clock });
    this.forwarding = new Forwarding(log);
    this.repeated = new RepeatedLog(log);
    this.exposure = new Exposure({
      elements: this.rules.elements,
      externalFrontends: externalFrontendAddresses(plan.serviceCidrs),
      isInside: (address) => this.insides().some((cidr) => holds(cidr, address)),
      opened: (protocol, port, service) => this.openedPorts.push({ protocol, port, service }),
      changed: () => {
        this.warnOfListeners();
        this.rules.changed();
      },
      full: (service, address) =>
        this.repeated.warn(address, { service, address }, 'no port is left for an external address'),
    });
  }

  /** Of Exposure. */
  expose(changes: PlanChanges): PlanChanges {
    return this.exposure.apply(changes);
  }

  /** podwire0 is there. Resolves when the rules are in force, or the log says why not. */
  async start(): Promise<void> {
    this.forwarding.enable();
    await this.sync();
    this.wait();
  }

  /** Networks or prefixes are others. Resolves as `start`. */
  async sync(): Promise<void> {
    await this.rules.want(this.wanted());
    this.isOpen ||= this.rules.problem === undefined;
  }

  /** What was exposed until now is in force, or cannot be. */
  settled(): Promise<void> {
    return this.rules.settled();
  }

  /** Rules and settings stay. */
  async stop(): Promise<void> {
    this.isStopped = true;
    this.timer?.cancel();
    await this.rules.stop();
  }

  private wanted(): WantedRules {
    const { plan, nonMasqueradeCidrs, networks } = this.parts;
    return {
      nodeFrontends: nodeFrontendAddresses(plan.serviceCidrs),
      masqueraded: networks().masqueradedCidrs(),
      direct: [...plan.clusterCidrs, ...plan.serviceCidrs, ...nonMasqueradeCidrs],
    };
  }

  private insides(): string[] {
    const { plan, networks } = this.parts;
    return [...plan.clusterCidrs, ...plan.serviceCidrs, ...networks().routedCidrs()];
  }

  private wait(): void {
    if (this.isStopped) return;
    this.timer = this.clock.after(LOOK_EVERY_MS, () => {
      this.look()
        .catch((error) =>
          this.repeated.warn('look', { error: String(error) }, 'the host cannot be looked at'),
        )
        .finally(() => this.wait());
    });
  }

  private async look(): Promise<void> {
    this.forwarding.enable();
    if (!this.isOpen && this.rules.problem === undefined) {
      this.isOpen = true;
      await this.parts.opened();
    }
    const now = interfacesText();
    if (now === this.seen) return;
    await this.parts.addressesChanged(await hostAddresses());
    this.seen = now;
  }

  /** As kube-proxy does it, the service has the port. */
  private warnOfListeners(): void {
    const opened = this.openedPorts;
    this.openedPorts = [];
    const sockets = opened.length === 0 ? [] : hostSockets();
    for (const { protocol, port, service } of opened) {
      const socket = sockets.find((one) => one.protocol === protocol && one.port === port);
      if (!socket || socket.address.startsWith('127.') || socket.address === '::1') continue;
      const program = programOf(socket) ?? 'a program';
      this.parts.log.warn(
        { service, protocol, port, program },
        'a program of the host listens at the port of a service, and is not reached there any more',
      );
    }
  }
}

/** Of interfaces that are up, with their addresses: costs no process. */
function interfacesText(): string {
  return JSON.stringify(networkInterfaces());
}
