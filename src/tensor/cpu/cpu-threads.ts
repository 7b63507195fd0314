/**
 * A team of threads that work through the calls of a recorded step together. The opening thread takes part; the others
 * help as they come, and none need ever arrive: what counts is that every part of a call is done, not who did it.
 *
 * The parts of all calls are numbered in order; a thread takes the next number, waits until every part of the earlier calls is
 * done, and does its own. Which thread does a part changes nothing, since parts write to places of their own.
 */

import { FunctionLibrary, type WasmFunction } from './function-library.js';

/**
 * What a helping thread needs to know; it can be sent to a worker.
 * @internal projects without the DOM's types have no name for a WebAssembly.Module
 */
export interface ThreadData {
  readonly module: WebAssembly.Module;
  readonly memory: WebAssembly.Memory;
  /** Address of the library of generated functions. */
  readonly library: number;
  readonly board: SharedArrayBuffer;
  /** Which of the team's threads it is; the opening one is 0. */
  readonly index: number;
}

/** Where threads work while they do a part: `bytes` from `address` on for the first, and so on. */
export interface Workspace {
  readonly address: number;
  readonly bytes: number;
}

export interface Thread {
  terminate(): void;
}

/** Starts a thread that runs `serve` with the data (ThreadData); null where that cannot be done. */
export type StartThread = (data: object) => Thread | null;

/** In browsers: a module worker beside this file, which bundlers find by this very expression. */
export const startWebThread: StartThread = (data) => {
  if (typeof Worker === 'undefined') return null;
  const worker = new Worker(new URL('./cpu-thread.web.js', import.meta.url), { type: 'module' });
  worker.postMessage(data);
  return worker;
};

/** A call in numbers: which function, in how many parts, and its arguments after the part. */
export interface NumberedCall {
  readonly function: number;
  readonly parts: number;
  readonly arguments: readonly number[];
}

// The board: some words, then the program as float64 numbers.
const STATE = 0; // odd while a program is open; STOPPED at the end
const HELPERS = 1; // threads that may be reading the program
const NEXT = 2; // next part that nobody has taken
const DONE = 3; // parts that are done
const FAILED = 4; // parts that threw
const HELPED = 5; // parts that helpers have done since the beginning
const WORKSPACE = 6; // address and bytes of the workspace
const WORDS = 16;
const STOPPED = -1;
/** Numbers that a program may have. */
const CAPACITY = 16384;
/** Looks at a word before a thread goes to sleep: some ten microseconds. */
const PATIENCE = 10_000;

const wordsOf = (board: SharedArrayBuffer): Int32Array => new Int32Array(board, 0, WORDS);
const programOf = (board: SharedArrayBuffer): Float64Array => new Float64Array(board, WORDS * 4, CAPACITY);

/** Exported functions in an order that all threads agree on. @internal */
export const functionNames = (module: WebAssembly.Module): string[] =>
  WebAssembly.Module.exports(module).map(({ name }) => name);

/** Waits until `ready` holds for a word. The limit on the sleep is for helpers that leave without a word. Browsers forbid the page's own thread to sleep: there it goes on looking. */
function waitFor(words: Int32Array, index: number, ready: (value: number) => boolean): void {
  let looks = 0;
  for (;;) {
    const value = Atomics.load(words, index);
    if (ready(value)) return;
    if (++looks > PATIENCE && maySleep) Atomics.wait(words, index, value, 1);
  }
}

const maySleep = ((): boolean => {
  try {
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 1, 0);
    return true;
  } catch {
    return false;
  }
})();

/** Takes parts of the open program until none is left; returns how many. Program: calls, parts in all, then each call: function, parts, count, arguments. */
function workThrough(words: Int32Array, program: Float64Array, functions: readonly WasmFunction[]): number {
  const all = program[1];
  let at = 2;
  let first = 0;
  let values: number[] | null = null;
  for (let taken = 0; ; taken++) {
    const ticket = Atomics.add(words, NEXT, 1);
    if (ticket >= all) return taken;
    while (ticket >= first + program[at + 1]) {
      first += program[at + 1];
      at += 3 + program[at + 2];
      values = null;
    }
    values ??= [0, ...program.subarray(at + 3, at + 3 + program[at + 2])];
    values[0] = ticket - first;
    const before = first;
    waitFor(words, DONE, (done) => done >= before);
    try {
      functions[program[at]](...values);
    } catch {
      Atomics.add(words, FAILED, 1);
    }
    // Whoever waits for this call to end may be asleep.
    if (Atomics.add(words, DONE, 1) + 1 === first + program[at + 1]) Atomics.notify(words, DONE);
  }
}

