/** The thread of a watchdog: see watchdog.node.ts. */
import { writeSync } from 'node:fs';
import { workerData } from 'node:worker_threads';
import { purposes } from './group.js';
import { WORDS, type WatchdogData } from './watchdog.node.js';

/** Milliseconds between two looks; a look that comes late, since the whole process was stopped, counts as twice that at most. */
const LOOK = 250;

function watch({ words: shared, rank, stallSeconds }: WatchdogData): void {
  const words = new Int32Array(shared);
  let seen = 0;
  let waited = 0;
  let last = performance.now();
  while (Atomics.wait(words, WORDS.ended, 0, LOOK) === 'timed-out') {
    const now = performance.now();
    const calls = Atomics.load(words, WORDS.calls);
    const isSameCall = calls === seen && calls % 2 === 1;
    waited = isSameCall ? waited + Math.min(now - last, 2 * LOOK) : 0;
    seen = calls;
    last = now;
    if (waited < stallSeconds * 1000) continue;
    const [what, values] = [purposes[words[WORDS.purpose]], words[WORDS.values]];
    // Past Node's streams, which belong to the thread that is blocked.
    writeSync(
      2,
      `beltnet: rank ${rank}, step ${words[WORDS.step]}: the other ranks did not come to '${what}' (${values} values) within ${stallSeconds} s; ` +
        'one of them has ended, is stopped, or cannot be reached: the training ends, and can be resumed from its last checkpoint\n',
    );
    process.kill(process.pid, 'SIGKILL');
  }
}

watch(workerData as WatchdogData);
