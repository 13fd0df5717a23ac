/**
 * Lets the host's kernel route for pods: from podwire0 to the outside, and from there to podwire0. What is changed is
 * logged, and stays: others may have come to rely on it.
 *
 *     IPv4  forwarding on podwire0 and on the interfaces that routes lead to; not on all, as `ip_forward` does it: a raw
 *           network's interface has it off on purpose. rp_filter of podwire0 loose where it would be strict: whatever
 *           another's routes say. route_localnet of podwire0, for node ports at 127.0.0.1 (guarded in nft-rules.ts)
 *     IPv6  forwarding on all, as the kernel looks at nothing else. It would ignore router advertisements from then on, so
 *           interfaces that heed them are told to do so all the same (accept_ra 2)
 */
import { readdirSync, readFileSync } from 'node:fs';
import type { Logger } from '../logger.js';
import { NODE_IFNAME } from './node-interface.js';
import { IPV4, IPV6, ipv6Disabled, kernelHasIpv6, readSetting, writeSetting } from './sysctl.js';

const STRICT = '1';
const LOOSE = '2';

export class Forwarding {
  /** Settings that could not be made; said once. */
  private readonly refused = new Set<string>();

  constructor(private readonly log: Logger) {}

  /** To be repeated: interfaces come. */
  enable(): void {
    this.set(`${IPV4}/conf/${NODE_IFNAME}/route_localnet`, '1');
    if (this.isStrict()) this.set(`${IPV4}/conf/${NODE_IFNAME}/rp_filter`, LOOSE);
    for (const ifname of [NODE_IFNAME, ...routedInterfaces()]) {
      this.set(`${IPV4}/conf/${ifname}/forwarding`, '1');
    }
    if (kernelHasIpv6() && !ipv6Disabled(NODE_IFNAME)) this.enableIpv6();
  }

  private isStrict(): boolean {
    const values = ['all', NODE_IFNAME].map((name) => readSetting(`${IPV4}/conf/${name}/rp_filter`) ?? '0');
    return values.includes(STRICT) && !values.includes(LOOSE);
  }

  private enableIpv6(): void {
    const all = `${IPV6}/conf/all/forwarding`;
    if (readSetting(all) === '1') return;
    // Before: with the switch the kernel forgets what it has learned of routers.
    for (const name of readdirSync(`${IPV6}/conf`)) {
      const acceptRa = `${IPV6}/conf/${name}/accept_ra`;
      if (name !== 'all' && name !== 'lo' && readSetting(acceptRa) === '1') this.set(acceptRa, '2');
    }
    this.set(all, '1');
  }

  private set(path: string, value: string): void {
    const before = readSetting(path);
    if (before === value || before === undefined) return;
    writeSetting(path, value);
    if (readSetting(path) === value)
      this.log.info({ setting: path, before, value }, 'setting of the host changed');
    else if (!this.refused.has(path)) {
      this.refused.add(path);
      this.log.warn({ setting: path, is: before, wanted: value }, 'setting of the host cannot be changed');
    }
  }
}

/** Devices of the main table, Iface Destination Gateway …: procfs costs no process. */
function routedInterfaces(): string[] {
  const lines = read('/proc/self/net/route').split('\n').slice(1);
  const names = lines.map((line) => line.split('\t')[0].trim());
  return [...new Set(names)].filter((name) => name !== '' && name !== 'lo');
}

function read(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}
