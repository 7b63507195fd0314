/**
 * What ends a command before its work is done: Ctrl-C and its kin, and an output that takes no more. Most commands have
 * nothing to lose and end at once; training and synth end in order.
 */
import { DISK } from './failure.js';
import { note } from './output.js';

/** SIGTERM is sent by containers and supervisors, SIGHUP when a terminal goes away. */
const codes = { SIGINT: 130, SIGTERM: 143, SIGHUP: 129 } as const;

/** Set while something wants to end in order: it is told the exit code, and ends the process itself. */
let onFirstStop: ((exitCode: number) => void) | null = null;

/** Set in services, whose terminal does not go away: a SIGHUP has them take their files anew. */
let onHangUp: (() => void) | null = null;

/** @returns what makes SIGHUP an end again */
export function reloadOnHangUp(reload: () => void): () => void {
  onHangUp = reload;
  return () => (onHangUp = null);
}

function stop(exitCode: number, say: string): void {
  if (!onFirstStop) {
    if (say !== '') note(say);
    process.exit(exitCode);
  }
  onFirstStop(exitCode);
  onFirstStop = null; // the second one ends the process at once
}

/** Ends the process on a signal, after a word to `stopInOrder` if that is on. */
export function listenForSignals(): void {
  for (const [signal, exitCode] of Object.entries(codes)) {
    process.on(signal, () => {
      if (signal === 'SIGHUP' && onHangUp) onHangUp();
      else stop(exitCode, 'beltnet: stopped');
    });
  }
}

/** Standard output has failed: whatever the command returns, not all of its words have arrived. */
let lostOutput = false;

/**
 * Ends the process, in the same way, when standard output cannot be written: its reader has gone (`| head`), or its disk is full.
 * Standard error only has notes: where that cannot be written there is nobody to tell, and the work goes on.
 */
export function listenForLostOutput(): void {
  process.stdout.on('error', ({ code, message }: NodeJS.ErrnoException) => {
    if (lostOutput) return; // each write fails again
    lostOutput = true;
    const reason = code === 'EPIPE' ? 'its reader has gone' : code === 'ENOSPC' ? 'its disk is full' : message;
    note(`beltnet: standard output cannot be written: ${reason}${code ? ` (${code})` : ''}`);
    stop(DISK, '');
  });
  process.stderr.on('error', () => {});
}

/** The exit code of a command that returned `exitCode`. */
export const exitCodeOf = (exitCode: number): number => (lostOutput ? DISK : exitCode);

/**
 * Runs work that can be stopped. The first Ctrl-C aborts `signal`; the second one ends the process.
 *
 * @param message what is said at the first
 * @returns what `work` returns, and the exit code of what stopped it, if anything did
 */
export async function stopInOrder<Result>(
  message: string,
  work: (signal: AbortSignal) => Promise<Result>,
): Promise<{ result: Result; stopCode: number | null }> {
  const controller = new AbortController();
  let stopCode: number | null = null;
  onFirstStop = (exitCode) => {
    stopCode = exitCode;
    note(message);
    controller.abort();
  };
  try {
    return { result: await work(controller.signal), stopCode };
  } finally {
    onFirstStop = null;
  }
}
