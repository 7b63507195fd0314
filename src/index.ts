/** beltnet for browsers (and everything else that is not Node): the whole public API but folders, files and workers. */
export * from './errors.js';

export {
  chooseDevice,
  listAdapters,
  openDevice,
  type DeviceChoice,
  type DeviceName,
  type OpenDeviceOptions,
} from './tensor/open-device.js';
export { Device, type DeviceDescription, type DeviceStatistics } from './tensor/device.js';
export { CpuDevice } from './tensor/cpu-device.js';
export { ReferenceDevice } from './tensor/reference-device.js';
export { WebGpuDevice, type AdapterDescription } from './tensor/webgpu-device.js';
export { defineKernel, dispatchThreads, ENTRY, planThreads } from './tensor/kernel.js';
export type {
  BufferView,
  Dispatch,
  Kernel,
  Numbers,
  Operands,
  OperandShapes,
  Plan,
  WasmCall,
} from './tensor/kernel.js';
export type { DType, Shape } from './tensor/shape.js';
export { emptyTensor, launch, tensor, Tensor, zeros } from './tensor/tensor.js';
export { backward, defineOp, formatTape, noGrad, record, type Op, type TapeRecord } from './tensor/autograd.js';
export { philox4x32, Random, RandomStream } from './tensor/random.js';

export { addBias } from './kernels/bias.js';
export { augment } from './kernels/augment.js';
export { binaryCrossEntropy, binaryCrossEntropyWithLogits } from './kernels/binary-cross-entropy.js';
export { conv2d } from './kernels/conv2d/conv2d.js';
export { dense } from './kernels/dense.js';
export { flatten, reshape } from './kernels/flatten.js';
export { maxPool2d } from './kernels/max-pool2d.js';
export { mean, sum } from './kernels/reduce.js';
export { relu } from './kernels/relu.js';
export { sigmoid } from './kernels/sigmoid.js';

export { Conv2D, Dense, Flatten, Layer, MaxPooling2D } from './nn/layers.js';
export { Sequential, type CompileOptions } from './nn/sequential.js';
export { binaryCrossentropy, type Loss } from './nn/losses.js';
export type { BatchPlan, Batches } from './nn/batches.js';
export type { EpochLog, EvaluateOptions, FitOptions, History, Progress, SetMetrics } from './nn/fit.js';
export type { NamedWeights } from './nn/parameters.js';
export { adam, type AdamOptions } from './optim/adam.js';
export { sgd, type SgdOptions } from './optim/sgd.js';
export type { Optimizer } from './optim/optimizer.js';

export {
  imageDataGenerator,
  type ImageDataGenerator,
  type ImageDataGeneratorOptions,
} from './data/image-data-generator.js';
export { DataFlow } from './data/batches.js';
export type { AugmentationOptions, AugmentationProfile } from './data/augmentation.js';
export { classCounts, subset, type Dataset } from './data/dataset.js';
export type { Picture } from './data/picture.js';
export {
  audit,
  type AuditedPicture,
  type AuditedSet,
  type AuditOptions,
  type AuditReport,
  type Finding,
  type FindingKind,
  type SetSummary,
} from './data/audit.js';
export type { PictureFacts } from './data/picture-facts.js';
export type { Pictures, PictureStore } from './data/picture-store.js';
export { crop, prepare, resize, type Interpolation, type Preparation, type Region, type Size } from './data/resize.js';
export { beltPicture } from './data/synthetic.js';

export { decodeModel, encodeModel, type ModelInfo } from './formats/model.js';
export { readSafetensors, writeSafetensors } from './formats/safetensors.js';
