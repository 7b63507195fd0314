/** How unlike the training's a picture may be, in a model file: the section `unlike`. */
import { ModelFileError } from '../../errors.js';
import type { Section } from '../../formats/beltnet/container.js';
import type { ModelInfo } from '../../formats/beltnet/info.js';
import type { Model } from '../../nn/model.js';
import type { Unlike } from './unlike.js';

export const UNLIKE_SECTION = 'unlike';

/** With the layer whose values it takes. */
export interface UnlikeOfLayer extends Unlike {
  readonly layer: string;
}

/** @param layer that gives the features, [width] */
export function unlikeSection({ means, factor, threshold }: Unlike, layer: string): Section {
  const width = Math.sqrt(factor.length);
  return {
    value: { layer, threshold },
    tensors: {
      means: { dtype: 'F32', shape: [means.length / width, width], data: means },
      factor: { dtype: 'F32', shape: [width, width], data: factor },
    },
  };
}

/**
 * @param name of the file, for messages
 * @returns null for a model that cannot tell
 * @throws ModelFileError when the section does not fit the model
 */
export function unlikeOf({ sections = {} }: ModelInfo, model: Model, name: string): UnlikeOfLayer | null {
  const section = sections[UNLIKE_SECTION];
  if (section === undefined) return null;
  const { layer, threshold } = (section.value ?? {}) as { layer?: unknown; threshold?: unknown };
  const node = model.nodes.find((each) => each.layer.name === layer);
  const width = node?.shape.length === 1 ? node.shape[0] : 0;
  const [means, factor] = [section.tensors?.['means'], section.tensors?.['factor']].map((tensor) => tensor?.data);
  const fits =
    width > 0 &&
    typeof threshold === 'number' &&
    threshold > 0 &&
    Number.isFinite(threshold) &&
    means instanceof Float32Array &&
    means.length > 0 &&
    means.length % width === 0 &&
    means.every(Number.isFinite) &&
    factor instanceof Float32Array &&
    factor.length === width * width &&
    factor.every(Number.isFinite);
  if (!fits)
    throw new ModelFileError(
      `${name}: expected a section '${UNLIKE_SECTION}' with a layer of the model, a threshold, means and a factor that fit it, got others`,
    );
  return { layer: layer as string, threshold, means, factor };
}
