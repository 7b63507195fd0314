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
export { CpuDevice } from './tensor/cpu/cpu-device.js';
export { ReferenceDevice } from './tensor/reference/reference-device.js';
export { WebGpuDevice } from './tensor/webgpu/webgpu-device.js';
export type { AdapterDescription, GpuAdapterObject, GpuObject } from './tensor/webgpu/adapter.js';
export { elementwiseKernel, type ElementwiseDefinition } from './tensor/elementwise.js';
export { Expression, type OperandKind } from './tensor/expression.js';
export { defineKernel, dispatchThreads, ENTRY, planThreads } from './tensor/kernel.js';
export type {
  BufferView,
  Dispatch,
  GeneratedFunction,
  Kernel,
  KernelTarget,
  Numbers,
  Operands,
  OperandShapes,
  Plan,
  WasmCall,
} from './tensor/kernel.js';
export type { DType, Shape } from './tensor/shape.js';
export { emptyTensor, launch, tensor, Tensor, viewOf, zeros } from './tensor/tensor.js';
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

export {
  add,
  divide,
  maximum,
  minimum,
  multiply,
  squaredDifference,
  subtract,
} from './kernels/elementwise/arithmetic.js';
export { abs, affine, clip, exp, log, pow, sqrt } from './kernels/elementwise/functions.js';
export { broadcastTo } from './kernels/reduce/broadcast.js';
export { augment } from './kernels/augment/augment.js';
export { averagePool2d } from './kernels/pool/average-pool2d.js';
export { batchNorm, batchNormInference, type MovingStatistics } from './kernels/norm/batch-norm.js';
export { addBias } from './kernels/dense/bias.js';
export { binaryCrossEntropy, binaryCrossEntropyWithLogits } from './kernels/loss/binary-cross-entropy.js';
export { concat } from './kernels/move/concat.js';
export { permute } from './kernels/move/permute.js';
export { conv2d } from './kernels/conv2d/conv2d.js';
export { dense } from './kernels/dense/dense.js';
export { dropout } from './kernels/elementwise/dropout.js';
export { elu } from './kernels/activation/elu.js';
export { flatten, reshape } from './kernels/move/reshape.js';
export { gelu } from './kernels/activation/gelu.js';
export { classWeights, oneHot, smoothLabels } from './kernels/loss/labels.js';
export { boundedRelu } from './kernels/activation/bounded-relu.js';
export { hardSigmoid, hardSwish } from './kernels/activation/hard-sigmoid.js';
export { leakyRelu } from './kernels/activation/leaky-relu.js';
export { maxPool2d } from './kernels/pool/max-pool2d.js';
export { crop, pad, type Paddings } from './kernels/move/pad.js';
export { plainKernels } from './checks/plain-kernels.js';
export { kernels, ops } from './kernels/registry.js';
export {
  floats,
  type RegisteredKernel,
  type RegisteredOp,
  type Sample,
  type SampleTensor,
} from './kernels/shared/samples.js';
export { globalMaxPool2d, max } from './kernels/reduce/reduce-max.js';
export { globalAveragePool2d, mean, sum, type ReduceOptions } from './kernels/reduce/reduce.js';
export { relu } from './kernels/activation/relu.js';
export { sigmoid } from './kernels/activation/sigmoid.js';
export { softmaxCrossEntropy } from './kernels/loss/softmax-cross-entropy.js';
export { softmax } from './kernels/activation/softmax.js';
export { halfSquaredErrors, meanSquaredErrors } from './kernels/loss/squared-errors.js';
export { sumOfSquares } from './kernels/reduce/sum-of-squares.js';
export { swish } from './kernels/activation/swish.js';
export { tanh } from './kernels/activation/tanh.js';

