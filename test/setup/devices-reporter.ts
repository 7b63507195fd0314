/** Prints at the end of the run what ran on which adapter, and the counts on a line of their own. */
import type { Reporter, TestModule } from 'vitest/node';

export default class DevicesReporter implements Reporter {
  onTestRunEnd(modules: readonly TestModule[]): void {
    const files = new Map<string, number>();
    let without = 0;
    for (const module of modules) {
      const devices = module.meta().devices ?? [];
      if (devices.length === 0) without++;
      for (const device of devices) files.set(device, (files.get(device) ?? 0) + 1);
    }
    const parts = [...files]
      .toSorted(([a], [b]) => a.localeCompare(b))
      .map(([device, count]) => `${device}: ${count} ${count === 1 ? 'file' : 'files'}`);
    if (without > 0) parts.push(`no device: ${without} ${without === 1 ? 'file' : 'files'}`);
    const count = (state: 'passed' | 'failed' | 'skipped') =>
      modules.reduce((sum, module) => sum + [...module.children.allTests(state)].length, 0);
    if (parts.length > 0) console.log(`      Ran on  ${parts.join('\n              ')}\n`);
    console.log(`${count('passed')} passed, ${count('failed')} failed, ${count('skipped')} skipped`);
  }
}
