/** Shaders to pipelines, each made once, with the bind-group layouts that they share. */
import { ShaderError } from '../../errors.js';

/** WebGPU's flag value: Node has no global `GPUShaderStage`. */
const COMPUTE_STAGE = 0x4;

export class Pipelines {
  readonly #device: GPUDevice;
  readonly #onFailure: (error: ShaderError) => void;
  readonly #pipelines = new Map<string, GPUComputePipeline>();
  readonly #layouts = new Map<string, GPUBindGroupLayout>();
  readonly #modules = new Map<string, GPUShaderModule>();
  /** Compilation reports that have not come in yet. */
  readonly reports = new Set<Promise<void>>();
  /** A pipeline was made since this was set to false. */
  isFresh = false;

  /** @param onFailure takes what the driver refuses, when its report comes */
  constructor(device: GPUDevice, onFailure: (error: ShaderError) => void) {
    this.#device = device;
    this.#onFailure = onFailure;
  }

  of(
    label: string,
    code: string,
    constants: Readonly<Record<string, number>>,
  ): { layout: GPUBindGroupLayout; pipeline: GPUComputePipeline } {
    const layout = this.#layoutOf(code);
    const key = `${JSON.stringify(constants)}${code}`;
    let pipeline = this.#pipelines.get(key);
    if (!pipeline) this.#pipelines.set(key, (pipeline = this.#compile(label, code, constants, layout)));
    return { layout, pipeline };
  }

  /** The bind-group layout that a shader's declarations spell out; 'auto' layouts would drop bindings that a shader ignores. */
  #layoutOf(code: string): GPUBindGroupLayout {
    const access = [...code.matchAll(/@group\(0\)\s*@binding\((\d+)\)\s*var<storage,\s*(read|read_write)>/g)];
    const key = access.map(([, , mode]) => mode).join();
    let layout = this.#layouts.get(key);
    if (!layout) {
      layout = this.#device.createBindGroupLayout({
        entries: access.map(([, binding, mode]) => ({
          binding: Number(binding),
          visibility: COMPUTE_STAGE,
          buffer: { type: mode === 'read' ? 'read-only-storage' : 'storage' },
        })),
      });
      this.#layouts.set(key, layout);
    }
    return layout;
  }

  /** Makes a pipeline; errors come later, to the next wait. */
  #compile(
    label: string,
    code: string,
    constants: Readonly<Record<string, number>>,
    layout: GPUBindGroupLayout,
  ): GPUComputePipeline {
    const device = this.#device;
    device.pushErrorScope('validation');
    let module = this.#modules.get(code);
    if (!module) this.#modules.set(code, (module = device.createShaderModule({ label, code })));
    const pipeline = device.createComputePipeline({
      label,
      layout: device.createPipelineLayout({ bindGroupLayouts: [layout] }),
      compute: { module, entryPoint: 'main', constants },
    });
    const report: Promise<void> = Promise.all([device.popErrorScope(), module.getCompilationInfo()]).then(
      ([error, { messages }]) => {
        this.reports.delete(report);
        const lines = code.split('\n');
        const texts = messages
          .filter(({ type }) => type === 'error')
          .map(
            ({ lineNum, linePos, message }) =>
              `${lineNum}:${linePos} ${message}\n    ${lines[lineNum - 1]?.trim() ?? ''}`,
          );
        if (texts.length > 0)
          this.#onFailure(new ShaderError(`${label}: the driver refuses the shader\n  ${texts.join('\n  ')}`));
        else if (error) this.#onFailure(new ShaderError(`${label}: the driver refuses the pipeline: ${error.message}`));
      },
      () => void this.reports.delete(report), // the device went away; its `lost` promise says why
    );
    this.reports.add(report);
    this.isFresh = true;
    return pipeline;
  }
}