export type { Activation as ActivationName } from './nn/activations.js';
export * as options from './options.js';
export {
  Layer,
  type CallContext,
  type LayerClass,
  type LayerConfig,
  type LayerOptions,
  type LayerTensors,
  type OptionsFor,
  type ParameterDescription,
} from './nn/layers/layer.js';
export { registerLayer } from './nn/layers/registry.js';
export { Conv2D, DepthwiseConv2D } from './nn/layers/convolution.js';
export { Dense, Flatten } from './nn/layers/core.js';
export { type Regularizer } from './nn/layers/kernel-and-bias.js';
export { MaxPooling2D } from './nn/layers/pooling.js';
export {
  binaryCrossentropy,
  categoricalCrossentropy,
  halfQuadratic,
  meanSquaredError,
  type Loss,
} from './nn/losses.js';
export type { CompileOptions } from './nn/compile.js';
export type { ModelConfig, ModelNode } from './nn/graph.js';
export { Model, type CallOptions } from './nn/model.js';
export { Normalization, Rescaling } from './nn/layers/preprocessing.js';
export { Activation, ELU, LeakyReLU, ReLU, Softmax } from './nn/layers/activation.js';
export { Dropout, Permute, Reshape, Cropping2D, ZeroPadding2D } from './nn/layers/core.js';
export { Add, Concatenate, Multiply } from './nn/layers/merging.js';
export { BatchNormalization } from './nn/layers/normalization.js';
export { AveragePooling2D, GlobalAveragePooling2D, GlobalMaxPooling2D } from './nn/layers/pooling.js';
export { Sequential } from './nn/sequential.js';
export { input } from './nn/input.js';
export type { SymbolicTensor } from './nn/layers/layer.js';
export { renderBatch } from './nn/training/batch-source.js';
export type { BatchPlan, Batches } from './nn/training/batches.js';
export {
  earlyStopping,
  keepBest,
  type EarlyStoppingOptions,
  type KeepBestOptions,
  type Monitor,
} from './nn/training/callbacks.js';
export type { EvaluateOptions, OnScores, PredictOptions } from './nn/training/evaluate.js';
export type {
  EpochLog,
  History,
  Progress,
  TrainedModel,
  TrainingCallback,
  TrainingEvent,
} from './nn/training/events.js';
export type { SetMetrics } from './nn/training/figures.js';
export type { FitOptions } from './nn/training/fit.js';
export type { TrainingPosition, TrainingState } from './nn/training/state.js';
export { measurePeak, type KernelProfile, type StepProfile } from './nn/training/profile.js';
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
  type ScheduleState,
  warmUp,
} from './optim/schedules.js';
export { sgd, type SgdOptions } from './optim/sgd.js';
export type { Optimizer } from './optim/optimizer.js';
export { optimizerNames, type OptimizerName } from './optim/optimizers.js';

export {
  imageDataGenerator,
  type ImageDataGenerator,
  type ImageDataGeneratorOptions,
} from './data/image-data-generator.js';
export { DataFlow } from './data/batches.js';
export type { AugmentationOptions, AugmentationProfile, FillMode } from './data/augmentation.js';
export type { Normalization as PictureNormalization, NormalizationOptions } from './data/normalization.js';
export { classCounts, describeSet, picturesOfClass, subset, type Dataset, type PictureSet } from './data/dataset.js';
export { decode, type DecodeOptions } from './data/pictures/decode.js';
export { pictureFormat, type KnownFormat } from './data/pictures/format.js';
export type { Picture } from './data/pictures/picture.js';
export { audit, type AuditOptions } from './data/audit/audit.js';
export { auditDatasets } from './data/audit/audit-datasets.js';
export {
  divideParts,
  FEWEST_TO_HOLD_BACK,
  groupsOf,
  HOLD_BACK,
  type GivenParts,
  type SplitOptions,
  type Splits,
} from './data/sources/divide.js';
export type { FileList, LabelledFile } from './data/sources/file-list.js';
export { unpackZip } from './data/sources/zip.js';
export { placesOf, type PicturePlace } from './data/sources/places.js';
export type { AuditedPicture, AuditedSet, AuditReport, Finding, FindingKind, SetSummary } from './data/audit/report.js';
export {
  contactSheet,
  type MarkColour,
  type Sheet,
  type SheetCell,
  type SheetGroup,
  type SheetOptions,
} from './data/audit/contact-sheet.js';
export { readFacts, type PictureFacts } from './data/audit/picture-facts.js';
export { digestHex, recordPicture, type RecordedPicture } from './data/pictures/record-picture.js';
export { encodeJpeg } from './data/pictures/jpeg/encode-jpeg.js';
export type { Pictures, PictureStore } from './data/store/picture-store.js';
export {
  crop as cropPicture,
  interpolations,
  prepare,
  resize,
  type Interpolation,
  type Preparation,
  type Region,
  type Size,
} from './data/pictures/resize.js';
export { beltGap, beltPicture } from './data/belt/synthetic.js';
export { beltFiles, encodeBeltFile, type BeltFile } from './data/belt/synthetic-set.js';

