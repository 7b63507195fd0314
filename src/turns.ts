/** Long work in pieces: between them the event loop has its turn, so that Ctrl-C and a progress line come through. */

/** A person takes no notice of so many milliseconds. */
export const PIECE = 100;

/** Lets timers, signals and the page have their turn; a resolved promise would not. */
export const turnOfEventLoop = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 0));

/** @returns a function to be called often: now and then it gives a promise, which is to be awaited, else null */
export function turns(): () => Promise<void> | null {
  let last = performance.now();
  return () => {
    if (performance.now() - last < PIECE) return null;
    return turnOfEventLoop().then(() => void (last = performance.now()));
  };
}

/** Work with places between its steps: each `yield` is one. */
export type Stepwise<Result> = Generator<void, Result>;

export function atOnce<Result>(work: Stepwise<Result>): Result {
  for (;;) {
    const { done, value } = work.next();
    if (done) return value;
  }
}

/** For the same result, with turns of the event loop between the steps. */
export async function inTurns<Result>(work: Stepwise<Result>): Promise<Result> {
  const turn = turns();
  for (;;) {
    const { done, value } = work.next();
    if (done) return value;
    await turn();
  }
}
