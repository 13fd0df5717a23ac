/** A program in a network namespace that is asked by lines of JSON and answers each with a line, one at a time. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

export class LineProgram {
  private readonly waiting: ((line: string) => void)[] = [];

  protected constructor(private readonly child: ChildProcess) {
    createInterface({ input: child.stdout! }).on('line', (line) => this.waiting.shift()?.(line));
    child.once('close', () => {
      for (const answer of this.waiting.splice(0)) answer('');
    });
  }

  /** Of Python, beside this file. */
  protected static spawn(namespace: string, program: string): ChildProcess {
    const path = fileURLToPath(new URL(program, import.meta.url));
    const words = [`--net=/run/netns/${namespace}`, 'python3', path];
    return spawn('nsenter', words, { stdio: ['pipe', 'pipe', 'inherit'] });
  }

  async end(): Promise<void> {
    const { child } = this;
    if (child.exitCode !== null || child.signalCode !== null) return;
    const closed = once(child, 'close');
    child.kill('SIGKILL');
    await closed;
  }

  protected call<T>(words: object): Promise<T> {
    const answer = this.next<T>();
    this.child.stdin?.write(`${JSON.stringify(words)}\n`);
    return answer;
  }

  protected next<T>(): Promise<T> {
    return new Promise((resolve, reject) => {
      this.waiting.push((line) => {
        if (line) resolve(JSON.parse(line) as T);
        else reject(new Error('a program of the test has ended'));
      });
    });
  }
}
