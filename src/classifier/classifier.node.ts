/** Classifiers in Node: from model files, of picture files. */
import { expectObject, expectPath } from '../expect.js';
import { BeltnetError, DataError, UsageError } from '../errors.js';
import { decode } from '../data/pictures/decode.js';
import { readPictureBytes } from '../data/pictures/read-picture.node.js';
import type { PictureStore } from '../data/store/picture-store.js';
import { expectItems, listPictures, type PictureItem } from '../data/store/picture-items.node.js';
import { streamItems } from '../data/store/stream-pictures.node.js';
import { loadModel } from '../formats/beltnet/model.node.js';
import { decodeModel, type DecodeOptions } from '../formats/beltnet/model.js';
import { openDevice } from '../tensor/open-device.node.js';
import {
  Classifier,
  placeModel,
  settled,
  type NamedModel,
  type OpenClassifierOptions,
  type PlacedModel,
} from './classifier.js';
import { picturesOfModel, type PicturesOfRun } from './picture-manifest.node.js';
import { pixelHash } from './pixel-hash.js';
import { modelFileOf } from './run.node.js';
import { KNOWN_SECTIONS } from './tuning.js';
import { judge, type Classification, type Prediction, type Verdict } from './verdict.js';

/** A verdict on a picture file, or why there is none. */
export type FileClassification = Classification & {
  readonly file: string;
  /** Where the model's run tells: whether it was trained on this picture, so that the verdict says nothing of others. */
  readonly inTraining?: boolean;
  /** Of a picture with a verdict: hash of what the model saw of it, as in a run's pictures.jsonl; equal for equal pixels. */
  readonly pixels?: number;
};

export interface ClassifyPathsOptions {
  /** Default: the classifier's. */
  readonly batchSize?: number;
  /** Threads that decode. Default: one per processor core, none for fewer than 16 files. */
  readonly workers?: number;
  /** Takes each result as soon as it is there, and how many are to come in all. */
  readonly onResult: (result: FileClassification, total: number) => void;
}

/** A classifier that reads files, too. Paths are taken by methods of their own: `classify` opens no file. */
export class NodeClassifier extends Classifier {
  readonly #file: string | null;
  #record: Promise<PicturesOfRun | null> | null = null;

  /** @param file of the model, where it came from one */
  constructor(placed: PlacedModel, batchSize: number, file: string | null) {
    super(placed, batchSize, decode);
    this.#file = file;
  }

  /** As `classify`, of picture files. */
  classifyFile(given: string): Promise<Verdict>;
  classifyFile(given: readonly string[]): Promise<Classification[]>;
  async classifyFile(given: string | readonly string[]): Promise<Verdict | Classification[]> {
    if (typeof given === 'string') return this.#classifyOne(given);
    const results: Classification[] = [];
    for (const path of given) results.push(await settled(this.#classifyOne(path)));
    return results;
  }

  async #classifyOne(path: string): Promise<Verdict> {
    if (typeof path !== 'string') throw new UsageError(`classifyFile: expects paths, got ${typeof path}`);
    return this.classifyNamed(readPictureBytes(path), path);
  }

  /**
   * Classifies all pictures of files, folders, patterns with `*`, manifests and practice sets, sorted by path, decoded by worker
   * threads while the device works.
   *
   * @throws DataError for a folder without pictures or a pattern without a match
   */
  async classifyPaths(paths: readonly string[], options: ClassifyPathsOptions): Promise<void> {
    this.checkUsable();
    await this.classifyItems(await listPictures(paths), options);
  }

  /**
   * As `classifyPaths`, of pictures that were listed.
   * @param onInput takes the digest of each one's content, in their order
   */
  async classifyItems(
    items: readonly PictureItem[],
    { workers, onResult, batchSize, onInput }: ClassifyPathsOptions & { onInput?: (digest: Uint8Array) => void },
  ): Promise<void> {
    this.checkUsable();
    expectItems(items, 'classifyItems: items');
    const stream = streamItems(items, {
      ...this.preparation.picture,
      ...(workers !== undefined && { workers }),
      ...(onInput && { onInput }),
    });
    const record = await this.#picturesOfRun();
    const hashes = new Map<number, number>(); // of pictures that were read and wait for their prediction
    const look = (index: number, picture: Uint8Array): void => void hashes.set(index, pixelHash(picture));
    try {
      const { width, height } = this.preparation.picture.size;
      const pictures = watched(stream.pictures, width * height * 3, look);
      await this.predictEach(pictures, batchSize, (index, prediction) => {
        const file = stream.files[index];
        const result = this.#judgeFile(file, stream.errorOf(index), prediction);
        const pixels = hashes.get(index);
        hashes.delete(index);
        onResult({ file, ...result, ...('error' in result ? {} : seen(pixels, record)) }, stream.files.length);
      });
    } finally {
      await stream.close();
    }
  }

  /** As `classifyPaths`, of the bytes of one picture file. @param file what it is called */
  async classifyBytes(bytes: Uint8Array, file: string): Promise<FileClassification> {
    this.checkUsable();
    const record = await this.#picturesOfRun();
    let picture: Uint8Array;
    try {
      picture = this.prepare(bytes, file);
    } catch (error) {
      if (error instanceof DataError) return { file, error };
      throw error;
    }
    const result = await settled(this.classifyPrepared(picture, file));
    return { file, ...result, ...('error' in result ? {} : seen(pixelHash(picture), record)) };
  }

  /** What the model's run did with which pictures. */
  #picturesOfRun(): Promise<PicturesOfRun | null> {
    this.#record ??= this.#file === null ? Promise.resolve(null) : picturesOfModel(this.#file);
    return this.#record;
  }

