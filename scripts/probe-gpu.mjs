/** Prints as JSON which adapter Dawn finds: `{ adapter, icd? }`, or `null`. Run as a child process by machine.mjs. */
import { existsSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { create } from 'webgpu';
import { swiftShaderIcd } from './machine.mjs';

process.env.XDG_RUNTIME_DIR ??= tmpdir(); // Mesa complains on stderr without it

const instances = []; // Dawn crashes when an instance is collected
async function findAdapter() {
  const gpu = create([]);
  instances.push(gpu);
  return gpu.requestAdapter();
}

let icd;
let adapter = await findAdapter();
if (!adapter && existsSync(swiftShaderIcd)) {
  process.env.VK_ICD_FILENAMES = icd = swiftShaderIcd;
  adapter = await findAdapter();
}
const info = adapter?.info;
const kind = info?.isFallbackAdapter ? 'software' : 'hardware';
console.log(JSON.stringify(info ? { adapter: `${info.vendor} ${info.architecture} (${kind})`, icd } : null));
