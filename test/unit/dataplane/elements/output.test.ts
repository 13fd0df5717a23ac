import { describe, expect, it } from 'vitest';
import { MAX_PEERS, PEER_EGRESS } from '../../../../src/dataplane/constants.js';
import { InMemoryDevice } from '../../../../src/dataplane/devices/memory.js';
import { Egress } from '../../../../src/dataplane/egress.js';
import { Output } from '../../../../src/dataplane/elements/output.js';
import { networks } from '../../../support/snapshots.js';
import { bytes, hex, RouterFixture } from '../router-fixture.js';

// scapy: Ether(src='02:70:00:00:00:10',dst='02:70:00:00:00:11',type=0x88b5)/b'first'
const FIRST = bytes('02700000001102700000001088b56669727374');
// scapy: Ether(src='02:70:00:00:00:10',dst='02:70:00:00:00:11',type=0x88b5)/b'second'
const SECOND = bytes('02700000001102700000001088b57365636f6e64');

describe('Output', () => {
  it('hands what is for a peer to the tunnel', () => {
    const fixture = new RouterFixture(networks({ ports: [3] }));
    const { pool, counters } = fixture;
    const tunnel = fixture.batch();
    const egress = new Egress(pool, counters, fixture.segmenter);
    const element = new Output(fixture.context, fixture.batch(), egress, tunnel);
    const slots = [FIRST, SECOND].map((frame) => fixture.receive(frame, 0));
    [PEER_EGRESS, PEER_EGRESS + MAX_PEERS - 1].forEach((number, i) => {
      pool.egress[slots[i]] = number;
    });
    fixture.run(element, ...slots);
    expect(fixture.send(tunnel)).toEqual([hex(FIRST), hex(SECOND)]);
    fixture.expectBalance();
  });

  it('hands packets to their ports, in order', () => {
    const fixture = new RouterFixture(networks({ ports: [3] }));
    const { pool, counters } = fixture;
    const egress = new Egress(pool, counters, fixture.segmenter);
    const devices = [1, 2].map((port) => new InMemoryDevice({ context: { pool, counters }, port }));
    for (const device of devices) egress.attach(device);
    const element = new Output(fixture.context, fixture.batch(), egress, fixture.batch());
    const slots = [FIRST, SECOND, FIRST].map((frame) => fixture.receive(frame, 0));
    [2, 2, 1].forEach((port, i) => {
      pool.egress[slots[i]] = port;
    });
    fixture.run(element, ...slots);
    egress.flush();
    const sent = devices.map((device) => device.take().map((packet) => hex(packet.bytes)));
    expect(sent).toEqual([[hex(FIRST)], [hex(FIRST), hex(SECOND)]]);
    expect(counters.port(2, 'txBytes')).toBe(FIRST.length + SECOND.length);
    fixture.expectBalance();
  });
});
