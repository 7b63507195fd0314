/** `beltnet devices`: what there is to compute on, and what `--device auto` takes. */
import { chooseDevice, listAdapters, openDevice, plainKernels, type AdapterDescription } from '../../src/index.node.js';
import { defineCommand, toggle } from '../terminal/command.js';
import { describeDevice } from '../terminal/device.js';
import { Output } from '../terminal/output.js';

export const command = defineCommand({
  operands: {},
  flags: { json: toggle('one JSON object on stdout') },
  examples: ['beltnet devices --json'],
  async run(_, options) {
    const output = new Output(options);
    // First: looking for all adapters may bring in a software driver, which "auto" does not look for.
    const choice = await chooseDevice('auto');
    const adapters = await listAdapters();
    const cpu = await openDevice('cpu');
    const plain = plainKernels(cpu);
    const cpuFacts = { ...cpu.description, plainKernels: plain };
    cpu.destroy();

    const auto = { device: choice.kind, name: choice.adapter?.name ?? cpuFacts.name, reason: choice.reason };
    output.emit({ adapters, cpu: cpuFacts, auto });
    for (const adapter of adapters) for (const line of describeAdapter(adapter)) output.say(line);
    if (adapters.length === 0)
      output.say('webgpu  none: no adapter was found; a graphics driver with Vulkan, Metal or Direct3D 12 brings one');
    output.say();
    output.say(`cpu     ${cpuFacts.name}`);
    const slow = [...plain.always, ...plain.sometimes.map((name) => `${name} with some settings`)];
    output.say(`        plain TypeScript, and so slow: ${slow.length === 0 ? 'nothing' : slow.join(', ')}`);
    output.say();
    output.say(`--device auto takes ${describeDevice(auto)}`);
    return 0;
  },
});

function describeAdapter({ name, kind, vendor, architecture, limits, features }: AdapterDescription): string[] {
  const width = Math.max(...Object.keys(limits).map((limit) => limit.length));
  return [
    `webgpu  ${name} (${kind})`,
    `        vendor ${vendor}, architecture ${architecture}`,
    '        limits',
    ...Object.entries(limits).map(
      ([limit, value]) => `          ${limit.padEnd(width)}  ${value.toLocaleString('en-US')}`,
    ),
    '        features',
    ...wrapped(features, 100).map((line) => `          ${line}`),
  ];
}

/** Words in lines of at most so many characters. */
function wrapped(words: readonly string[], columns: number): string[] {
  const lines: string[] = [];
  for (const word of words) {
    const last = lines.at(-1);
    if (last !== undefined && last.length + word.length + 2 <= columns) lines[lines.length - 1] = `${last}, ${word}`;
    else lines.push(word);
  }
  return lines;
}
