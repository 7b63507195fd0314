/** Ctrl-C. Most commands have nothing to lose and end at once; training and synth end in order. */
import { note } from './output.js';

const codes = { SIGINT: 130, SIGTERM: 143 } as const;
type Signal = keyof typeof codes;

/** Set while something wants to end in order: it is told, and ends the process itself. */
let onFirstSignal: ((signal: Signal) => void) | null = null;

/** Ends the process on Ctrl-C (and on SIGTERM, which containers send), after a word to `stopInOrder` if that is on. */
export function listenForSignals(): void {
  for (const signal of Object.keys(codes) as Signal[]) {
    process.on(signal, () => {
      if (!onFirstSignal) {
        note('beltnet: stopped');
        process.exit(codes[signal]);
      }
      onFirstSignal(signal);
      onFirstSignal = null; // the second one ends the process at once
    });
  }
}

/**
 * Runs work that can be stopped by a signal. The first Ctrl-C aborts `signal`; the second one ends the process.
 *
 * @param message what is said at the first
 * @returns what `work` returns, and the exit code of the signal if one came
 */
export async function stopInOrder<Result>(
  message: string,
  work: (signal: AbortSignal) => Promise<Result>,
): Promise<{ result: Result; stopCode: number | null }> {
  const controller = new AbortController();
  let stopCode: number | null = null;
  onFirstSignal = (signal) => {
    stopCode = codes[signal];
    note(message);
    controller.abort();
  };
  try {
    return { result: await work(controller.signal), stopCode };
  } finally {
    onFirstSignal = null;
  }
}
