/**
 * Models of a line in service: those that judged before are kept beside the record (models/DIGEST.safetensors), so that they can be taken
 * back, and it is known why a new file did not go live.
 */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { ModelHistory, type HistoricModel, type RefusedFile } from '../classifier/model-history.js';
import { fileHash } from '../classifier/proof/record.node.js';
import { modelFileOf } from '../classifier/run.node.js';
import { UsageError } from '../errors.js';
import { makeFolders, readWholeFile, writeFileAtomically } from '../files.node.js';
import { MODEL_FILE } from '../formats/beltnet/model.node.js';
import type { Line, LiveModel, ReplaceModelOptions } from './output.js';

export interface KeptModel extends HistoricModel {
  readonly path: string;
}

export class KeptModels {
  readonly #line: Line;
  readonly #folder: string | null;
  /** Where the configuration has them. */
  readonly #paths: ReadonlyMap<string, string>;
  readonly #history = new ModelHistory<KeptModel>();

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
    return this.#history.kept;
  }

  get refused(): RefusedFile | null {
    return this.#history.refused;
  }

  /** @throws UsageError for a name that is none; ModelFileError for a file that must not go live: the old one goes on */
  async reload(name: string): Promise<LiveModel> {
    const path = this.#paths.get(name);
    if (path === undefined)
      throw new UsageError(`models: expects one of ${[...this.#paths.keys()].join(', ')}, got '${name}'`);
    return this.#replace(name, path, { trial: true });
  }

  /** @throws UsageError for what is not kept */
  async rollBack(name: string, digest: string): Promise<LiveModel> {
    return this.#replace(name, this.#history.find(name, digest).path, { trial: false });
  }

  #replace(name: string, path: string, options: ReplaceModelOptions): Promise<LiveModel> {
    return this.#history.attempt(name, path, async () => {
      const live = await this.#line.replaceModel(name, path, options);
      await this.#keep(live);
      return live;
    });
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
    this.#history.keep({ model: name, digest, path: copy }); // files of those that are forgotten stay
  }
}
