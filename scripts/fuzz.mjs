/**
 * Fuzzing: all parsers of foreign bytes read spoiled files, for so many minutes. Each case must end within ten seconds and a
 * gigabyte, with a result or with an error that names the matter; anything else is a finding. Findings go to test/fixtures/fuzz,
 * where the suite reads them for ever after.
 *
 * Usage: npm run fuzz -- [--minutes N | --cases N] [--seed N] [--parsers a,b]
 *        npm run fuzz -- --case PARSER:NUMBER     one case again
 *        npm run fuzz -- --findings               all that was found
 *
 * Cases run in a process of their own, which says beforehand what it is about to read: if it hangs or dies, that is known.
 */
import { spawn } from 'node:child_process';
import {
  closeSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { dice, parsers } from './fuzz-parsers.mjs';
import { root } from './steps.mjs';

const MOST_SECONDS = 10;
/** The guard of HDF5 files has ten seconds of its own. */
const MOST_SECONDS_OF_GUARD = 30;
const MOST_BYTES = 2 ** 30;
const fixtures = join(root, 'test/fixtures/fuzz');

/** Number of a case → its parser and bytes. */
function makeCase(all, name, number) {
  const { inputs, spoil } = all[name];
  const roll = dice(number);
  const input = inputs[roll(inputs.length)];
  return { name: input.name, bytes: spoil(input.bytes, inputs, roll) };
}

/** Why an outcome is a fault, or null. */
function fault(error) {
  if (error === null) return null;
  const text = error instanceof Error ? (error.stack ?? error.message) : String(error);
  if (typeof error.exitCode !== 'number' || error.exitCode === 1) return text;
  const isClear =
    error.message.length >= 10 &&
    error.message.length <= 3000 &&
    !/undefined|\[object|TypeError/.test(error.message.replace(/\(".*"\)$/s, ''));
  return isClear ? null : `not a clear message: ${error.message}`;
}

async function outcomeOf(all, parser, { bytes, name }) {
  try {
    await all[parser].read(bytes, name);
    return null;
  } catch (error) {
    return error;
  }
}

/** Runs case after case, and writes to `journal` which one it is at. */
async function work(scratch, names, first, last, until) {
  const all = await parsers(scratch);
  const journal = openSync(join(scratch, 'journal'), 'w');
  console.warn = () => {}; // jsfive's remarks
  const schedule = names.flatMap((name) => Array.from({ length: all[name].isSlow ? 1 : 20 }, () => name));
  let refused = 0;
  let number = first;
  let peak = process.resourceUsage().maxRSS * 1024;
  for (; number < last && Date.now() < until; number++) {
    const parser = schedule[number % schedule.length];
    writeSync(journal, `${parser}:${number}`.padEnd(60), 0);
    const error = await outcomeOf(all, parser, makeCase(all, parser, number));
    if (error !== null) refused++;
    const now = process.resourceUsage().maxRSS * 1024;
    const why = now - peak > MOST_BYTES / 2 ? `memory rose by ${Math.round((now - peak) / 1e6)} MB` : fault(error);
    if (why !== null) process.send({ finding: `${parser}:${number}`, why });
    if (now > peak) peak = now;
    if (number % 64 === 0) await new Promise((resolve) => setImmediate(resolve)); // messages go out
  }
  closeSync(journal);
  process.send({ done: number - first, refused, peak }, () => process.disconnect());
}

function memoryOf(pid) {
  try {
    return Number(readFileSync(`/proc/${pid}/statm`, 'utf8').split(' ')[1]) * 4096;
  } catch {
    return 0; // gone, or not Linux: the process watches itself
  }
}

/** One process with cases from `first` on. @returns the first case that it has not done */
function runProcess(scratch, names, first, last, until, onFinding, onDone) {
  return new Promise((resolve) => {
    const child = spawn(
      process.execPath,
      [fileURLToPath(import.meta.url), '--worker', JSON.stringify({ scratch, names, first, last, until })],
      { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] },
    );
    let done = null;
    let killed = null;
    let at = '';
    let since = Date.now();
    child.on('message', (message) => {
      if ('finding' in message) onFinding(message.finding, message.why);
      else onDone((done = message));
    });
    const watch = setInterval(() => {
      const now = caseIn(scratch);
      if (now !== at) [at, since] = [now, Date.now()];
      const most = at.startsWith('keras') ? MOST_SECONDS_OF_GUARD : MOST_SECONDS;
      if (at !== '' && Date.now() - since > most * 1000) killed = `does not end within ${most} s`;
      else if (memoryOf(child.pid) > 2 * MOST_BYTES) killed = `takes more than ${(2 * MOST_BYTES) / 2 ** 30} GiB`;
      if (killed !== null) child.kill('SIGKILL');
    }, 100);
    child.once('close', (code, signal) => {
      clearInterval(watch);
      if (done) return resolve(last);
      const place = caseIn(scratch);
      onFinding(place, killed ?? `the process ended with ${signal ?? `code ${code}`}`);
      resolve(place === '' ? last : Number(place.split(':')[1]) + 1);
    });
  });
}

function caseIn(scratch) {
  try {
    return readFileSync(join(scratch, 'journal'), 'latin1').trim();
  } catch {
    return '';
  }
}

const { values } = parseArgs({
  options: {
    minutes: { type: 'string', default: '1' },
    cases: { type: 'string' },
    seed: { type: 'string', default: String(Date.now() % 1_000_000) },
    parsers: { type: 'string' },
    case: { type: 'string' },
    findings: { type: 'boolean' },
    worker: { type: 'string' },
  },
});

if (values.worker !== undefined) {
  const { scratch, names, first, last, until } = JSON.parse(values.worker);
  await work(scratch, names, first, last, until ?? Infinity);
} else {
  const scratch = mkdtempSync(join(tmpdir(), 'beltnet-fuzz-'));
  process.once('exit', () => rmSync(scratch, { recursive: true, force: true }));
  process.once('SIGINT', () => process.exit(130));
  const all = await parsers(scratch);
  if (values.case !== undefined) {
    const [parser, number] = values.case.split(':');
    const error = await outcomeOf(all, parser, makeCase(all, parser, Number(number)));
    console.log(fault(error) ?? `no finding: ${error === null ? 'it was read' : error.message}`);
    process.exit(fault(error) === null ? 0 : 1);
  }
  if (values.findings) {
    const files = existsSync(fixtures) ? readdirSync(fixtures) : [];
    let bad = 0;
    for (const name of files) {
      const [, parser, original] = /^([a-z0-9-]+?)-\d+-(.*)$/.exec(name);
      const error = await outcomeOf(all, parser, { name: original, bytes: readFileSync(join(fixtures, name)) });
      const why = fault(error);
      if (why !== null) bad++;
      console.log(`${name}: ${why === null ? (error?.message ?? 'it was read') : `FINDING ${why}`}`);
    }
    console.log(`${files.length} files, ${bad} findings`);
    process.exit(bad === 0 ? 0 : 1);
  }
  const names = values.parsers?.split(',') ?? Object.keys(all);
  const unknown = names.find((name) => !(name in all));
  if (unknown !== undefined) {
    console.error(`--parsers: expects some of ${Object.keys(all).join(', ')}, got '${unknown}'`);
    process.exit(2);
  }
  const start = Number(values.seed) * 1_000_000;
  const last = values.cases === undefined ? Infinity : start + Number(values.cases);
  const until = values.cases === undefined ? Date.now() + Number(values.minutes) * 60_000 : Infinity;
  const findings = new Set();
  const totals = { done: 0, refused: 0, peak: 0 };
  console.log(`seed ${values.seed}: ${names.join(', ')}`);
  const onFinding = (place, why) => {
    findings.add(place);
    console.log(`FINDING ${place}: ${why}`);
    const [parser, number] = place.split(':');
    if (number === undefined) return;
    const { name, bytes } = makeCase(all, parser, Number(number));
    mkdirSync(fixtures, { recursive: true });
    writeFileSync(join(fixtures, `${parser}-${number}-${name}`), bytes);
  };
  const onDone = ({ done, refused, peak }) => {
    totals.done += done;
    totals.refused += refused;
    totals.peak = Math.max(totals.peak, peak);
  };
  for (let next = start; next < last && Date.now() < until;) {
    rmSync(join(scratch, 'journal'), { force: true });
    // A new process now and then: what one case keeps in memory is not held against a later one.
    const end = Math.min(last, next + 50_000);
    next = await runProcess(scratch, names, next, end, until === Infinity ? null : until, onFinding, onDone);
  }
  console.log(
    `${totals.done} cases, ${totals.refused} refused, ${findings.size} findings; most memory ${Math.round(totals.peak / 2 ** 20)} MiB; ` +
      `again: npm run fuzz -- --seed ${values.seed}${findings.size > 0 ? `, or --case ${[...findings][0]}` : ''}`,
  );
  process.exitCode = findings.size === 0 ? 0 : 1;
}
