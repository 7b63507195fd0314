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
export { elementwiseKernel, type ElementwiseDefinition } from './tensor/elementwise.js';
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
export {
  backward,
  defineOp,
  formatTape,
  noGrad,
  record,
  type DefinedOp,
  type Op,
  type TapeRecord,
} from './tensor/autograd.js';
export { philox4x32, Random, RandomStream } from './tensor/random.js';

export {
  DIFFERENCE_TOLERANCE,
  differenceError,
  kernelErrors,
  opDifferenceError,
  opErrors,
  type Differentiable,
  type Measurement,
} from './checks/checks.js';
export { checkNames, gradcheck, type CheckResult, type GradcheckOptions } from './checks/gradcheck.js';

export { add, multiply, squaredDifference } from './kernels/arithmetic.js';
export { augment } from './kernels/augment/augment.js';
export { averagePool2d } from './kernels/average-pool2d.js';
export { batchNorm, batchNormInference, type MovingStatistics } from './kernels/batch-norm.js';
export { addBias } from './kernels/bias.js';
export { binaryCrossEntropy, binaryCrossEntropyWithLogits } from './kernels/binary-cross-entropy.js';
export { concat } from './kernels/concat.js';
export { conv2d } from './kernels/conv2d/conv2d.js';
export { dense } from './kernels/dense.js';
export { dropout } from './kernels/dropout.js';
export { elu } from './kernels/elu.js';
export { flatten, reshape } from './kernels/flatten.js';
export { gelu } from './kernels/gelu.js';
export { classWeights, oneHot, smoothLabels } from './kernels/labels.js';
export { leakyRelu } from './kernels/leaky-relu.js';
export { maxPool2d } from './kernels/max-pool2d.js';
export { crop, pad, type Paddings } from './kernels/pad.js';
export { kernels, ops } from './kernels/registry.js';
export { floats, type RegisteredKernel, type RegisteredOp, type Sample, type SampleTensor } from './kernels/samples.js';
export { globalMaxPool2d, max } from './kernels/reduce-max.js';
export { globalAveragePool2d, mean, sum, type ReduceOptions } from './kernels/reduce.js';
export { relu } from './kernels/relu.js';
export { sigmoid } from './kernels/sigmoid.js';
export { softmaxCrossEntropy } from './kernels/softmax-cross-entropy.js';
export { softmax } from './kernels/softmax.js';
export { halfSquaredErrors, meanSquaredErrors } from './kernels/squared-errors.js';
export { sumOfSquares } from './kernels/sum-of-squares.js';
export { swish } from './kernels/swish.js';
export { tanh } from './kernels/tanh.js';

export type { Activation as ActivationName } from './nn/activation.js';
export { Layer, type CallContext, type LayerConfig, type LayerOptions } from './nn/layer.js';
export { Conv2D, Dense, DepthwiseConv2D, Flatten, MaxPooling2D, type Regularizer } from './nn/layers.js';
export {
  binaryCrossentropy,
  categoricalCrossentropy,
  halfQuadratic,
  meanSquaredError,
  type Loss,
} from './nn/losses.js';
export { accuracy, averagePrecision, classScores, confusionMatrix, rocAuc, type ClassScores } from './nn/metrics.js';
export { Model, type CompileOptions, type ModelConfig, type ModelNode } from './nn/model.js';
export {
  Activation,
  Add,
  AveragePooling2D,
  BatchNormalization,
  Concatenate,
  Dropout,
  ELU,
  GlobalAveragePooling2D,
  GlobalMaxPooling2D,
  LeakyReLU,
  Multiply,
  ReLU,
  Reshape,
  Softmax,
  ZeroPadding2D,
} from './nn/more-layers.js';
export { Sequential } from './nn/sequential.js';
export { input, type SymbolicTensor } from './nn/symbolic.js';
export { renderBatch } from './nn/batch-source.js';
export type { BatchPlan, Batches } from './nn/batches.js';
export type { EpochLog, EvaluateOptions, FitOptions, History, Progress, SetMetrics } from './nn/fit.js';
export { measurePeak, type KernelProfile, type StepProfile } from './nn/profile.js';
export type { NamedWeights } from './nn/parameters.js';
export { adam, adamW, type AdamOptions, type AdamWOptions } from './optim/adam.js';
export { rmsprop, type RmspropOptions } from './optim/rmsprop.js';
export {
  constant,
  cosineDecay,
  exponentialDecay,
  piecewiseConstantDecay,
  reduceOnPlateau,
  type Schedule,
} from './optim/schedules.js';
export { sgd, type SgdOptions } from './optim/sgd.js';
export type { Optimizer } from './optim/optimizer.js';

export {
  imageDataGenerator,
  type ImageDataGenerator,
  type ImageDataGeneratorOptions,
} from './data/image-data-generator.js';
export { DataFlow } from './data/batches.js';
export type { AugmentationOptions, AugmentationProfile, FillMode } from './data/augmentation.js';
export type { Normalization, NormalizationOptions } from './data/normalization.js';
export { classCounts, subset, type Dataset } from './data/dataset.js';
export { decode, type DecodeOptions } from './data/decode.js';
export { pictureFormat, type KnownFormat } from './data/format.js';
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
export { contactSheet, type SheetRow } from './data/contact-sheet.js';
export type { PictureFacts } from './data/picture-facts.js';
export type { Pictures, PictureStore } from './data/picture-store.js';
export {
  crop as cropPicture,
  interpolations,
  prepare,
  resize,
  type Interpolation,
  type Preparation,
  type Region,
  type Size,
} from './data/resize.js';
export { beltPicture } from './data/synthetic.js';

export { exportKeras, importKeras, type ImportedKeras, type KerasFile } from './formats/keras/keras.js';
export { decodeModel, encodeModel, type ModelInfo } from './formats/model.js';
export { encodeOnnx, type OnnxOptions } from './formats/onnx/onnx.js';
export { readSafetensors, writeSafetensors } from './formats/safetensors.js';
export { encodeTorchSafetensors } from './formats/torch.js';
