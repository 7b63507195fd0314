/** Preprocessing inside the graph: from pictures as they are decoded to what the network takes. */
import type { Shape } from '../../tensor/shape.js';
import type { ModelInfo } from '../beltnet/info.js';
import type { OnnxGraph } from './graph.js';
import { DataType } from './messages.js';

/** Added to standard deviations before they divide, as in training. */
const EPSILON = 1e-6;
const SCOPE = 'preprocessing';

/**
 * Nearest is done in the graph, to the last pixel; the other filters are not, since ONNX' own Resize averages in floats
 * where Pillow rounds twice, to whole numbers.
 */
export const resizesInside = ({ interpolation }: ModelInfo['preprocessing']): boolean => interpolation === 'nearest';

/**
 * @param pictures name of uint8 [N,height,width,C]: of any size when the graph resizes, else the model's
 * @returns the name of float32 [N,H,W,C]
 */
export function addPreprocessing(
  graph: OnnxGraph,
  pictures: string,
  [height, width, channels]: Shape,
  preprocessing: ModelInfo['preprocessing'],
): string {
  const { rescale, region, normalization = {} } = preprocessing;
  const add = (operator: string, inputs: readonly string[], attributes = {}): string =>
    graph.node(SCOPE, operator, inputs, attributes);
  const constant = (name: string, values: readonly number[]): string =>
    graph.constant(`${SCOPE}.${name}`, values.length === 1 ? [] : [values.length], () => Float32Array.from(values));
  let x = pictures;
  if (resizesInside(preprocessing)) {
    x = add('Gather', [x, nearest(graph, pictures, 1, height, region && [region.y, region.height])], { axis: 1 });
    x = add('Gather', [x, nearest(graph, pictures, 2, width, region && [region.x, region.width])], { axis: 2 });
  }
  x = add('Mul', [add('Cast', [x], { to: DataType.float }), constant('rescale', [rescale])]);
  const { samplewiseCenter, samplewiseStdNormalization, featurewiseMean, featurewiseStd } = normalization;
  if (samplewiseCenter || samplewiseStdNormalization) {
    const axes = graph.integers(`${SCOPE}.picture_axes`, [1, 2, 3]);
    const centred = add('Sub', [x, add('ReduceMean', [x, axes])]);
    const variance = add('ReduceMean', [add('Mul', [centred, centred]), axes]);
    if (samplewiseCenter) x = centred;
    if (samplewiseStdNormalization)
      x = add('Div', [x, add('Add', [add('Sqrt', [variance]), constant('epsilon', [EPSILON])])]);
  }
  if (featurewiseMean) x = add('Sub', [x, constant('mean', featurewiseMean.slice(0, channels))]);
  if (featurewiseStd) {
    const divisors = featurewiseStd.slice(0, channels).map((deviation) => deviation + EPSILON);
    x = add('Div', [x, constant('deviation', divisors)]);
  }
  return x;
}

/**
 * Rows or columns that Pillow's nearest takes: floor((i + ½) · input / output), summed up step by step in float64, since
 * where the exact value is a whole number the rounding of that sum decides.
 *
 * @param axis of the pictures
 * @param part first pixel and length of the region's side; by default the whole side
 * @returns the name of int64 [outputLength]
 */
function nearest(
  graph: OnnxGraph,
  pictures: string,
  axis: 1 | 2,
  outputLength: number,
  part?: [number, number],
): string {
  const side = axis === 1 ? 'rows' : 'columns';
  const scope = `${SCOPE}/${side}`;
  const add = (operator: string, inputs: readonly string[], attributes = {}): string =>
    graph.node(scope, operator, inputs, attributes);
  const doubles = (name: string, values: readonly number[], shape: Shape = [values.length]): string =>
    graph.constant(`${SCOPE}.${side}.${name}`, shape, () => Float64Array.from(values));
  const integers = (name: string, values: readonly number[], shape?: Shape): string =>
    graph.integers(`${SCOPE}.${side}.${name}`, values, shape);
  const length = part
    ? doubles('length', [part[1]])
    : add('Cast', [add('Shape', [pictures], { start: axis, end: axis + 1 })], { to: DataType.double });
  const step = add('Div', [length, doubles('output_length', [outputLength])]);
  const halfThenOnes = Array.from({ length: outputLength }, (_, i) => (i === 0 ? 0.5 : 1));
  const steps = add('Mul', [step, doubles('steps', halfThenOnes)]);
  const positions = add('Floor', [add('CumSum', [steps, integers('axis', [0], [])])]);
  const last = add('Sub', [length, doubles('one', [1])]);
  const indices = add('Cast', [add('Min', [positions, last])], { to: DataType.int64 });
  return part ? add('Add', [indices, integers('first', [part[0]])]) : indices;
}
