/** A Python script that answers one JSON line for each that it reads: scapy as a judge, asked many times. */
import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import { createInterface } from 'node:readline';

interface Waiting {
  resolve(line: string): void;
  reject(error: Error): void;
}

export class ScapyProcess {
  private readonly child: ChildProcessWithoutNullStreams;
  private readonly waiting: Waiting[] = [];
  private errors = '';

  /** @param python from pythonWithScapy. */
  constructor(python: string, script: string) {
    this.child = spawn(python, [script]);
    this.child.stderr.on('data', (text: Buffer) => {
      this.errors += text.toString();
    });
    createInterface({ input: this.child.stdout }).on('line', (line) => this.waiting.shift()?.resolve(line));
    this.child.on('close', () => {
      for (const { reject } of this.waiting.splice(0)) reject(new Error(`the script ended: ${this.errors}`));
    });
  }

  async ask<Answer>(request: unknown): Promise<Answer> {
    const line = new Promise<string>((resolve, reject) => this.waiting.push({ resolve, reject }));
    this.child.stdin.write(`${JSON.stringify(request)}\n`);
    return JSON.parse(await line) as Answer;
  }

  close(): void {
    this.child.stdin.end();
  }
}
