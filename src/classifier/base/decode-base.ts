/** A base from the bytes of its file: which layers' means are the features. */
import { expectBytes, expectText } from '../../expect.js';
import { UsageError } from '../../errors.js';
import type { ModelInfo } from '../../formats/beltnet/info.js';
import { decodeModel, weightsHash } from '../../formats/beltnet/model.js';
import type { Sha256 } from '../../formats/content-hash.js';
import type { Model } from '../../nn/model.js';
import { KNOWN_SECTIONS } from '../tuning.js';
import { BASE_SECTION, featureLayersOf, type Base } from './features.js';

export interface OpenedBase {
  readonly model: Model;
  readonly info: Pick<ModelInfo, 'preprocessing' | 'sections'>;
}

/**
 * @param given what messages call it, and what a run remembers it by
 * @param layers whose means are the features; by default those that the file names, else its last that gives a map
 * @throws UsageError for layers that it does not have; ModelFileError
 */
export async function baseOf(
  given: string,
  { model, info }: OpenedBase,
  layers: readonly string[] | undefined,
  path: string,
  hash?: Sha256,
): Promise<Base> {
  const named = info.sections?.[BASE_SECTION] !== undefined;
  const lastMap = model.nodes.findLast(({ shape }) => shape.length === 3)?.layer.name;
  const unknown = layers?.find((name) => !model.layers.some((layer) => layer.name === name));
  if (unknown !== undefined)
    throw new UsageError(`base layer: expects a layer of ${given}, got '${unknown}'; "beltnet export" lists them`);
  if (!layers && !named && lastMap === undefined)
    throw new UsageError(`base: expects a network with layers that give maps [H,W,C], got ${given} without`);
  const featureLayers = layers ?? (named ? featureLayersOf(info, model, path) : [lastMap ?? '']);
  const { preprocessing } = info;
  return { name: given, model, featureLayers, preprocessing, hash: await weightsHash(model, hash) };
}

/** A base that ships with beltnet, from its bytes. @throws ModelFileError when they are damaged */
export async function decodeBase(bytes: Uint8Array, name: string): Promise<Base> {
  expectBytes(bytes, 'decodeBase: bytes');
  expectText(name, 'decodeBase: name');
  return baseOf(name, decodeModel(bytes, name, { knownSections: [BASE_SECTION, ...KNOWN_SECTIONS] }), undefined, name);
}
