/** onnxruntime-node on its CPU provider: inference only. The network is written as an ONNX file on the spot. */
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
    session = await runtime.InferenceSession.create(onnxModel(problem.network, problem.weights, batch), {
      intraOpNumThreads: threads,
      executionMode: 'sequential',
      graphOptimizationLevel: 'all',
    });
    const { height, width, channels } = problem.network;
    inputs = batchesOf(problem, batch).map(
      ({ x }) => new runtime.Tensor('float32', channelsFirst(x, problem.network), [batch, channels, height, width]),
    );
    next = cycle(inputs);
  },
  restart() {
    next = cycle(inputs);
  },
  async infer(times) {
    const { milliseconds, result } = await time(times, () => session.run({ x: next() }));
    return { milliseconds, scores: someScores(result.scores.data) };
  },
});
