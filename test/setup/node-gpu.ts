/** Before each test file in Node: the product's own GPU object, where test/support/gpu.ts finds it. */
import { openGpu } from '../../src/tensor/dawn.node.js';

globalThis.beltnetTestGpu = (await openGpu()) ?? undefined;
