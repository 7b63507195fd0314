/** The models of a line by name. A file is loaded once, whoever uses it, and judges until another has taken its place. */
import { loadClassifier, type NodeClassifier } from '../classifier/classifier.node.js';
import type { Classifier } from '../classifier/classifier.js';
import { fileHash } from '../classifier/proof/record.node.js';
import { expectSuccessor, reproduceVerdicts } from '../classifier/stored-verdicts.js';
import { modelFileOf } from '../classifier/run.node.js';
import { ModelFileError, UsageError } from '../errors.js';
import type { Device } from '../tensor/device.js';
import type { LiveModel } from './output.js';
import { expectNoWorse } from './test-set.node.js';

/** Pictures that go through a model together. */
const MOST_TOGETHER = 16;

interface Loaded extends LiveModel {
  readonly classifier: NodeClassifier;
}

export class Models {
  readonly #device: Device;
  readonly #live = new Map<string, Loaded>();

  private constructor(device: Device) {
    this.#device = device;
  }

  /** @throws ModelFileError for the first that cannot be loaded */
  static async load(paths: Readonly<Record<string, string>>, device: Device): Promise<Models> {
    const models = new Models(device);
    try {
      for (const [name, path] of Object.entries(paths)) models.#live.set(name, await models.#load(name, path));
    } catch (error) {
      await models.close();
      throw error;
    }
    return models;
  }

  list(): readonly LiveModel[] {
    return [...this.#live.values()].map(({ name, path, digest, classNames }) => ({ name, path, digest, classNames }));
  }

  /** What judges now. @throws UsageError for a name that is none */
  classifier(name: string): Classifier {
    return this.#of(name).classifier;
  }

  has(name: string): boolean {
    return this.#live.has(name);
  }

  /** Whether the file of a model is another than the one that was loaded. */
  async isChanged(name: string, path: string): Promise<boolean> {
    const live = this.#live.get(name);
    return live?.path !== path || live.digest !== (await fileHash(modelFileOf(path)));
  }

  /**
   * As `Line.replaceModel`; a name that is new is added.
   * @param testSet pictures on which it must be no worse than the one before it; null for none
   * @returns the model, and how it did on them
   */
  async replace(name: string, path: string, testSet: string | null): Promise<LiveModel & { readonly tried: string }> {
    const next = await this.#load(name, path);
    const before = this.#live.get(name);
    let tried = '';
    try {
      if (before) {
        await expectSuccessor(next.classifier, before.classifier.info);
        if (testSet !== null) tried = await expectNoWorse(next.classifier, before.classifier, testSet);
      }
    } catch (error) {
      await this.#free(next);
      throw error;
    }
    this.#live.set(name, next);
    if (before) await this.#free(before);
    return { ...(this.list().find((one) => one.name === name) as LiveModel), tried };
  }

  async close(): Promise<void> {
    const all = [...this.#live.values()];
    this.#live.clear();
    for (const one of all) await this.#free(one);
  }

  async #load(name: string, path: string): Promise<Loaded> {
    const digest = await fileHash(modelFileOf(path)).catch((error: Error) => {
      throw new ModelFileError(error.message, { cause: error });
    });
    const same = [...this.#live.values()].find((one) => one.digest === digest);
    const classifier =
      same?.classifier ?? (await loadClassifier(path, { device: this.#device, batchSize: MOST_TOGETHER }));
    if (!same) {
      try {
        await reproduceVerdicts(classifier);
        await warmUp(classifier);
      } catch (error) {
        await classifier.destroy();
        throw error;
      }
    }
    return { name, path, digest, classNames: classifier.info.classNames, classifier };
  }

  /** Unless another name uses it. */
  async #free({ classifier }: Loaded): Promise<void> {
    const isUsed = [...this.#live.values()].some((one) => one.classifier === classifier);
    if (!isUsed) await classifier.destroy();
  }

  #of(name: string): Loaded {
    const model = this.#live.get(name);
    if (model) return model;
    throw new UsageError(`model: expects one of ${[...this.#live.keys()].join(', ')}, got ${name}`);
  }
}

/** A device prepares itself for every number of pictures, which is not to be waited for when the first frames come. */
async function warmUp(classifier: Classifier): Promise<void> {
  const { width, height } = classifier.preparation.picture.region ?? classifier.preparation.picture.size;
  const { region } = classifier.preparation.picture;
  const [right, bottom] = [(region?.x ?? 0) + width, (region?.y ?? 0) + height];
  const grey = { width: right, height: bottom, data: new Uint8Array(right * bottom * 3).fill(128) };
  for (let count = 1; count <= MOST_TOGETHER; count *= 2)
    await classifier.classify(Array.from({ length: count }, () => grey));
}
