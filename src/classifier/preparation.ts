/**
 * From what a model file says of pictures to what is done to them. Every path from a file to a score goes through here:
 * training, evaluating, predicting, comparing devices, importing, the page. One that did not would judge other pictures
 * than those that the model was trained on.
 */
import { expectNumber, expectObject, objectWith } from '../expect.js';
import type { Interpolation, Preparation, Region, Size } from '../data/pictures/resize.js';
import type { Normalization } from '../data/normalization.js';
import type { ModelInfo } from '../formats/beltnet/info.js';

export type Preprocessing = ModelInfo['preprocessing'];

export interface PicturePreparation {
  /** What makes of a decoded picture one of the model's size, in bytes. */
  readonly picture: Preparation;
  /** What the device makes of its bytes, batch by batch. */
  readonly values: { readonly rescale: number; readonly normalization: Normalization };
}

/** @param size of the pictures that the model takes */
export function preparationOf(info: Pick<ModelInfo, 'preprocessing'>, size: Size): PicturePreparation {
  objectWith({ preprocessing: expectObject })(info, 'preparationOf: info');
  const { preprocessing } = info;
  const { interpolation, rescale, region, exif = false, normalization = {} } = preprocessing;
  return {
    picture: { size, interpolation, exif, ...(region && { region }) },
    values: { rescale, normalization },
  };
}

/** Of red, green and blue from 0 to 1: what networks of torchvision and many others take the pictures of ImageNet by. */
export const IMAGENET: Normalization = {
  featurewiseMean: [0.485, 0.456, 0.406],
  featurewiseStd: [0.229, 0.224, 0.225],
};

export interface PreprocessingOptions {
  /** Default `nearest`, as in Keras. */
  readonly interpolation?: Interpolation | undefined;
  /** Factor on the pixel values 0 to 255. Default 1/255. */
  readonly rescale?: number | undefined;
  readonly region?: Region | undefined;
  readonly exif?: boolean | undefined;
  readonly normalization?: Normalization | undefined;
}

/** What a model file keeps of these: nothing of what is as by default. */
export function preprocessingOf(options: PreprocessingOptions): Preprocessing {
  expectObject(options, 'preprocessingOf: options');
  const { interpolation = 'nearest', rescale = 1 / 255, region, exif, normalization } = options;
  return {
    interpolation,
    rescale,
    ...(region && { region }),
    ...(exif && { exif }),
    ...(normalization && Object.keys(normalization).length > 0 && { normalization }),
  };
}

/**
 * A Rescaling layer at the start of a Keras model, which is no part of the imported one: its factor joins the factor on the pixel values, its
 * offset o becomes a mean of −o: (x·scale) − (−o), to the bit what Keras computes. Nothing where there is none.
 */
export function rescaled(
  rescaling: { readonly scale: number; readonly offset: number } | null,
): Pick<PreprocessingOptions, 'rescale' | 'normalization'> {
  if (rescaling === null) return {};
  objectWith({ scale: expectNumber, offset: expectNumber })(rescaling, 'rescaled: rescaling');
  const { scale, offset } = rescaling;
  return { rescale: scale, ...(offset !== 0 && { normalization: { featurewiseMean: [-offset, -offset, -offset] } }) };
}
