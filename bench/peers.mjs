/** Who is measured. A peer's program lies in peers/ and speaks the protocol of README.md. */

/**
 * @param {'cpu' | 'webgpu'} device the part of the tables that it stands in
 * @param {string} id
 * @param {string} label its row's name
 * @param {string} program in peers/
 * @param {object} open parameters of the request `open`
 * @param {object} [traits]
 * @param {boolean} [traits.trains] false: only inference
 * @param {boolean} [traits.trainsFolders] it can train on a folder of pictures
 * @param {boolean} [traits.strong] one of those that larger problems are measured with
 * @param {boolean} [traits.slow] left out of `--quick` and of the start-up
 */
const peer = (device, id, label, program, open, traits = {}) => ({ device, id, label, program, open, ...traits });

const strong = { strong: true };
const strongAndWhole = { strong: true, trainsFolders: true };
const slow = { slow: true };

export const peers = [
  peer('cpu', 'beltnet-cpu', 'beltnet cpu', 'beltnet.mjs', { device: 'cpu' }, strong),
  peer(
    ...['cpu', 'pytorch-channels-last', 'PyTorch {version}, channels_last', 'pytorch.py'],
    ...[{ device: 'cpu', layout: 'channels_last' }, strongAndWhole],
  ),
  peer('cpu', 'pytorch', 'PyTorch {version}, default layout', 'pytorch.py', { device: 'cpu', layout: 'default' }),
  peer('cpu', 'keras', 'Keras {version}', 'keras.py', { device: 'cpu' }, strongAndWhole),
  peer('cpu', 'onnxruntime', 'onnxruntime-node {version}', 'onnxruntime.mjs', { device: 'cpu' }, { trains: false }),
  peer('cpu', 'jax-wasm', 'jax-js {version} wasm', 'jax.mjs', { device: 'wasm' }, slow),
  peer('cpu', 'tfjs-wasm', 'tfjs {version} wasm', 'tfjs.mjs', { device: 'wasm' }, slow),
  peer('cpu', 'tfjs-cpu', 'tfjs {version} cpu', 'tfjs.mjs', { device: 'cpu' }, slow),
  peer('webgpu', 'beltnet-webgpu', 'beltnet webgpu', 'beltnet.mjs', { device: 'webgpu' }, strong),
  peer('webgpu', 'jax-webgpu', 'jax-js {version} webgpu', 'jax.mjs', { device: 'webgpu' }),
  peer('webgpu', 'tfjs-webgpu', 'tfjs {version} webgpu', 'tfjs.mjs', { device: 'webgpu' }),
  peer(
    ...['webgpu', 'pytorch-cuda', 'PyTorch {version} on CUDA', 'pytorch.py'],
    ...[{ device: 'cuda', layout: 'channels_last' }, strongAndWhole],
  ),
];

/** What peers are compared with, in each part of the tables. */
export const ours = { cpu: 'beltnet-cpu', webgpu: 'beltnet-webgpu' };

/** Rows that are a command of beltnet as a whole. */
export const commands = [
  { id: 'beltnet-train-cpu', label: 'beltnet train --device cpu' },
  { id: 'beltnet-train-cpu-again', label: '… again, pictures in its cache' },
  { id: 'beltnet-train-webgpu', label: 'beltnet train --device webgpu' },
  { id: 'beltnet-train-webgpu-again', label: '… again, pictures in its cache' },
  { id: 'beltnet-demo', label: 'npm run demo' },
];

/** What peers' own whole trainings are compared with. */
export const ourCommands = { cpu: 'beltnet-train-cpu', webgpu: 'beltnet-train-webgpu' };

/** A peer's name, with its version where that is known. */
export const nameOf = ({ label }, version) => label.replace(' {version}', version ? ` ${version}` : '');