/** What a helping thread does until the team is stopped. @internal */
export async function serve({ module, memory, library: address, board, index }: ThreadData): Promise<void> {
  const instance = await WebAssembly.instantiate(module, { env: { memory } });
  const functions = functionNames(module).map((name) => instance.exports[name] as WasmFunction);
  const useWorkspace = instance.exports['useWorkspace'] as WasmFunction;
  const library = new FunctionLibrary(memory, address);
  const words = wordsOf(board);
  const program = programOf(board);
  let state = 0;
  for (;;) {
    const seen = state;
    waitForWork(words, seen);
    state = Atomics.load(words, STATE);
    if (state === STOPPED) return;
    Atomics.add(words, HELPERS, 1);
    try {
      // Only now is it certain that nobody writes another program, if the state is still the same.
      if (state % 2 === 1 && Atomics.load(words, STATE) === state) {
        functions.push(...library.learn());
        useWorkspace((words[WORKSPACE] >>> 0) + index * words[WORKSPACE + 1]);
        Atomics.add(words, HELPED, workThrough(words, program, functions));
      }
    } finally {
      Atomics.sub(words, HELPERS, 1); // a helper that fails is not waited for
    }
  }
}

/** Until a program that this thread has not seen is open, or the team is stopped. */
function waitForWork(words: Int32Array, seen: number): void {
  for (let looks = 0; ; looks++) {
    const state = Atomics.load(words, STATE);
    if (state === STOPPED || (state % 2 === 1 && state !== seen)) return;
    if (looks <= PATIENCE) continue;
    Atomics.wait(words, STATE, state);
    looks = 0; // woken too late for a short program, it must not miss the next one, too
  }
}

/** @internal */
export class ThreadTeam {
  readonly #words: Int32Array;
  readonly #program: Float64Array;
  readonly #threads: readonly Thread[];
  readonly #functions: readonly WasmFunction[];

  /** @param functions of the opening thread, in the order of `functionNames` */
  constructor(
    data: Omit<ThreadData, 'board' | 'index'>,
    functions: readonly WasmFunction[],
    helpers: number,
    startThread: StartThread,
  ) {
    const board = new SharedArrayBuffer(WORDS * 4 + CAPACITY * 8);
    this.#words = wordsOf(board);
    this.#program = programOf(board);
    this.#functions = functions;
    this.#threads = Array.from({ length: helpers }, (_, n) => startThread({ ...data, board, index: n + 1 })).filter(
      (thread) => thread !== null,
    );
  }

  /**
   * Runs the calls one after the other, each in parts; returns when all are done.
   * @param workspace for all threads; the opening one knows its own
   * @throws Error if a part failed
   */
  run(calls: readonly NumberedCall[], workspace: Workspace): void {
    this.#words.set([workspace.address, workspace.bytes], WORKSPACE);
    for (let start = 0; start < calls.length;) start = this.#runProgram(calls, start);
  }

  /** Runs as many of the calls as a program can hold; returns the first of the others. */
  #runProgram(calls: readonly NumberedCall[], start: number): number {
    const words = this.#words;
    const program = this.#program;
    waitFor(words, HELPERS, (helpers) => helpers === 0); // stragglers that still read the last program
    let at = 2;
    let all = 0;
    let next = start;
    for (; next < calls.length && at + 3 + calls[next].arguments.length <= CAPACITY; next++) {
      const { function: index, parts, arguments: values } = calls[next];
      program[at++] = index;
      program[at++] = parts;
      program[at++] = values.length;
      for (const value of values) program[at++] = value;
      all += parts;
    }
    program[0] = next - start;
    program[1] = all;
    Atomics.store(words, NEXT, 0);
    Atomics.store(words, DONE, 0);
    Atomics.store(words, FAILED, 0);
    const state = Atomics.load(words, STATE);
    Atomics.store(words, STATE, state + 1);
    Atomics.notify(words, STATE);
    workThrough(words, program, this.#functions);
    waitFor(words, DONE, (done) => done === all);
    Atomics.store(words, STATE, (state + 2) & 0x3ffffffe);
    if (Atomics.load(words, FAILED) > 0) throw new Error(`${Atomics.load(words, FAILED)} parts of a step failed`);
    return next;
  }

  /** Parts that other threads have done so far. */
  get helped(): number {
    return Atomics.load(this.#words, HELPED);
  }

  stop(): void {
    Atomics.store(this.#words, STATE, STOPPED);
    Atomics.notify(this.#words, STATE);
    for (const thread of this.#threads) thread.terminate();
  }
}
