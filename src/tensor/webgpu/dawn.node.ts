/** WebGPU in Node: the GPU object of the `webgpu` package (Dawn), made when it is first needed. */
import { existsSync, readdirSync } from 'node:fs';
import { homedir, tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import type { Device } from '../device.js';

/** Software Vulkan that comes with Debian's chromium; used when there is no other driver and a GPU is asked for. */
const SWIFTSHADER = '/usr/lib/chromium/vk_swiftshader_icd.json';

/** Browsers round timestamps to 0.1 ms, so that no page can time another; in a process of one's own, kernels take less than that. */
const DAWN_OPTIONS = ['disable-dawn-features=timestamp_quantization'];

/** Dawn's objects crash the process when they are collected, so they are kept for ever. */
const keptForEver: GPU[] = [];

/** True when a Vulkan driver is registered; asking Dawn without one costs time and prints a warning. Linux only. */
function hasVulkanDriver(): boolean {
  if (process.env.VK_ICD_FILENAMES || process.env.VK_DRIVER_FILES) return true;
  const data = (process.env.XDG_DATA_DIRS || '/usr/local/share:/usr/share').split(delimiter);
  const folders = [...data, '/etc', process.env.XDG_DATA_HOME || join(homedir(), '.local/share')];
  return folders.some((folder) => {
    try {
      return readdirSync(join(folder, 'vulkan/icd.d')).some((name) => name.endsWith('.json'));
    } catch {
      return false; // not there
    }
  });
}

async function createGpu(): Promise<GPU | null> {
  process.env.XDG_RUNTIME_DIR ??= tmpdir(); // Mesa complains on stderr without it
  try {
    const { create } = await import('webgpu');
    const gpu = create(DAWN_OPTIONS);
    keptForEver.push(gpu);
    return gpu;
  } catch {
    return null; // no build of Dawn for this platform
  }
}

let opened: Promise<GPU | null> | null = null;

/**
 * Dawn's GPU object, or null where there is none. Without a driver of the system's it falls back to SwiftShader,
 * if that is installed and `software` allows it.
 */
export async function openGpu({ software = true }: { software?: boolean } = {}): Promise<GPU | null> {
  if (process.platform === 'linux' && !hasVulkanDriver()) {
    if (!software || !existsSync(SWIFTSHADER)) return null;
    process.env.VK_ICD_FILENAMES = SWIFTSHADER; // read by the Vulkan loader at the next create()
  }
  const gpu = await (opened ??= createGpu());
  const adapter = await gpu?.requestAdapter();
  if (gpu && !adapter && software && !process.env.VK_ICD_FILENAMES && existsSync(SWIFTSHADER)) {
    process.env.VK_ICD_FILENAMES = SWIFTSHADER; // the registered driver is one that Dawn refuses
    opened = createGpu(); // the first object stays without an adapter
    return opened;
  }
  return gpu;
}

const openDevices = new Set<WeakRef<Device>>();

/**
 * A GPU that is at work while the process ends crashes it (a segmentation fault in one of nine second Ctrl-Cs on a busy
 * machine), so devices are destroyed before, however the end comes.
 */
export function destroyAtExit<Opened extends Device>(device: Opened): Opened {
  if (openDevices.size === 0) {
    process.on('exit', () => {
      for (const reference of openDevices) reference.deref()?.destroy();
    });
  }
  for (const reference of openDevices) if (!reference.deref()) openDevices.delete(reference);
  openDevices.add(new WeakRef(device));
  return device;
}
