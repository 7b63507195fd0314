/** From whatever was thrown to one line on stderr and an exit code. */
import { CommanderError } from 'commander';
import { BeltnetError } from '../../src/errors.js';
import { note } from './output.js';

const USAGE = 2;
const DEFECT = 1;
const OUT_OF_MEMORY = 6;
/** What cannot be written: a DiskError's. */
export const DISK = 8;

/** Says what went wrong. @returns the exit code */
export function reportFailure(error: unknown, { debug = false }: { debug?: boolean } = {}): number {
  // Commander has said it by now: help and version are no failures, bare `beltnet` shows its help as one.
  if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : USAGE;
  const { message, exitCode } = explain(error);
  note(`beltnet: ${message}`);
  if (exitCode === DEFECT) {
    note(
      `This is a defect of beltnet; please report it with the command line${debug ? '' : ' and what --debug adds to it'}.`,
    );
  }
  if (debug) {
    const trace = error instanceof Error ? (error.stack ?? error.message) : String(error);
    for (const line of trace.split('\n')) note(line);
  }
  return exitCode;
}

function explain(error: unknown): { message: string; exitCode: number } {
  if (error instanceof BeltnetError) return { message: error.message, exitCode: error.exitCode };
  if (!(error instanceof Error)) return { message: String(error), exitCode: DEFECT };
  const { code } = error as NodeJS.ErrnoException;
  if (code === 'EMFILE' || code === 'ENFILE')
    return { message: `${error.message}; raise the limit of open files (ulimit -n 4096)`, exitCode: DISK };
  if (isDiskError(error)) return { message: `${error.message}; check the disk and its permissions`, exitCode: DISK };
  if (error instanceof RangeError && /allocation failed|array (buffer )?length/i.test(error.message)) {
    return {
      message: `not enough memory (${error.message}); use fewer or smaller pictures, or a smaller batch`,
      exitCode: OUT_OF_MEMORY,
    };
  }
  return { message: `${error.name}: ${error.message}`, exitCode: DEFECT };
}

/** What Node's fs throws, when it was not made a better message on its way. */
function isDiskError(error: Error): boolean {
  const { syscall, path } = error as NodeJS.ErrnoException;
  return syscall !== undefined && path !== undefined;
}
