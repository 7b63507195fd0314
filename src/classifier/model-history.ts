/** Models that judged before, so that they can be taken back, and why the last new one did not go live. */
import { UsageError } from '../errors.js';

/** Of each model. */
const MOST_KEPT = 5;
/** Digits of a digest by which one is named. */
const LEAST_DIGITS = 8;

export interface HistoricModel {
  /** The name of which it was the file. */
  readonly model: string;
  /** SHA-256 of its file. */
  readonly digest: string;
}

/** Why a file did not go live. */
export interface RefusedFile {
  readonly model: string;
  readonly path: string;
  readonly at: string;
  readonly reason: string;
}

/** @typeParam Kept with what is needed to take it back: its bytes, or a copy's path */
export class ModelHistory<Kept extends HistoricModel> {
  readonly #kept: Kept[] = [];
  #refused: RefusedFile | null = null;

  /** The newest last; those that judge are among them. */
  get kept(): readonly Kept[] {
    return this.#kept;
  }

  /** Null when the last new file went live. */
  get refused(): RefusedFile | null {
    return this.#refused;
  }

  /** One goes live; beyond five of a model the oldest are forgotten. */
  keep(one: Kept): void {
    const at = this.#kept.findIndex(({ model, digest }) => model === one.model && digest === one.digest);
    if (at >= 0) this.#kept.splice(at, 1);
    this.#kept.push(one);
    const own = this.#kept.filter(({ model }) => model === one.model);
    if (own.length > MOST_KEPT) this.#kept.splice(this.#kept.indexOf(own[0]), 1);
  }

  /** @param given a digest, or its beginning. @throws UsageError for what is not kept */
  find(model: string, given: string): Kept {
    const own = this.#kept.filter((one) => one.model === model);
    const found = own.find(({ digest }) => given.length >= LEAST_DIGITS && digest.startsWith(given));
    if (found) return found;
    const known = own.map(({ digest }) => digest.slice(0, 12)).join(', ');
    throw new UsageError(
      `rollback: expects the beginning of a digest that is kept (${known || 'none is'}), got '${given}'`,
    );
  }

  /** Puts a file in a model's place, and remembers why it could not be. @throws what `replace` throws */
  async attempt<Result>(model: string, path: string, replace: () => Promise<Result>): Promise<Result> {
    try {
      const result = await replace();
      this.#refused = null;
      return result;
    } catch (error) {
      this.#refused = { model, path, at: new Date().toISOString(), reason: (error as Error).message };
      throw error;
    }
  }
}
