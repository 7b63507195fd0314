/** Models as ONNX files, for onnxruntime and every other runtime that reads the format: standard operators only. */
import { expectObject } from '../../expect.js';
import { UsageError } from '../../errors.js';
import type { Model } from '../../nn/model.js';
import { formatShape } from '../../tensor/shape.js';
import { expectInfo, type ModelInfo } from '../beltnet/info.js';
import { expectModel, finiteWeights } from '../finite-weights.js';
import { OnnxGraph } from './graph.js';
import { addLayer, LaidOut } from './layers.js';
import { modelBytes, type OnnxValue } from './messages.js';
import { addPreprocessing, resizesInside } from './preprocessing.js';

export interface OnnxOptions {
  /** Whether the file takes decoded pictures (uint8) and does resizing, rescaling and normalization itself. Default false. */
  readonly withPreprocessing?: boolean;
}

/**
 * The file's bytes: equal for equal weights, info and options. Input and output are described in docs/onnx.md.
 * @throws UsageError for a layer that is not beltnet's own, and for class names that do not fit the model; ModelFileError for
 * weights that are not finite
 */
export async function encodeOnnx(model: Model, info: ModelInfo, options: OnnxOptions = {}): Promise<Uint8Array> {
  expectObject(options, 'encodeOnnx: options');
  const { withPreprocessing = false } = options;
  expectModel(model, 'encodeOnnx');
  expectInfo(info, 'encodeOnnx');
  const graph = new OnnxGraph();
  const { inputShape, nodes } = model;
  if (withPreprocessing && inputShape.length !== 3)
    throw new UsageError(`export: preprocessing expects a model of pictures [H,W,C], got ${formatShape(inputShape)}`);
  const output = outputOf(model, info);
  const input: OnnxValue = withPreprocessing
    ? picturesOf(model, info)
    : {
        name: 'input',
        type: 'float',
        shape: ['N', ...inputShape],
        description: 'pictures after preprocessing, channels last',
      };
  for (const { name } of [input, output]) graph.unique(name);

  const first = withPreprocessing ? addPreprocessing(graph, input.name, inputShape, info.preprocessing) : input.name;
  const values = [new LaidOut(graph, inputShape, { last: first })];
  const weights = await finiteWeights(model, 'encodeOnnx');
  for (const node of nodes) {
    const given = node.inputs.map((value) => values[value]);
    values.push(addLayer(graph, node, given, weights));
  }
  const last = values[values.length - 1].channelsLast();
  const { classNames, preprocessing, alert } = info;
  return modelBytes({
    name: 'beltnet',
    nodes: graph.nodesTo(last, output.name),
    tensors: graph.tensors,
    input,
    output,
    metadata: {
      classes: JSON.stringify(classNames),
      alert_class: alert.className,
      threshold: String(alert.threshold),
      preprocessing: JSON.stringify(preprocessing),
      preprocessing_inside: String(withPreprocessing),
    },
  });
}

/** What the file takes when the preprocessing is inside. */
function picturesOf({ inputShape: [height, width, channels] }: Model, { preprocessing }: ModelInfo): OnnxValue {
  const { interpolation, exif = false, region } = preprocessing;
  const turned = exif ? ', turned as their EXIF orientation says' : '';
  if (resizesInside(preprocessing)) {
    const shape = ['N', 'height', 'width', channels];
    return { name: 'pictures', type: 'uint8', shape, description: `pictures of any size${turned}` };
  }
  const cut = region ? `, cut to ${region.width}×${region.height} at ${region.x},${region.y}` : '';
  const description = `pictures${turned}${cut}, resized (${interpolation})`;
  return { name: 'pictures', type: 'uint8', shape: ['N', height, width, channels], description };
}

/** @throws UsageError unless there is a name for each class that the model tells apart */
function outputOf(model: Model, { classNames }: ModelInfo): OnnxValue {
  const { outputShape, units } = model;
  const shape = ['N', ...outputShape];
  const ending = model.nodes.at(-1)?.layer.activation;
  const single = ending === 'sigmoid' && units === 1;
  if (!single && ending !== 'softmax') return { name: 'output', type: 'float', shape, description: '' };
  if (classNames.length !== Math.max(2, units))
    throw new UsageError(
      `export: expects as many class names as the model tells apart, ${Math.max(2, units)}, got ${classNames.length}`,
    );
  return single
    ? { name: 'probability', type: 'float', shape, description: `probability of class '${classNames[1]}'` }
    : { name: 'probabilities', type: 'float', shape, description: 'probability of each class' };
}
