#!/usr/bin/env node
/** The command line's first and last word: runs a command, turns whatever is thrown into one line and an exit code. */
import { reportFailure } from './terminal/failure.js';
import { exitCodeOf, listenForLostOutput, listenForSignals } from './terminal/interrupt.js';
import { createProgram } from './program.js';

const debug = process.argv.includes('--debug');

process.on('uncaughtException', (error) => process.exit(reportFailure(error, { debug }))); // and rejections that nobody awaited
listenForLostOutput();
listenForSignals();

try {
  const program = await createProgram(
    process.argv.slice(2),
    (exitCode) => void (process.exitCode = exitCodeOf(exitCode)),
  );
  await program.parseAsync();
} catch (error) {
  process.exitCode = reportFailure(error, { debug });
}
