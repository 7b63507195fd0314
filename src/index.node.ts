/** beltnet for Node: everything of index.ts, with Dawn as the GPU, and with folders, files and worker threads. */
import type { Finding } from './data/audit/report.js';
import type { NetworkBuilder } from './classifier/networks.js';
import type { AuditedList } from './data/audit/audit-folders.node.js';
import type { ImportedKeras } from './formats/keras/keras.js';

export * from './index.js';

// These take the place of the browser's functions of the same names.
export { chooseDevice, listAdapters, openDevice } from './tensor/open-device.node.js';
export { openClassifier } from './classifier/classifier.node.js';
export {
  imageDataGenerator,
  type FlowFromDirectoryOptions,
  type NodeImageDataGenerator,
} from './data/image-data-generator.node.js';

export { decode } from './data/pictures/decode.js';
export { readPictureBytes } from './data/pictures/read-picture.node.js';
export { listClassFolders } from './data/sources/folder.node.js';
export {
  auditDatasets,
  auditSets,
  listSets,
  type AuditedList,
  type AuditFoldersOptions,
} from './data/audit/audit-folders.node.js';
export { listLabelled, openSplits } from './data/sources/splits.node.js';
export {
  auditItems,
  lookAtShare,
  setsOfLines,
  type AuditLine,
  type LookOptions,
  type SetOfLines,
} from './data/audit/audit-share.node.js';
export {
  checkEveryClass,
  datasetOf,
  itemsOf,
  loadDataset,
  loadShare,
  sharesOfLists,
  type LoadDatasetOptions,
  type LoadOptions,
  type LoadShareOptions,
} from './data/store/load-dataset.node.js';
export { inputsHash, listPictures, weightsOf, type PictureItem } from './data/store/picture-items.node.js';
export {
  loadPictures,
  streamPictures,
  type LoadedPicture,
  type PictureStream,
} from './data/store/stream-pictures.node.js';
export { PictureCache } from './data/store/cache.node.js';
export { cacheDirectory, DEFAULT_CACHE_LIMIT, isWithin, markedCacheDirectory } from './data/store/cache-place.node.js';
export { synthesize } from './data/belt/synthetic.node.js';
export { csvLog } from './nn/training/callbacks.node.js';
export { changeModelFile, loadModel, saveModel } from './formats/beltnet/model.node.js';
export { loadOnnx } from './formats/onnx/onnx.node.js';
/** A model of Keras 1 to 3 from its files. @throws ModelFileError naming the file and what was expected */
export async function loadKeras(...paths: readonly string[]): Promise<ImportedKeras> {
  return (await import('./formats/keras/keras.node.js')).loadKeras(...paths); // with the libraries that it needs
}
export { classifyLabelled, type LabelledVerdict } from './classifier/labelled-verdicts.node.js';
export { readKernelChoices } from './checks/kernel-choices.node.js';
export { appendLine, createRunDirectory, readWholeFile, type FileKind, writeFileAtomically } from './files.node.js';

export { encodePng } from './data/pictures/encode-png.node.js';

/** The contact sheet of findings as a PNG; null when none of them has pictures to show. */
export async function auditSheet(
  findings: readonly Finding[],
  lists: readonly AuditedList[],
): Promise<Uint8Array | null> {
  const sheet = await import('./data/audit/audit-sheet.node.js'); // with the decoders
  return sheet.auditSheet(findings, lists);
}

