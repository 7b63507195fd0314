#!/usr/bin/env node
/** The command line's first and last word: runs a command, turns whatever is thrown into one line and an exit code. */
import { reportFailure } from './terminal/failure.js';
import { listenForSignals } from './terminal/interrupt.js';
import { createProgram } from './program.js';

const debug = process.argv.includes('--debug');

function endWith(error: unknown): never {
  process.exit(reportFailure(error, { debug }));
}

// A reader that has seen enough (`| head`) is no failure.
process.stdout.on('error', (error: NodeJS.ErrnoException) =>
  error.code === 'EPIPE' ? process.exit(0) : endWith(error),
);
process.stderr.on('error', () => {}); // nobody to tell
process.on('uncaughtException', endWith); // rejections that nobody awaited come here, too
listenForSignals();

try {
  const program = createProgram((exitCode) => void (process.exitCode = exitCode));
  await program.parseAsync();
} catch (error) {
  process.exitCode = reportFailure(error, { debug });
}