  #judgeFile(file: string, problem: string | null, prediction: Prediction): Classification {
    if (problem !== null) return { error: new DataError(problem) };
    try {
      return judge(prediction, this.info, file);
    } catch (error) {
      if (error instanceof BeltnetError) return { error };
      throw error;
    }
  }
}

/** What is told of a picture by its pixels. */
const seen = (pixels: number | undefined, record: PicturesOfRun | null) =>
  pixels === undefined ? {} : { ...(record && { inTraining: record.get(pixels) === 'training' }), pixels };

/** The pictures, each of which is looked at when it is read. @param length bytes of one */
function watched(
  pictures: PictureStore,
  length: number,
  look: (index: number, picture: Uint8Array) => void,
): PictureStore {
  return {
    count: pictures.count,
    forwardOnly: pictures.forwardOnly,
    async read(indices, target) {
      await pictures.read(indices, target);
      for (const [n, index] of indices.entries()) look(index, target.subarray(n * length, (n + 1) * length));
    },
  };
}

/** A model of a file, or of the folder of a run, with its name. @throws ModelFileError */
export async function openModelFile(given: string, options: DecodeOptions = {}): Promise<NamedModel> {
  expectPath(given, 'the path of a model file or run');
  const name = modelFileOf(given);
  return { name, ...(await loadModel(name, options)) };
}

/**
 * A classifier from a model file, or from the folder of a run.
 *
 * @throws ModelFileError when the file is missing, damaged or no model of RGB pictures; NoDeviceError
 * @example
 * const classifier = await loadClassifier('runs/first');
 * const { class: name, probability, alert } = await classifier.classifyFile('picture.jpg');
 */
export async function loadClassifier(given: string, options: OpenClassifierOptions = {}): Promise<NodeClassifier> {
  const named = await openModelFile(given, { knownSections: KNOWN_SECTIONS });
  return place(named, options, named.name);
}

/** A classifier from the bytes of a model file. */
export async function openClassifier(bytes: Uint8Array, options: OpenClassifierOptions = {}): Promise<NodeClassifier> {
  expectObject(options, 'openClassifier: options');
  const { name = 'model' } = options;
  return place({ name, ...decodeModel(bytes, name, { knownSections: KNOWN_SECTIONS }) }, options, null);
}

async function place(named: NamedModel, options: OpenClassifierOptions, file: string | null): Promise<NodeClassifier> {
  return new NodeClassifier(await placeModel(named, options, openDevice), options.batchSize ?? 32, file);
}
