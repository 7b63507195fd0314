/** Who is measured. A peer's program lies in peers/ and speaks the protocol of README.md. */

/**
 * @typedef {object} Peer
 * @property {string} id
 * @property {string} label its row's name
 * @property {string} program
 * @property {'cpu' | 'webgpu'} device the part of the table that it stands in
 * @property {object} open parameters of the request `open`
 * @property {boolean} [trains] false: only inference
 * @property {boolean} [main] in the measurements that take only the strongest: scaling and start-up
 * @property {boolean} [slow] left out of `--quick`
 */

/** @type {Peer[]} */
export const peers = [
  {
    id: 'beltnet-cpu',
    label: 'beltnet cpu',
    program: 'beltnet.mjs',
    device: 'cpu',
    open: { device: 'cpu' },
    main: true,
  },
  {
    ...{
      id: 'pytorch-channels-last',
      label: 'PyTorch {version}, channels_last',
      program: 'pytorch.py',
      device: 'cpu',
      main: true,
    },
    open: { device: 'cpu', layout: 'channels_last' },
  },
  {
    ...{ id: 'pytorch', label: 'PyTorch {version}, default layout', program: 'pytorch.py', device: 'cpu' },
    open: { device: 'cpu', layout: 'default' },
  },
  {
    ...{ id: 'keras', label: 'Keras {version}', program: 'keras.py', device: 'cpu', main: true },
    open: { device: 'cpu' },
  },
  {
    ...{
      id: 'onnxruntime',
      label: 'onnxruntime-node {version}',
      program: 'onnxruntime.mjs',
      device: 'cpu',
      trains: false,
    },
    open: { device: 'cpu' },
  },
  {
    ...{ id: 'jax-wasm', label: 'jax-js {version} wasm', program: 'jax.mjs', device: 'cpu', slow: true },
    open: { device: 'wasm' },
  },
  {
    ...{ id: 'tfjs-wasm', label: 'tfjs {version} wasm', program: 'tfjs.mjs', device: 'cpu', slow: true },
    open: { device: 'wasm' },
  },
  {
    id: 'tfjs-cpu',
    label: 'tfjs {version} cpu',
    program: 'tfjs.mjs',
    device: 'cpu',
    slow: true,
    open: { device: 'cpu' },
  },
  {
    ...{ id: 'beltnet-webgpu', label: 'beltnet webgpu', program: 'beltnet.mjs', device: 'webgpu', main: true },
    open: { device: 'webgpu' },
  },
  {
    ...{ id: 'jax-webgpu', label: 'jax-js {version} webgpu', program: 'jax.mjs', device: 'webgpu' },
    open: { device: 'webgpu' },
  },
  {
    ...{ id: 'tfjs-webgpu', label: 'tfjs {version} webgpu', program: 'tfjs.mjs', device: 'webgpu' },
    open: { device: 'webgpu' },
  },
  {
    ...{ id: 'pytorch-cuda', label: 'PyTorch {version} on CUDA', program: 'pytorch.py', device: 'webgpu', main: true },
    open: { device: 'cuda', layout: 'channels_last' },
  },
];

/** What the others are compared with, in their part of the table. */
export const ours = { cpu: 'beltnet-cpu', webgpu: 'beltnet-webgpu' };

/** A peer's name, with its version where that is known. */
export const nameOf = ({ label }, version) => label.replace(' {version}', version ? ` ${version}` : '');