export { exportKeras, importKeras, type ImportedKeras, type KerasFile } from './formats/keras/keras.js';
export type { ModelInfo } from './formats/beltnet/info.js';
export type { Section, Sections } from './formats/beltnet/container.js';
export {
  changeInfo,
  decodeModel,
  encodeModel,
  weightsHash,
  type DecodeOptions as DecodeModelOptions,
  type EncodeOptions as EncodeModelOptions,
} from './formats/beltnet/model.js';
export { decodeTrainingState, encodeTrainingState } from './formats/beltnet/training-state.js';
export { encodeOnnx, type OnnxOptions } from './formats/onnx/onnx.js';
export { infoOf, withProbabilities } from './formats/onnx/import-classifier.js';
export {
  importOnnx,
  supportedOperators,
  type ImportedOnnx,
  type ImportOnnxOptions,
} from './formats/onnx/import-onnx.js';
export type { Sha256 } from './formats/content-hash.js';
export { readSafetensors, writeSafetensors, type SafeTensor, type TensorToWrite } from './formats/safetensors.js';
export { encodeTorchSafetensors } from './formats/torch/torch.js';

export {
  Classifier,
  openClassifier,
  type NamedModel,
  type OpenClassifierOptions,
  type PictureInput,
  type RgbaPicture,
} from './classifier/classifier.js';
export {
  figuresOf,
  neverPredicted,
  type AlarmFigures,
  type ClassFigures,
  type Figures,
} from './classifier/alarm-figures.js';
export {
  evaluateClassifier,
  evaluateShare,
  evaluationOf,
  judgePredictions,
  judgeSet,
  onlyClass,
  type Evaluation,
  type EvaluationLine,
  type EvaluationOptions,
  type JudgedSet,
} from './classifier/evaluation.js';
export { evidenceOf, isNoEvidence, type Evidence, type JudgedPictures, type Mistake } from './classifier/evidence.js';
export { pixelHashes } from './classifier/pixel-hash.js';
export {
  bestEpoch,
  CHOSEN_BY,
  epochFigure,
  epochLine,
  epochsIn,
  spreadOf,
  type EpochRecord,
  type Spread,
} from './classifier/epoch-record.js';
export { checkpointOf, Run, runFiles, type Checkpoint, type RunFiles } from './classifier/run.js';
export { configOfPlan, describeTraining, withoutEffect, type DescribedTraining } from './classifier/run-config.js';
export { PARITY_TOLERANCE } from './classifier/stored-verdicts.js';
export { fillReport, reportFrom, type ReportSource } from './classifier/report/report.js';
export { reportedRun } from './classifier/report/run-facts.js';
export type { ReportData, ReportedPicture, ReportedRun, ReportedSet } from './classifier/report/report-data.js';
export { trainRun, type RunTraining, type RunTrainingOptions } from './classifier/train-run.js';
export {
  bestModelOf,
  judgeRun,
  judgeSets,
  predictionsTable,
  type JudgedSets,
  type SetsOfRun,
} from './classifier/run-predictions.js';
export {
  figuresOfRows,
  parsePredictions,
  rowsAsNow,
  type PredictionRow,
  type RunFigures,
} from './classifier/predictions-table.js';
export { changedPictures, pictureManifest, type PictureUse } from './classifier/picture-manifest.js';
export { exportFormats, exportModel, type ExportFormat, type ExportOptions } from './classifier/export-model.js';
export { foldTemperature } from './classifier/fold-temperature.js';
export type { CardChoice, CardFigures, CardParity, CardSet, ModelCard } from './classifier/proof/card.js';
export { KNOWN_SECTIONS, temperatureOf, withCalibration, withDecision, withThreshold } from './classifier/tuning.js';
export { clopperPearson, mcNemar, type Interval, type McNemar } from './classifier/figures/binomial.js';
export {
  accuracy,
  balancedAccuracy,
  classScores,
  confusionMatrix,
  majorityAccuracy,
  type ClassScores,
  type ConfusionMatrix,
} from './classifier/figures/confusion.js';
export {
  alarmErrors,
  averagePrecision,
  meanOverClasses,
  precisionRecallCurve,
  rocAuc,
  rocCurve,
  type AlarmErrors,
  type PrecisionRecallPoint,
  type RocPoint,
} from './classifier/figures/curves.js';
export {
  averagePrecisionInterval,
  proportionInterval,
  rocAucInterval,
  type BootstrapOptions,
  type IntervalOptions,
  type IntervalOrReason,
} from './classifier/figures/intervals.js';
export {
  brierScore,
  calibrationBins,
  expectedCalibrationError,
  logLoss,
  type CalibrationBin,
} from './classifier/figures/probability-scores.js';
export {
  chooseThreshold,
  chooseThresholdInTurns,
  reasonOf,
  type CostCriterion,
  type MissCriterion,
  type ShiftCriterion,
  type ThresholdChoice,
  type ThresholdCriterion,
  type ThresholdPoint,
} from './classifier/figures/threshold.js';
export { fitTemperature, withTemperature, type Calibration } from './classifier/figures/temperature.js';
export { decodeBase } from './classifier/base/decode-base.js';
export { onBase, type Base } from './classifier/base/features.js';
export {
  faultLimitsOf,
  FAULTS_SECTION,
  faultsOf,
  learnFaultLimits,
  learnFaults,
  pictureFaults,
  pictureFigures,
  type FaultLimits,
  type PictureFault,
  type PictureFigures,
} from './classifier/picture-faults.js';
export { learnByGuard, withUnknown, type UnknownOptions } from './classifier/base/learn-unknown.js';
export { inWords as strangersInWords, type ToldStrangers } from './classifier/base/strangers.js';
export {
  computeFeatures,
  type ComputeFeatures,
  type ExtractOptions,
  type KeepFeatures,
} from './classifier/base/extract.js';
export {
  basePreparation,
  planOnBase,
  solveHead,
  trainOnBase,
  type BasePlanOptions,
  type HeadOptions,
  type OnBase,
  type OnBaseOptions,
} from './classifier/base/train-on-base.js';
export {
  checkFineTuning,
  FINE_TUNING,
  freezeAllBut,
  planFrom,
  type FineTune,
  type FromOptions,
} from './classifier/warm-start.js';
export {
  buildNetwork,
  checkMemory,
  networks,
  trainingBytes,
  type NetworkBuilder,
  type NetworkName,
} from './classifier/networks.js';
export { explainedLayers, gradCam, hottest } from './classifier/explain/grad-cam.js';
export { agreement, explainPictures, occlusion, type ExplainOptions } from './classifier/explain/explain.js';
export { overlay, scaled, smoothed, stretched, type HeatMap } from './classifier/explain/heat-map.js';
export {
  preparationOf,
  preprocessingOf,
  type PicturePreparation,
  type Preprocessing,
  type PreprocessingOptions,
  rescaled,
} from './classifier/preparation.js';
export {
  findLearningRate,
  type FindLearningRateOptions,
  type FoundLearningRate,
  type LearningRateTrial,
} from './classifier/learning-rate-finder.js';
export {
  endsWithTraining,
  recipeOf,
  scheduleNames,
  scheduleOf,
  type Normalize,
  type Recipe,
  type RecipeOptions,
  type ScheduleName,
  type ScheduleOptions,
} from './classifier/recipe.js';
export { classWeightsFor, unevenClasses, type ClassWeight } from './classifier/class-weights.js';
export { csvLine } from './classifier/csv.js';
export {
  planTraining,
  trainingFlows,
  type TrainingFlows,
  type TrainingOptions,
  type TrainingPlan,
} from './classifier/training.js';
export {
  alertClassOf,
  classProbabilities,
  judge,
  type Classification,
  type NoVerdict,
  type Verdict,
} from './classifier/verdict.js';
export { alarmLimit, type AlarmLimit } from './classifier/good-only/alarm-limit.js';
export { goodOnlyWays, type GoodOnlyWay } from './classifier/good-only/scorer.js';
export {
  judgeDefects,
  trainGoodOnly,
  type GoodOnly,
  type GoodOnlyFigures,
  type GoodOnlyOptions,
} from './classifier/good-only/train-good-only.js';
export type {
  AlarmEvent,
  AlarmState,
  DroppedEvent,
  FaultEvent,
  FaultName,
  HeartbeatEvent,
  LineEvent,
  NoteEvent,
  VerdictEvent,
} from './line/events.js';
export type { ActiveFault, CameraState, Lamp, LineState, RegionState } from './line/state.js';
export type { Line, LineOptions, LiveModel, Output, ReplaceModelOptions, Submitted } from './line/output.js';
export type { CameraConfig, LineConfig, RegionConfig } from './line/config.js';
export {
  measureAlarm,
  tuneAlarm,
  type AlarmPerformance,
  type AlarmRule,
  type ShiftFrame,
  type TunedAlarm,
  type TuneOptions,
} from './line/tune-alarm.js';
