/** A calibrated model for runtimes that know no temperature: the same probabilities from other weights. */
import { ModelFileError } from '../errors.js';
import type { ModelInfo } from '../formats/beltnet/info.js';
import type { Layer } from '../nn/layers/layer.js';
import type { Model } from '../nn/model.js';
import { temperatureOf } from './tuning.js';

/** What multiplies its output by a factor when its input is: f(s · x) = s · f(x) for s > 0. */
const homogeneous = new Set([
  'Dropout',
  'Flatten',
  'Reshape',
  'MaxPooling2D',
  'AveragePooling2D',
  'GlobalAveragePooling2D',
  'GlobalMaxPooling2D',
  'Activation', // the last layer's; others are told by their activation
  'Softmax',
]);

/**
 * Divides the weights that give the logits by the temperature of the section `calibration`: sigmoid(logit / T) and softmax(logits / T)
 * are what a calibrated model says. Without that section nothing changes.
 *
 * @param model not compiled; its weights are set
 * @returns the info without the section
 * @throws ModelFileError for a network whose logits do not come from a dense layer or a convolution
 */
export async function foldTemperature(model: Model, info: ModelInfo, name = 'model'): Promise<ModelInfo> {
  const temperature = temperatureOf(info, name);
  if (temperature === 1) return info;
  const { kernel, bias } = weightsOfLogits(model, name);
  const weights = await model.getWeights();
  const divided = (given: Float32Array): Float32Array => given.map((value) => value / temperature);
  model.setWeights({
    ...weights,
    [kernel]: { ...weights[kernel], data: divided(weights[kernel].data) },
    ...(bias in weights && { [bias]: { ...weights[bias], data: divided(weights[bias].data) } }),
  });
  const { calibration: _, ...sections } = info.sections ?? {};
  return { ...info, sections };
}

/** Names of the kernel and the bias whose sums the last activation takes. */
function weightsOfLogits({ nodes }: Model, name: string): { kernel: string; bias: string } {
  for (let at = nodes.length - 1; at >= 0;) {
    const { layer, inputs } = nodes[at];
    const isLast = at === nodes.length - 1;
    const { kind } = layer.constructor as typeof Layer & { kind: string };
    const isLinear = isLast || layer.activation === 'linear';
    if (isLinear && (kind === 'Dense' || kind === 'Conv2D'))
      return { kernel: `${layer.name}.kernel`, bias: `${layer.name}.bias` };
    if (!isLinear || !homogeneous.has(kind) || inputs.length !== 1) break;
    at = inputs[0] - 1; // 0 is the model's input
  }
  throw new ModelFileError(
    `${name}: expects logits of a dense layer or a convolution, whose weights take the temperature of its calibration, got those of ` +
      `${nodes.at(-1)?.layer.name ?? 'nothing'}; export the model from before evaluate --calibrate`,
  );
}
