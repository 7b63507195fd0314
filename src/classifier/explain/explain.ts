/** Why a model says what it says of pictures: heat maps for a class, and occlusion, which checks them without gradients. */
import { expectArray, expectBytes, expectObject, expectText } from '../../expect.js';
import { UsageError } from '../../errors.js';
import { DataFlow } from '../../data/batches.js';
import { renderBatch } from '../../nn/training/batch-source.js';
import { log } from '../../tensor/exact-math.js';
import { expectClassifier, type Classifier } from '../classifier.js';
import { explainedLayers, gradCam } from './grad-cam.js';
import { correlation, smoothed, type HeatMap } from './heat-map.js';

export interface ExplainOptions {
  /** Layers whose maps are looked at. Default: see {@link explainedLayers}. */
  readonly layers?: readonly string[] | undefined;
  /** Pictures a step. Default 16. */
  readonly batchSize?: number;
}

/**
 * Heat maps of prepared pictures, smoothed (see {@link smoothed}).
 *
 * @param pictures [N, height, width, 3], as `classifier.preparation.picture` makes them
 * @param classes names of the classes that are asked about, [N]
 * @throws UsageError for a class or a layer that the model does not have
 */
export async function explainPictures(
  classifier: Classifier,
  pictures: Uint8Array,
  classes: readonly string[],
  options: ExplainOptions = {},
): Promise<HeatMap[]> {
  expectClassifier(classifier, 'explainPictures: classifier');
  expectBytes(pictures, 'explainPictures: pictures');
  expectArray(classes, 'explainPictures: classes');
  expectObject(options, 'explainPictures: options');
  const { layers = explainedLayers(classifier.model), batchSize = 16 } = options;
  const { model, device, info, preparation } = classifier;
  const { width, height } = preparation.picture.size;
  const labels = classes.map((name) => classIndex(info.classNames, name));
  const length = width * height * 3;
  if (pictures.length !== classes.length * length)
    throw new UsageError(
      `explain: expects ${classes.length} pictures of ${width}×${height}×3 bytes, got ${pictures.length} bytes`,
    );
  const maps: HeatMap[] = [];
  for (let first = 0; first < classes.length; first += batchSize) {
    const some = labels.slice(first, first + batchSize);
    const set = {
      name: 'pictures to explain',
      pictures: pictures.subarray(first * length, (first + some.length) * length),
      pictureShape: [height, width, 3] as const,
    };
    const flow = new DataFlow(set, { batchSize: some.length, shuffle: false, ...preparation.values });
    maps.push(...(await gradCam(model, await renderBatch(device, flow, 0), some, layers)));
  }
  return maps.map(smoothed);
}

function classIndex(classNames: readonly string[], name: string): number {
  const index = classNames.indexOf(name);
  if (index >= 0) return index;
  throw new UsageError(
    `explain: expects one of the classes ${classNames.map((each) => `'${each}'`).join(', ')}, got '${name}'`,
  );
}

/** Places a side that are covered in turn, each with half of its neighbours. */
const GRID = 8;

/**
 * How much less a model believes in a class when a part of the picture is covered with what the picture shows half its width away:
 * what a heat map should agree with, found without gradients. A grey cover would only ever take something away, and where a class is
 * told by what is missing, that is the wrong question. After Zeiler, Fergus, "Visualizing and understanding convolutional networks" (2014).
 *
 * @param picture prepared, [height, width, 3]
 * @returns [8, 8]: by how much the class's log-odds fall, negative where they rise
 */
export async function occlusion(classifier: Classifier, picture: Uint8Array, name: string): Promise<HeatMap> {
  expectClassifier(classifier, 'occlusion: classifier');
  expectBytes(picture, 'occlusion: picture');
  expectText(name, 'occlusion: class');
  const { width, height } = classifier.preparation.picture.size;
  const label = classIndex(classifier.info.classNames, name);
  const all = new Uint8Array((GRID * GRID + 1) * picture.length);
  all.set(picture); // the first is whole
  for (let place = 0; place < GRID * GRID; place++) {
    const covered = all.subarray((place + 1) * picture.length, (place + 2) * picture.length);
    covered.set(picture);
    const reach = (at: number, side: number): [number, number] => [
      Math.floor((Math.max(0, at - 0.5) * side) / GRID),
      Math.ceil((Math.min(GRID, at + 1.5) * side) / GRID),
    ];
    const [left, right] = reach(place % GRID, width);
    const [top, bottom] = reach(Math.floor(place / GRID), height);
    for (let row = top; row < bottom; row++)
      for (let column = left; column < right; column++) {
        const from = 3 * (row * width + ((column + (width >> 1)) % width));
        covered.set(picture.subarray(from, from + 3), 3 * (row * width + column));
      }
  }
  const scores = (await classifier.predict(all)).map(({ probabilities }) => logOdds(probabilities, label));
  return { width: GRID, height: GRID, values: Float32Array.from(scores.slice(1), (score) => scores[0] - score) };
}

/** Against all others together, whose sum is exact where it is small. */
function logOdds(probabilities: readonly number[], label: number): number {
  const others = probabilities.reduce((sum, value, index) => (index === label ? sum : sum + value), 0);
  const [own, rest] = [probabilities[label], others].map((value) => Math.max(value, 1e-30));
  return log(own) - log(rest);
}

/** How far a heat map agrees with occlusion: their correlation, 1 at most; NaN where one of them says nothing. */
export const agreement = (map: HeatMap, covered: HeatMap): number => correlation(map, covered);
