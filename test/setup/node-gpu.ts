/** Before each test file in Node: the product's own GPU object and CPU device, where test/support finds them. */
import { openNodeCpuDevice } from '../../src/tensor/cpu/cpu-thread.node.js';
import { openGpu } from '../../src/tensor/webgpu/dawn.node.js';

globalThis.beltnetTestGpu = (await openGpu()) ?? undefined;
globalThis.beltnetTestCpu = openNodeCpuDevice;
