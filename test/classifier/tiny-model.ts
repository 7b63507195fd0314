/** A small trained-looking model, with weights that can be spoilt. */
import { DataFlow, encodeModel, Sequential, Dense, Flatten, Conv2D, type Device, type ModelInfo } from 'beltnet';

export const SIDE = 12;

export const info: ModelInfo = {
  classNames: ['gap', 'ok'],
  preprocessing: {
    ...{ interpolation: 'bilinear', rescale: 1 / 255, exif: true },
    ...{ region: { x: 2, y: 1, width: 20, height: 16 }, normalization: { featurewiseMean: [0.4, 0.5, 0.6] } },
  },
  alert: { className: 'gap', threshold: 0.5 },
};

export function tinyModel(units = 1, seed = 3): Sequential {
  return new Sequential(
    [
      new Conv2D(4, [3, 3], { inputShape: [SIDE, SIDE, 3], activation: 'relu' }),
      new Flatten(),
      new Dense(units, { activation: units === 1 ? 'sigmoid' : 'softmax' }),
    ],
    { seed },
  );
}

/** Finite weights whose products overflow wherever a picture is bright: of NaN weights no file can be made. */
export async function overflowing(): Promise<Sequential> {
  const model = tinyModel();
  const weights = await model.getWeights();
  const [kernel] = Object.keys(weights).filter((name) => name.startsWith('conv') && name.endsWith('kernel'));
  const [dense] = Object.keys(weights).filter((name) => name.startsWith('dense') && name.endsWith('kernel'));
  const scaled = {
    ...weights,
    [kernel]: { ...weights[kernel], data: weights[kernel].data.map((value) => Math.min(3e38, Math.abs(value) * 3e39)) },
    [dense]: { ...weights[dense], data: weights[dense].data.map((_, index) => (index % 2 === 0 ? 1 : -1)) },
  };
  model.setWeights(scaled);
  return model;
}

export const bytesOf = (model: Sequential, given: ModelInfo = info): Promise<Uint8Array> => encodeModel(model, given);

/** What the model says of prepared pictures, computed without the classifier: [n] probabilities of class 1. */
export async function predictPrepared(
  device: Device,
  model: Sequential,
  pictures: readonly Uint8Array[],
): Promise<number[]> {
  const bytes = new Uint8Array(Buffer.concat(pictures));
  const { rescale, normalization = {} } = info.preprocessing;
  const set = { name: 'prepared', pictures: bytes, pictureShape: [SIDE, SIDE, 3] as const };
  model.compile({ device });
  return [...(await model.predict(new DataFlow(set, { shuffle: false, rescale, normalization })))];
}
