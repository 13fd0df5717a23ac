/**
 * The data plane's thread. It never returns to its event loop: it blocks in the driver, runs one engine cycle
 * for what came, and reads requests of the control side when the eventfd says that there are some.
 */
import { parentPort, receiveMessageOnPort, workerData } from 'node:worker_threads';
import { errnoName, errnoText } from '../../linux/errno.js';
import { wasmChecksum } from '../../wire/checksum-kernel.js';
import { addressText } from '../devices/remote.js';
import { Engine } from '../engine.js';
import { clockStart } from './clock.js';
import { tuneCompiler } from './compiler.js';
import type { Driver } from './driver.js';
import { describeLearned } from './learned-answer.js';
import type { Answer, Event, NumberedRequest, Request, WorkerStart } from './messages.js';
import { openDriver } from './open-driver.js';

const port = parentPort!;
const start = workerData as WorkerStart;

function say(message: Answer | Event): void {
  port.postMessage(message);
}

function failure(error: unknown): { code: string; message: string } {
  const { code, message } = error as { code?: unknown; message?: unknown };
  return { code: typeof code === 'string' ? code : 'INTERNAL', message: String(message ?? error) };
}

class Worker {
  private readonly engine: Engine;
  private readonly driver: Driver;
  private isRunning = true;

  constructor() {
    const { slots, seed, gossip, probes, buckets } = start;
    const limits = buckets && { buckets, clockStart: clockStart() };
    const connections = { ...start.connections, clockStart: clockStart() };
    this.engine = new Engine({ slots, seed, gossip, probes, limits, connections, checksum: wasmChecksum });
    const chosen = openDriver(
      start.io,
      this.engine,
      start.wakeFd,
      (id, errno) => say({ type: 'port-down', port: id, reason: `${errnoName(errno)}: ${errnoText(errno)}` }),
      (words, at) => say({ type: 'path-mtu', address: addressText(words, at) }),
    );
    this.driver = chosen.driver;
    const { counters, prober } = this.engine;
    say({
      type: 'started',
      io: chosen.driver.kind,
      ioReason: chosen.reason,
      counters: counters.shared,
      peerStates: prober.states.shared,
      clockStart: clockStart(),
    });
    prober.onPeer = (peer, isUp) => say({ type: 'peer', peer, isUp });
  }

  run(): void {
    const { driver, engine } = this;
    while (this.isRunning) {
      const signalled = driver.wait(engine.sweep(performance.now()));
      if (driver.readyCount > 0) engine.cycle(driver.ready, driver.readyCount, performance.now());
      if (signalled) this.serveRequests();
    }
    driver.close();
  }

  private serveRequests(): void {
    for (;;) {
      const received = receiveMessageOnPort(port);
      if (received === undefined) return;
      const { id, request } = received.message as NumberedRequest;
      try {
        this.serve(id, request);
      } catch (error) {
        say({ type: 'failure', id, ...failure(error) });
      }
    }
  }

  private serve(id: number, request: Request): void {
    const { engine, driver } = this;
    const answer = (value: unknown): void => say({ type: 'answer', id, value });
    switch (request.type) {
      case 'add-port':
        engine.attach(driver.openTap(request.tap));
        answer(null);
        break;
      case 'add-raw':
        engine.attach(driver.openRaw(request.raw));
        answer(null);
        break;
      case 'add-tunnel':
        engine.attach(driver.openTunnel(request.tunnel));
        answer(null);
        break;
      case 'remove-port':
        engine.detach(request.port);
        driver.closePort(request.port, () => answer(null));
        break;
      case 'swap':
        engine.swap(request.tables);
        answer(engine.generation);
        break;
      case 'services':
        engine.changeServices(request.changes);
        answer(engine.generation);
        break;
      case 'policies':
        engine.changePolicies(request.changes);
        answer(engine.generation);
        break;
      case 'restore-flows':
        answer(engine.restoreFlows(request.rows, performance.now()));
        break;
      case 'services-whole':
        engine.context.services.isWhole = request.isWhole;
        answer(null);
        break;
      case 'learned':
        answer(describeLearned(engine.context.learned, performance.now()));
        break;
      case 'usage':
        answer({
          slots: engine.pool.capacity,
          free: engine.pool.free,
          inFlight: driver.inFlight(),
          held: engine.held,
        });
        break;
      case 'stop':
        this.isRunning = false;
        answer(null);
        break;
    }
  }
}

try {
  tuneCompiler();
  new Worker().run();
} catch (error) {
  say({ type: 'start-failed', ...failure(error) });
  throw error;
}
process.exit(0);
