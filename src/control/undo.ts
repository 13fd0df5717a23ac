/**
 * What has to be taken back when a step of several fails: each step that succeeds leaves its reversal here, and
 * they run in reverse order. One that fails itself is reported and does not keep the others from running.
 */
export class Undo {
  private readonly steps: (() => unknown)[] = [];

  add(step: () => unknown): void {
    this.steps.push(step);
  }

  async run(onError: (error: unknown) => void): Promise<void> {
    for (let step = this.steps.pop(); step !== undefined; step = this.steps.pop()) {
      try {
        await step();
      } catch (error) {
        onError(error);
      }
    }
  }
}
