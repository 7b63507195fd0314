/** Opening a model for `evaluate`, `predict` and their kin. */
import { statSync } from 'node:fs';
import { join } from 'node:path';
import { ModelFileError, UsageError } from '../../src/errors.js';
import { loadModel, type Device, type Model, type ModelInfo, type Size } from '../../src/index.node.js';

export interface OpenedModel {
  readonly path: string;
  readonly model: Model;
  readonly info: ModelInfo;
  /** Of the pictures that it takes. */
  readonly size: Size;
}

/**
 * @param given a model file, or the folder of a run
 * @throws ModelFileError when there is none, or one that does not classify RGB pictures
 */
export async function openModel(given: string): Promise<OpenedModel> {
  const path = modelPath(given);
  const { model, info } = await loadModel(path);
  const [height, width, channels] = model.inputShape;
  if (channels !== 3)
    throw new ModelFileError(
      `${path}: expected a model of pictures with 3 channels (RGB), got one of [${model.inputShape.join(',')}]`,
    );
  return { path, model, info, size: { width, height } };
}

/** @param given a model file, or the folder of a run */
export const modelPath = (given: string): string => (isFolder(given) ? join(given, 'model.safetensors') : given);

function isFolder(path: string): boolean {
  try {
    return statSync(path).isDirectory();
  } catch {
    return false; // loadModel says what is wrong with it
  }
}

/** Puts the model on a device. @throws ModelFileError when it does not end in one sigmoid unit or a softmax */
export function compileModel({ path, model }: OpenedModel, device: Device): void {
  try {
    model.compile({ device });
  } catch (error) {
    if (error instanceof UsageError) throw new ModelFileError(`${path}: ${error.message}`, { cause: error });
    throw error;
  }
}

/** What a model says about a picture. */
export interface Verdict {
  readonly className: string;
  /** Of that class. */
  readonly probability: number;
  readonly probabilities: Readonly<Record<string, number>>;
  readonly alert: boolean;
}

/** What `model.predict` gives, as the probabilities of all classes for each picture: of one sigmoid unit, 1 − p and p. */
export function classProbabilities({ model }: OpenedModel, predicted: Float32Array): number[][] {
  const { units } = model;
  return Array.from({ length: predicted.length / units }, (_, n) =>
    units === 1 ? [1 - predicted[n], predicted[n]] : [...predicted.subarray(n * units, (n + 1) * units)],
  );
}

/** The most probable class (a tie goes to the first, as in the accuracy), and whether the alert's class reaches its threshold. */
export function judge(probabilities: readonly number[], { classNames, alert }: ModelInfo): Verdict {
  const predicted = probabilities.indexOf(Math.max(...probabilities));
  return {
    className: classNames[predicted],
    probability: probabilities[predicted],
    probabilities: Object.fromEntries(classNames.map((name, index) => [name, probabilities[index]])),
    alert: probabilities[classNames.indexOf(alert.className)] >= alert.threshold,
  };
}
