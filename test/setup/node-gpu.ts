/** Before each test file in Node: WebGPU's globals, and a GPU object where test/support/gpu.ts finds it. */
import { create, globals } from 'webgpu';

Object.assign(globalThis, globals);
globalThis.beltnetTestGpu = create([]); // reachable for ever: Dawn crashes the process when it is collected
