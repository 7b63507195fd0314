/**
 * Pictures that a model file carries with what the model said of them where it was made (the section `verdicts`). Before it goes live
 * somewhere else it must say the same there: a file of another model, a damaged one, and a device that computes wrongly are told.
 */
import { DataError, ModelFileError } from '../errors.js';
import { expectBytes, expectFinite, expectWhole, objectWith } from '../expect.js';
import { expectInfo, type ModelInfo } from '../formats/beltnet/info.js';
import { expectClassifier, type Classifier } from './classifier.js';

export const VERDICTS_SECTION = 'verdicts';

/** Most that a probability may differ from one device to another. */
export const PARITY_TOLERANCE = 1e-4;

/** More would only make the file larger. */
export const MOST_STORED = 64;

/** What a model said of some pictures. */
export interface StoredVerdicts {
  /** As the model sees them, [n, height, width, 3]. */
  readonly pictures: Uint8Array;
  /** As the network says them, before a temperature is applied: neither calibration nor threshold changes them. [n, classes] */
  readonly probabilities: Float32Array;
}

/** How far what a model says now is from what it said. */
export interface Reproduced {
  readonly pictures: number;
  readonly worstDifference: number;
  readonly tolerance: number;
}

/**
 * The info with the pictures and their verdicts, in place of those that were there.
 * @param height of the pictures that the model takes, as `width`
 * @throws UsageError, DataError for what does not fit together
 */
export function withVerdicts(info: ModelInfo, given: StoredVerdicts, height: number, width: number): ModelInfo {
  expectInfo(info, 'withVerdicts');
  objectWith({ pictures: expectBytes, probabilities: expectFinite })(given, 'withVerdicts: verdicts');
  const { pictures, probabilities } = given;
  const classes = info.classNames.length;
  const count = probabilities.length / classes;
  expectWhole(count, 'withVerdicts: the number of pictures', 1, MOST_STORED);
  expectWhole(height, 'withVerdicts: height', 1, 2 ** 15);
  expectWhole(width, 'withVerdicts: width', 1, 2 ** 15);
  if (pictures.length !== count * height * width * 3)
    throw new DataError(`withVerdicts: expects pictures [${count},${height},${width},3], got ${pictures.length} bytes`);
  const section = {
    tensors: {
      pictures: { dtype: 'U8' as const, shape: [count, height, width, 3], data: pictures },
      probabilities: { dtype: 'F32' as const, shape: [count, classes], data: probabilities },
    },
  };
  return { ...info, sections: { ...info.sections, [VERDICTS_SECTION]: section } };
}

/** Null for a model without them. @throws ModelFileError for a section that does not fit the model */
export function storedVerdictsOf(classifier: Classifier): StoredVerdicts | null {
  expectClassifier(classifier, 'storedVerdictsOf: classifier');
  const { info, model, name } = classifier;
  const section = info.sections?.[VERDICTS_SECTION];
  if (section === undefined) return null;
  const { pictures, probabilities } = section.tensors ?? {};
  const [height, width] = model.inputShape;
  const count = pictures?.shape[0] ?? 0;
  const is = (shape: readonly number[] | undefined, expected: readonly number[]): boolean =>
    shape?.join() === expected.join();
  const fits =
    is(pictures?.shape, [count, height, width, 3]) &&
    is(probabilities?.shape, [count, info.classNames.length]) &&
    count >= 1 &&
    count <= MOST_STORED &&
    pictures.data instanceof Uint8Array &&
    probabilities.data instanceof Float32Array &&
    probabilities.data.every((value) => value >= 0 && value <= 1);
  if (!fits)
    throw new ModelFileError(
      `${name}: expects a section '${VERDICTS_SECTION}' with 1 to ${MOST_STORED} pictures of the model's size and the probabilities of ` +
        `${info.classNames.length} classes for each, got others`,
    );
  return { pictures: pictures.data, probabilities: probabilities.data };
}

/**
 * Whether a model says of its stored pictures what it said where it was made.
 * @returns null for a model without stored verdicts
 * @throws ModelFileError when it does not, or its section does not fit it
 */
export async function reproduceVerdicts(classifier: Classifier): Promise<Reproduced | null> {
  expectClassifier(classifier, 'reproduceVerdicts: classifier');
  const stored = storedVerdictsOf(classifier);
  if (stored === null) return null;
  const predictions = await classifier.predict(stored.pictures);
  const got = predictions.flatMap(({ probabilities }) => probabilities);
  const worstDifference = stored.probabilities.reduce((most, value, at) => {
    const difference = Math.abs(value - got[at]);
    return Math.max(most, Number.isNaN(difference) ? 1 : difference);
  }, 0);
  if (worstDifference > PARITY_TOLERANCE)
    throw new ModelFileError(
      `${classifier.name}: expects its ${predictions.length} stored verdicts within ${PARITY_TOLERANCE}, got a probability that differs by ` +
        `${worstDifference.toPrecision(3)} on ${classifier.device.description.name}; it must not be used here`,
    );
  return { pictures: predictions.length, worstDifference, tolerance: PARITY_TOLERANCE };
}

/**
 * What a model must be to take the place of another: of the same classes, or who asks would misread its verdicts; and it must give its stored
 * verdicts again.
 * @throws ModelFileError when it is not, does not, or has none
 */
export async function expectSuccessor(
  classifier: Classifier,
  before: Pick<ModelInfo, 'classNames' | 'alert'>,
): Promise<Reproduced> {
  expectClassifier(classifier, 'expectSuccessor: classifier');
  const { classNames, alert } = classifier.info;
  if (classNames.join() !== before.classNames.join() || alert.className !== before.alert.className)
    throw new ModelFileError(
      `${classifier.name}: expects the classes ${before.classNames.join(', ')} and the alert class ${before.alert.className}, ` +
        `got ${classNames.join(', ')} and ${alert.className}; for another task start anew`,
    );
  const reproduced = await reproduceVerdicts(classifier);
  if (reproduced) return reproduced;
  throw new ModelFileError(
    `${classifier.name}: expects stored verdicts, which it gives again before it goes live, got none; ` +
      'store them with "beltnet parity MODEL PICTURES --write"',
  );
}
