/**
 * For `node --import`: the first WebGPU device is destroyed at its BELTNET_LOSE_AT'th submit of commands, as when a driver resets in the
 * midst of a step.
 */
import { isMainThread } from 'node:worker_threads';
import { create } from 'webgpu';

if (isMainThread) {
  process.env.XDG_RUNTIME_DIR ??= '/tmp';
  process.env.VK_ICD_FILENAMES ??= '/usr/lib/chromium/vk_swiftshader_icd.json';
  const gpu = create([]);
  globalThis.keptGpu = gpu; // Dawn's objects must not be collected
  const adapter = await gpu.requestAdapter();
  const prototype = Object.getPrototypeOf(adapter);
  const { requestDevice } = prototype;
  prototype.requestDevice = async function (descriptor) {
    const device = await requestDevice.call(this, descriptor);
    prototype.requestDevice = requestDevice;
    const { queue } = device;
    const queuePrototype = Object.getPrototypeOf(queue);
    const { submit } = queuePrototype;
    let left = Number(process.env.BELTNET_LOSE_AT);
    queuePrototype.submit = function (buffers) {
      submit.call(this, buffers);
      if (--left === 0) device.destroy();
    };
    return device;
  };
}
