/**
 * The model that a server asks, and those that it asked before. Another one goes live only after it has given its stored verdicts again,
 * right here; until then, and if it does not, the old one answers. No picture misses its verdict: those under way end where they began.
 */
import { createHash } from 'node:crypto';
import { openClassifier, type NodeClassifier } from '../classifier/classifier.node.js';
import type { OpenClassifierOptions } from '../classifier/classifier.js';
import { ModelHistory, type HistoricModel, type RefusedFile } from '../classifier/model-history.js';
import { modelFileOf } from '../classifier/run.node.js';
import { expectSuccessor, reproduceVerdicts, type Reproduced } from '../classifier/stored-verdicts.js';
import type { Verdict } from '../classifier/verdict.js';
import { PictureThreads, type PictureThreadsOptions } from '../data/pictures/picture-threads.node.js';
import { DataError, NotANumberError } from '../errors.js';
import { expectPath } from '../expect.js';
import { readWholeFile } from '../files.node.js';
import { MODEL_FILE } from '../formats/beltnet/model.node.js';

/** A model that is live, or was. */
export interface ServedModelFacts {
  /** The first twelve digits of its file's SHA-256: the name by which it can be taken back. */
  readonly name: string;
  readonly file: string;
  readonly sha256: string;
  readonly classNames: readonly string[];
  readonly alert: { readonly className: string; readonly threshold: number };
  /** What it said again of its stored pictures; null for a file that has none. */
  readonly reproduced: Reproduced | null;
  /** When it went live, last time. */
  readonly since: string;
}

/** The history's bytes, not what a device holds of them. */
interface KeptBytes extends HistoricModel {
  readonly bytes: Uint8Array;
  readonly facts: ServedModelFacts;
}

/** A server has one. */
const MODEL = 'model';

interface Live {
  readonly facts: ServedModelFacts;
  readonly classifier: NodeClassifier;
}

export interface ServedModelOptions extends Omit<OpenClassifierOptions, 'name'> {
  readonly pictures?: PictureThreadsOptions;
}

export class ServedModel {
  readonly #path: string;
  readonly #options: Omit<OpenClassifierOptions, 'name'>;
  readonly #pictures: PictureThreads;
  readonly #history = new ModelHistory<KeptBytes>();
  /** Replacements, one after the other. */
  #turn: Promise<unknown> = Promise.resolve();
  #live: Live;
  #failure: string | null = null;

  private constructor(path: string, options: ServedModelOptions, live: Live, bytes: Uint8Array) {
    const { pictures, ...others } = options;
    this.#path = path;
    this.#options = others;
    this.#pictures = new PictureThreads(pictures);
    this.#live = live;
    this.#keep(live.facts, bytes);
  }

  /**
   * @param given a model file, or the folder of a run
   * @throws ModelFileError for one that cannot be used, or does not give its stored verdicts again; NoDeviceError
   */
  static async open(given: string, options: ServedModelOptions = {}): Promise<ServedModel> {
    expectPath(given, 'ServedModel: model');
    const { pictures: _, ...others } = options;
    const file = modelFileOf(given);
    const bytes = await readWholeFile(file, MODEL_FILE);
    return new ServedModel(file, options, await openChecked(bytes, file, others), bytes);
  }

  get facts(): ServedModelFacts {
    return this.#live.facts;
  }

  /** Those that can be taken back, the newest last; the live one is among them. */
  get kept(): readonly ServedModelFacts[] {
    return this.#history.kept.map(({ facts }) => facts);
  }

  /** Why the last file that should have gone live did not; null when it did. */
  get refused(): RefusedFile | null {
    return this.#history.refused;
  }

  /** What kept the last picture from a verdict, through no fault of its own: a lost device, say. Null when nothing does. */
  get failure(): string | null {
    return this.#failure;
  }

  /**
   * What the live model says of a picture file. Pictures of all callers go to the device together.
   * @throws DataError for what is no picture, or too large; NotANumberError; BusyError
   */
  async classify(bytes: Uint8Array, name = 'picture'): Promise<{ readonly verdict: Verdict; readonly model: string }> {
    const { classifier, facts } = this.#live;
    const release = this.#hold(classifier);
    try {
      const picture = await this.#pictures.prepare(bytes, name, classifier.preparation.picture);
      const verdict = await classifier.classifyPrepared(picture, name);
      this.#failure = null;
      return { verdict, model: facts.name };
    } catch (error) {
      if (!(error instanceof DataError || error instanceof NotANumberError)) this.#failure = (error as Error).message;
      throw error;
    } finally {
      release();
    }
  }

  /** Takes the model file anew. @throws ModelFileError when it must not go live; the old one goes on then */
  reload(): Promise<ServedModelFacts> {
    return this.#replace(this.#path, () => readWholeFile(this.#path, MODEL_FILE));
  }

  /** Takes back one that was live. The file stays what it is. @throws UsageError for a name that is none of theirs */
  async rollBack(name: string): Promise<ServedModelFacts> {
    const { facts, bytes } = this.#history.find(MODEL, name);
    return this.#replace(facts.file, () => Promise.resolve(bytes));
  }

  #replace(file: string, read: () => Promise<Uint8Array>): Promise<ServedModelFacts> {
    const replace = async (): Promise<ServedModelFacts> => {
      const before = this.#live;
      const bytes = await read();
      if (digestOf(bytes) === before.facts.sha256) return before.facts; // it is what is live already
      const next = await openChecked(bytes, file, this.#options, before.facts);
      this.#live = next;
      this.#keep(next.facts, bytes);
      void this.#leave(before.classifier);
      return next.facts;
    };
    const turn = this.#turn.then(() => this.#history.attempt(MODEL, file, replace));
    this.#turn = turn.catch(() => {});
    return turn;
  }

  #keep(facts: ServedModelFacts, bytes: Uint8Array): void {
    this.#history.keep({ model: MODEL, digest: facts.sha256, bytes, facts });
  }

  // --- a classifier is freed when nobody waits for it any more

  readonly #users = new Map<NodeClassifier, { count: number; free: (() => void) | null }>();

  #hold(classifier: NodeClassifier): () => void {
    const users = this.#users.get(classifier) ?? { count: 0, free: null };
    this.#users.set(classifier, users);
    users.count++;
    return () => {
      if (--users.count > 0) return;
      this.#users.delete(classifier);
      users.free?.();
    };
  }

  async #leave(classifier: NodeClassifier): Promise<void> {
    const users = this.#users.get(classifier);
    if (users) await new Promise<void>((resolve) => (users.free = resolve));
    await classifier.destroy();
  }

  async close(): Promise<void> {
    await this.#turn;
    await this.#pictures.close();
    await this.#leave(this.#live.classifier);
  }
}

const digestOf = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');

/**
 * @param before the model in whose place it goes
 * @throws ModelFileError
 */
async function openChecked(
  bytes: Uint8Array,
  file: string,
  options: Omit<OpenClassifierOptions, 'name'>,
  before?: ServedModelFacts,
): Promise<Live> {
  const classifier = await openClassifier(bytes, { ...options, name: file });
  try {
    const { classNames, alert } = classifier.info;
    const reproduced = before ? await expectSuccessor(classifier, before) : await reproduceVerdicts(classifier);
    const sha256 = digestOf(bytes);
    const facts = {
      name: sha256.slice(0, 12),
      file,
      sha256,
      classNames,
      alert,
      reproduced,
      since: new Date().toISOString(),
    };
    return { facts, classifier };
  } catch (error) {
    await classifier.destroy();
    throw error;
  }
}