export {
  loadClassifier,
  NodeClassifier,
  openModelFile,
  type ClassifyPathsOptions,
  type FileClassification,
} from './classifier/classifier.node.js';
export { learnUnknown, tellsUnknown } from './classifier/base/learn-unknown.node.js';
/** A network to train, from a file of Keras' JSON. @throws ModelFileError */
export async function loadNetwork(path: string): Promise<NetworkBuilder> {
  return (await import('./classifier/network-file.node.js')).loadNetwork(path); // with the library that checks JSON
}
export { explainPaths, type ExplainPathsOptions, type Explanation } from './classifier/explain/explain-files.node.js';
export { mistakesSheet } from './classifier/explain/mistakes-sheet.node.js';
export { bundledBases, keepFeatures, openBase } from './classifier/base/open-base.node.js';
export {
  isRun,
  leaveRun,
  modelFileOf,
  openRun,
  readCheckpoint,
  readConfig,
  readEpochs,
  readPictures,
  reopenRun,
} from './classifier/run.node.js';
export { picturesOfModel, type PicturesOfRun } from './classifier/picture-manifest.node.js';
export {
  leaveOutSeen,
  picturesFor,
  unseenOf,
  type JudgingPictures,
  type JudgingPurpose,
  type UnseenPictures,
} from './classifier/judging-pictures.node.js';
export type { ModelDigest } from './classifier/proof/digests.js';
export { modelDigest } from './classifier/proof/digests.node.js';
export { compareEverywhere, type Parity, type ParityOptions, type ParityWay } from './classifier/proof/parity.node.js';
export {
  reproduceVerdicts,
  storedVerdictsOf,
  withVerdicts,
  type Reproduced,
  type StoredVerdicts,
} from './classifier/stored-verdicts.js';
export { createKeys, readPublicKey, readSigningKey, type SigningKey } from './classifier/proof/keys.node.js';
export { cardFigures } from './classifier/proof/prove-run.js';
export {
  proveChange,
  proveTraining,
  readCard,
  runOfModel,
  type Author,
  type FinishedTraining,
} from './classifier/proof/prove-run.node.js';
export { appendToRecord, checkRecord, readRecord } from './classifier/proof/record.node.js';
export type { CheckedRecord, NewEntry, RecordEntry, RecordEvent } from './classifier/proof/record.js';
export type { RecordHead } from './classifier/proof/chain.js';
export {
  hasRecord,
  notProven,
  provenEpochs,
  trainedModels,
  verifyFigures,
  verifyFiles,
  verifyModelFile,
  verifyPictures,
  verifyPredictions,
  verifyRecord,
  verifyRetrained,
  type Checked,
  type TrustOptions,
} from './classifier/proof/verify-run.node.js';
export { readPredictions } from './classifier/run-predictions-file.node.js';
export {
  compareRuns,
  listRuns,
  summarizeRun,
  type ComparedRun,
  type RunComparison,
  type RunState,
  type RunSummary,
} from './classifier/run-list.node.js';
export { openParts, type PartName } from './data/sources/parts.node.js';
export { alone, Meantime, share, together, type Group, type Purpose, type Summands } from './distributed/group.js';
export { launchedPlace, type LaunchedPlace } from './distributed/launcher.js';
export { openMpiGroup, type MpiGroup, type MpiOptions } from './distributed/mpi.node.js';
export { serveModel, type ServedClassifier, type ServeModelOptions } from './serve/serve-model.node.js';
export type { RefusedFile } from './classifier/model-history.js';
export type { ServedModel, ServedModelFacts, ServedModelOptions } from './serve/served-model.node.js';
export { readTlsFiles, readTokenFile } from './serve/secret-files.node.js';
export { BusyError, type PictureThreadsOptions } from './data/pictures/picture-threads.node.js';
export { serve, type Access, type Asked, type Route, type Served, type ServeOptions } from './serve/server.node.js';
export { Refused, type Answer } from './serve/answers.js';
export {
  listGoodPictures,
  type GoodPictures,
  type GoodPicturesOptions,
} from './classifier/good-only/good-pictures.node.js';
export { liveReportOf, reportHtml, reportOf, searchHtml, type ReportOptions } from './classifier/report/report.node.js';
export { serveReport, type ServedReport } from './serve/live-report.node.js';
export { LabelQueue } from './serve/label-queue.node.js';
export type { QueuedPicture } from './serve/queued-picture.js';
export { LABEL_PORT, serveLabels, type ServeLabelsOptions } from './serve/serve-labels.node.js';
export { PAGE_PORT, servePage, type ServePageOptions } from './serve/page.node.js';
export { compareWithLog, type Disagreements, type LogEntry, type RecordedAlarm } from './line/disagreements.node.js';
export { verifyLineRecord, type VerifiedRecord } from './line/verify-record.node.js';
export { startLine } from './line/line.node.js';
export { readLineConfig } from './line/read-config.node.js';
export { checkLineConfig } from './line/config.js';
export { openOutputs } from './line/outputs/open-outputs.node.js';
export type { OutputHealth, WatchedOutput } from './line/outputs/watched-output.js';
export { serveLine, type ServeLineOptions } from './line/serve-line.node.js';
export { readNewLabels, relabel, type NewLabel } from './data/sources/relabel.node.js';
export {
  joined,
  MOST_SHARDS,
  parseShard,
  shareOf,
  type Shard,
  type ShardHead,
  type Share,
} from './distributed/shards.js';
export {
  makeShard,
  openShard,
  openShards,
  readShard,
  shardName,
  type ShardFile,
  type ShardWork,
} from './distributed/shards.node.js';
export {
  parseSpace,
  searchMethods,
  trialValues,
  type Dimension,
  type SearchMethod,
  type TrialValue,
} from './classifier/search/space.js';
export {
  bestUpTo,
  optimismOf,
  ranked,
  rungsOf,
  type Optimism,
  type Rung,
  type TrialEpochs,
} from './classifier/search/rungs.js';
export {
  hasReached,
  isSearch,
  isTaken,
  noteFailedTrial,
  openSearch,
  readSearch,
  readTrial,
  searchResult,
  trialName,
  trialsOfRung,
  type Search,
  type SearchedTrial,
  type SearchResult,
} from './classifier/search/search.node.js';
