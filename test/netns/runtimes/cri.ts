/**
 * A client of the Container Runtime Interface, over gRPC on a unix socket: the calls that a kubelet makes. What is
 * described in cri.proto is all that it knows of it.
 */
import { fileURLToPath } from 'node:url';
import { Client, credentials, loadPackageDefinition, type ServiceClientConstructor } from '@grpc/grpc-js';
import { loadSync } from '@grpc/proto-loader';

const PROTO = fileURLToPath(new URL('cri.proto', import.meta.url));
/** A sandbox takes 0.2 s; many times that where the machine is busy. */
const DEADLINE_MS = 60_000;

export interface SandboxConfig {
  metadata: { name: string; uid: string; namespace: string };
  hostname: string;
  log_directory: string;
  port_mappings: { protocol: 'TCP' | 'UDP'; container_port: number; host_port: number }[];
  annotations: Readonly<Record<string, string>>;
  linux: { cgroup_parent: string };
}

export interface ContainerConfig {
  metadata: { name: string };
  image: { image: string };
  command: string[];
  linux: { resources: object };
}

export interface SandboxStatus {
  status: { network: { ip: string; additional_ips: { ip: string }[] } };
  info: Record<string, string>;
}

/** Requests and answers, by call. */
interface Calls {
  Status: [object, { status: { conditions: { type: string; status: boolean; message: string }[] } }];
  RunPodSandbox: [{ config: SandboxConfig }, { pod_sandbox_id: string }];
  StopPodSandbox: [{ pod_sandbox_id: string }, object];
  RemovePodSandbox: [{ pod_sandbox_id: string }, object];
  PodSandboxStatus: [{ pod_sandbox_id: string; verbose: boolean }, SandboxStatus];
  ListPodSandbox: [object, { items: { id: string }[] }];
  CreateContainer: [
    { pod_sandbox_id: string; config: ContainerConfig; sandbox_config: SandboxConfig },
    { container_id: string },
  ];
  StartContainer: [{ container_id: string }, object];
  ExecSync: [
    { container_id: string; cmd: string[]; timeout: number },
    { stdout: Buffer; stderr: Buffer; exit_code: number },
  ];
}

export class CriClient {
  private readonly client: Client;
  private readonly service: ServiceClientConstructor['service'];

  constructor(socket: string) {
    const options = { keepCase: true, longs: Number, enums: String, defaults: true };
    const definition = loadPackageDefinition(loadSync(PROTO, options));
    const runtime = definition.runtime as { v1: { RuntimeService: ServiceClientConstructor } };
    this.service = runtime.v1.RuntimeService.service;
    // Without an authority, the path of the socket would be sent as one, which containerd refuses.
    const authority = { 'grpc.default_authority': 'localhost' };
    this.client = new Client(`unix:${socket}`, credentials.createInsecure(), authority);
  }

  /** @throws with what the runtime says */
  call<K extends keyof Calls>(method: K, request: Calls[K][0]): Promise<Calls[K][1]> {
    const { path, requestSerialize, responseDeserialize } = this.service[method];
    const deadline = Date.now() + DEADLINE_MS;
    return new Promise((resolve, reject) => {
      this.client.makeUnaryRequest(
        path,
        requestSerialize,
        responseDeserialize as (bytes: Buffer) => Calls[K][1],
        request,
        { deadline },
        (error, answer) => (error || !answer ? reject(error ?? new Error('no answer')) : resolve(answer)),
      );
    });
  }

  close(): void {
    this.client.close();
  }
}
