/** onnxruntime-node on its CPU provider: inference only. The mission's network is written as an ONNX file here, others by beltnet. */
import { encodeOnnx } from '../../dist/src/index.node.js';
import { buildNetwork } from '../networks.mjs';
import { channelsFirst } from './layouts.mjs';
import { onnxModel } from './onnx-model.mjs';
import { batchesOf, cycle, readProblem, serve, someScores, time } from './serve.mjs';

let runtime, session, problem, inputs, next, threads;

await serve({
  async open(parameters) {
    runtime = (await import('onnxruntime-node')).default;
    threads = parameters.threads;
    return { version: runtime.env.versions.node, device: `cpu, ${threads} threads`, steps: [] };
  },
  async prepare({ directory, batch }) {
    await session?.release();
    problem = readProblem(directory);
    const isMission = problem.network.filters !== undefined;
    const model = isMission ? onnxModel(problem.network, problem.weights, batch) : await exported(problem);
    session = await runtime.InferenceSession.create(model, {
      intraOpNumThreads: threads,
      executionMode: 'sequential',
      graphOptimizationLevel: 'all',
    });
    const { height, width, channels } = problem.network;
    inputs = batchesOf(problem, batch).map(({ x }) =>
      isMission
        ? new runtime.Tensor('float32', channelsFirst(x, problem.network), [batch, channels, height, width])
        : new runtime.Tensor('float32', x, [batch, height, width, channels]),
    );
    next = cycle(inputs);
  },
  restart() {
    next = cycle(inputs);
  },
  async infer(times) {
    const { milliseconds, result } = await time(times, () => session.run({ [session.inputNames[0]]: next() }));
    return { milliseconds, scores: someScores(result[session.outputNames[0]].data) };
  },
});

/** beltnet's export: it takes channels last, and turns them once. */
async function exported({ network: { name, classes }, weights }) {
  const model = buildNetwork({ network: name });
  model.setWeights(weights);
  const classNames = Array.from({ length: classes }, (_, index) => `class ${index}`);
  const preprocessing = { interpolation: 'nearest', rescale: 1 / 255 };
  return encodeOnnx(model, { classNames, preprocessing, alert: { className: classNames[1], threshold: 0.5 } });
}
