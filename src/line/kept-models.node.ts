/**
 * Models of a line in service: those that judged before are kept beside the record (models/DIGEST.safetensors), so that they can be taken
 * back, and it is known why a new file did not go live.
 */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { fileHash } from '../classifier/proof/record.node.js';
import { modelFileOf } from '../classifier/run.node.js';
import { UsageError } from '../errors.js';
import { makeFolders, readWholeFile, writeFileAtomically } from '../files.node.js';
import { MODEL_FILE } from '../formats/beltnet/model.node.js';
import type { Line, LiveModel } from './output.js';

export interface KeptModel {
  readonly model: string;
  readonly digest: string;
  readonly path: string;
}

/** Why a file did not go live. */
export interface RefusedFile {
  readonly model: string;
  readonly path: string;
  readonly at: string;
  readonly reason: string;
}

/** Of each model. */
const MOST_KEPT = 5;

export class KeptModels {
  readonly #line: Line;
  readonly #folder: string | null;
  /** Where the configuration has them. */
  readonly #paths: ReadonlyMap<string, string>;
  readonly #kept: KeptModel[] = [];
  #refused: RefusedFile | null = null;

  private constructor(line: Line, folder: string | null) {
    this.#line = line;
    this.#folder = folder === null ? null : join(folder, 'models');
    this.#paths = new Map(line.models().map(({ name, path }) => [name, path]));
  }

  /** @param folder of the record; without, nothing is kept */
  static async open(line: Line, folder: string | null): Promise<KeptModels> {
    const models = new KeptModels(line, folder);
    for (const each of line.models()) await models.#keep(each);
    return models;
  }

  get live(): readonly LiveModel[] {
    return this.#line.models();
  }

  /** The newest last; those that judge are among them. */
  get kept(): readonly KeptModel[] {
    return this.#kept;
  }

  get refused(): RefusedFile | null {
    return this.#refused;
  }

  /** @throws UsageError for a name that is none; ModelFileError for a file that must not go live: the old one goes on */
  async reload(name: string): Promise<LiveModel> {
    const path = this.#paths.get(name);
    if (path === undefined)
      throw new UsageError(`models: expects one of ${[...this.#paths.keys()].join(', ')}, got '${name}'`);
    return this.#replace(name, path);
  }

  /** @throws UsageError for what is not kept */
  async rollBack(name: string, digest: string): Promise<LiveModel> {
    const fits = (one: KeptModel): boolean => one.model === name && digest.length >= 8 && one.digest.startsWith(digest);
    const found = this.#kept.find(fits);
    if (!found)
      throw new UsageError(
        `models: expects the digest of one that is kept (${this.#kept.map((one) => `${one.model} ${one.digest.slice(0, 12)}`).join(', ') || 'none is'}), got '${digest}'`,
      );
    return this.#replace(name, found.path);
  }

  async #replace(name: string, path: string): Promise<LiveModel> {
    try {
      const live = await this.#line.replaceModel(name, path);
      this.#refused = null;
      await this.#keep(live);
      return live;
    } catch (error) {
      this.#refused = { model: name, path, at: new Date().toISOString(), reason: (error as Error).message };
      throw error;
    }
  }

  async #keep({ name, path, digest }: LiveModel): Promise<void> {
    if (this.#folder === null) return;
    const copy = join(this.#folder, `${digest}.safetensors`);
    if (!existsSync(copy)) {
      const file = modelFileOf(path);
      if ((await fileHash(file)) !== digest) return; // it has changed since it was loaded
      makeFolders(this.#folder);
      await writeFileAtomically(copy, await readWholeFile(file, MODEL_FILE));
    }
    const at = this.#kept.findIndex((one) => one.model === name && one.digest === digest);
    if (at >= 0) this.#kept.splice(at, 1);
    this.#kept.push({ model: name, digest, path: copy });
    const own = this.#kept.filter((one) => one.model === name);
    if (own.length > MOST_KEPT) this.#kept.splice(this.#kept.indexOf(own[0]), 1); // its file stays: nothing of the user's is deleted
  }
}
