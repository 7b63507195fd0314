/** How unlike the training's a picture may be, in a model file: the section `unlike`. */
import { ModelFileError } from '../../errors.js';
import type { Section } from '../../formats/beltnet/container.js';
import type { ModelInfo } from '../../formats/beltnet/info.js';
import type { Model } from '../../nn/model.js';
import type { ToldStrangers } from './strangers.js';
import type { Unlike } from './unlike.js';

export const UNLIKE_SECTION = 'unlike';

/** With what gives the features. */
export interface UnlikeOfLayer extends Unlike {
  /** A layer of the model; null for the guard beside it. */
  readonly layer: string | null;
}

/**
 * @param layer that gives the features, [width]; null for the guard
 * @param told what was measured when it was learned
 */
export function unlikeSection(
  { means, factor, threshold }: Unlike,
  layer: string | null,
  told?: ToldStrangers,
): Section {
  const width = Math.sqrt(factor.length);
  return {
    value: { ...(layer === null ? { guard: true } : { layer }), threshold, ...(told && { told }) },
    tensors: {
      means: { dtype: 'F32', shape: [means.length / width, width], data: means },
      factor: { dtype: 'F32', shape: [width, width], data: factor },
    },
  };
}

/** The section with what was measured. */
export const withTold = ({ value, ...section }: Section, told: ToldStrangers): Section => ({
  ...section,
  value: { ...Object(value), told },
});

/**
 * @param guard beside the model, if there is one
 * @param name of the file, for messages
 * @returns null for a model that cannot tell
 * @throws ModelFileError when the section does not fit the model
 */
export function unlikeOf(
  { sections = {} }: ModelInfo,
  model: Model,
  guard: Model | null,
  name: string,
): UnlikeOfLayer | null {
  const section = sections[UNLIKE_SECTION];
  if (section === undefined) return null;
  const { layer, threshold, guard: isGuarded } = (section.value ?? {}) as Record<string, unknown>;
  const shape = isGuarded === true ? guard?.outputShape : model.nodes.find((each) => each.layer.name === layer)?.shape;
  const width = shape?.length === 1 ? shape[0] : 0;
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
      `${name}: expects a section '${UNLIKE_SECTION}' with a layer of the model, a threshold, means and a factor that fit it, got others`,
    );
  return { layer: isGuarded === true ? null : (layer as string), threshold, means, factor };
}
