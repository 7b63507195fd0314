/** beltnet for Node: everything of index.ts, with Dawn as the GPU, and with folders, files and worker threads. */
import {
  browserGpu,
  chooseDevice as chooseFrom,
  listAdapters as listFrom,
  type DeviceChoice,
  type DeviceName,
  type OpenDeviceOptions,
} from './tensor/open-device.js';
import { openNodeCpuDevice } from './tensor/cpu/cpu-thread.node.js';
import { destroyAtExit, openGpu } from './tensor/webgpu/dawn.node.js';
import type { Finding } from './data/audit/audit.js';
import type { ImportedKeras } from './formats/keras/keras.js';
import type { Device } from './tensor/device.js';
import type { AdapterDescription, GpuObject } from './tensor/webgpu/webgpu-device.js';

export * from './index.js';

// These take the place of the browser's functions of the same names.
export {
  imageDataGenerator,
  type FlowFromDirectoryOptions,
  type NodeImageDataGenerator,
} from './data/image-data-generator.node.js';

export { decode } from './data/pictures/decode.node.js';
export { readPictureBytes } from './data/pictures/read-picture.node.js';
export { listClassFolders, resolveSplits, type FileList, type Splits } from './data/sources/folder.node.js';
export {
  auditDatasets,
  auditSets,
  listSets,
  type AuditedList,
  type AuditFoldersOptions,
} from './data/audit/audit-folders.node.js';
export { listLabelled, openSplits, type SplitOptions } from './data/sources/splits.node.js';
export {
  loadDataset,
  loadPictures,
  streamPictures,
  type LoadDatasetOptions,
  type LoadedPicture,
  type LoadOptions,
  type PictureStream,
} from './data/store/load.node.js';
export { PictureCache } from './data/store/cache.node.js';
export { cacheDirectory, DEFAULT_CACHE_LIMIT, isWithin, markedCacheDirectory } from './data/store/cache-place.node.js';
export { synthesize } from './data/belt/synthetic.node.js';
export { csvLog } from './nn/training/callbacks.node.js';
export { loadModel, saveModel } from './formats/beltnet/model.node.js';
/** A model of Keras 1 to 3 from its files. @throws ModelFileError naming the file and what was expected */
export async function loadKeras(...paths: readonly string[]): Promise<ImportedKeras> {
  return (await import('./formats/keras/keras.node.js')).loadKeras(...paths); // with the libraries that it needs
}
export {
  appendLine,
  clearRuns,
  createRunDirectory,
  readWholeFile,
  type FileKind,
  writeFileAtomically,
} from './files.node.js';
export { leaveFolder } from './lock.node.js';
export { clearTemporaryFolders } from './data/store/temporary-folder.node.js';

export { encodePng } from './data/pictures/encode-png.node.js';

/** The contact sheet of findings as a PNG; null when none of them has pictures to show. */
export async function auditSheet(findings: readonly Finding[]): Promise<Uint8Array | null> {
  const sheet = await import('./data/audit/audit-sheet.node.js'); // with the decoders
  return sheet.auditSheet(findings);
}

/** 'cpu' needs no GPU object, and 'auto' no software one: both then start without loading Dawn's driver. */
async function gpuFor(name: DeviceName): Promise<GpuObject | null> {
  return name === 'cpu' ? null : (browserGpu() ?? openGpu({ software: name === 'webgpu' }));
}

/** As in browsers, with Dawn's adapters. @throws NoDeviceError when 'webgpu' is asked for and there is no adapter */
export async function chooseDevice(name: DeviceName = 'auto'): Promise<DeviceChoice> {
  const choice = await chooseFrom(name, await gpuFor(name));
  const open =
    choice.kind === 'cpu'
      ? (options?: OpenDeviceOptions) => openNodeCpuDevice(options)
      : async (options?: OpenDeviceOptions) => destroyAtExit(await choice.open(options));
  return { ...choice, open };
}

export async function openDevice(name: DeviceName = 'auto', options: OpenDeviceOptions = {}): Promise<Device> {
  return (await chooseDevice(name)).open(options);
}

/** All adapters, the software one that comes with Chromium included. */
export async function listAdapters(): Promise<AdapterDescription[]> {
  return listFrom(await gpuFor('webgpu'));
}
