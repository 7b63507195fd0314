/**
 * Why `--reproducible` holds on machines that nobody has tried: what feeds a training are operations that IEEE 754 rounds alike
 * everywhere, in JavaScript (no function of Math that engines may approximate) and in WebAssembly (no relaxed instruction).
 */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { inexactInstructions, instructionCounts } from '../../scripts/wasm-instructions.mjs';
import { kernels } from '../../src/index.js';
import { wasmBinaries as jpegBinaries } from '../../src/data/pictures/jpeg/wasm.generated.js';
import { wasmBinaries } from '../../src/tensor/cpu/wasm.generated.js';
import { generateFunction } from '../../src/tensor/cpu/expression.wasm.js';
import { Expression } from '../../src/tensor/expression.js';
import type { GeneratedFunction } from '../../src/tensor/kernel.js';
import { Random, RandomStream } from '../../src/tensor/random.js';

const root = fileURLToPath(new URL('../..', import.meta.url));

/** What ECMAScript leaves to the engine: its functions "implementation-approximated", orders and texts of the place, chance. */
const FORBIDDEN =
  /\bMath\.(?:a?(?:cos|sin|tan)h?|atan2|cbrt|exp|expm1|hypot|log|log10|log1p|log2|pow|random)\b|\bIntl\b|\.(?:localeCompare|toLocale\w*)\b/g;
/** Powers of 2 with whole exponents, which are tried below; every other power is the engine's own. */
const POWER = /(\S+)\s*\*\*/g;

/** Where such a thing feeds nothing but a text, and why it stays. */
const ALLOWED: Readonly<Record<string, string>> = {
  'src/nn/graph.ts: .toLocaleString': 'digits in groups of three in a summary',
  'src/data/pictures/limits.ts: .toLocaleString': 'a size in a message',
  'src/data/audit/one-set.ts: Intl': 'the order in which findings are listed',
};

/** Without comments, and without what is in quotes. Templates stay: there are expressions in them. */
const codeOf = (source: string): string =>
  source
    .replace(/\/\*[^]*?\*\//g, '')
    .replace(/(^|[^:])\/\/.*$/gm, '$1')
    .replace(/'(?:[^'\\\n]|\\.)*'/g, "''");

const found = (file: string, source: string): string[] => {
  const code = codeOf(source);
  const functions = [...code.matchAll(FORBIDDEN)].map(([name]) => `${file}: ${name}`);
  const powers = [...code.matchAll(POWER)].filter(([, base]) => !/(?:^|[^\w.])2$/.test(base));
  return [...functions, ...powers.map(([text]) => `${file}: ${text}`)];
};

describe('host code', () => {
  test('uses no function that engines may round as they like', () => {
    const files = readdirSync(join(root, 'src'), { recursive: true, encoding: 'utf8' })
      .map((name) => `src/${name.replaceAll('\\', '/')}`)
      .filter((name) => name.endsWith('.ts') && !name.endsWith('.generated.ts'));
    expect(files.length).toBeGreaterThan(200);
    const all = files.flatMap((file) => found(file, readFileSync(join(root, file), 'utf8')));
    expect(all.filter((each) => !(each in ALLOWED))).toEqual([]);
    expect(Object.keys(ALLOWED).filter((each) => !all.includes(each))).toEqual([]); // none that is out of date
  });

  test('the search finds what it is for', () => {
    expect(found('x', 'const a = Math.sin(1); // Math.cos\n/* Math.exp */ const b = x ** 2;')).toEqual([
      'x: Math.sin',
      'x: x **',
    ]);
    expect(found('x', "const a = 2 ** 24 * Math.sqrt(3) + Math.expected; const b = 'Math.log';")).toEqual([]);
    expect(found('x', 'x12 ** 3; a.localeCompare(b); 0.2 ** n; (1 + 2) ** 2')).toHaveLength(4);
  });

  test('powers of 2 are exact in this engine', () => {
    const bits = new Uint32Array(2);
    const number = new Float64Array(bits.buffer);
    for (let n = -1022; n <= 1023; n++) {
      bits[1] = (n + 1023) << 20;
      expect(2 ** n).toBe(number[0]);
    }
  });

  // ECMAScript lets an engine drop digits behind the 20th of a number in a program: ours must mean the same then.
  test('no constant depends on digits that an engine may drop', () => {
    const source = readFileSync(join(root, 'src/tensor/exact-math.ts'), 'utf8');
    const long = [...source.matchAll(/\d\.(\d{20,})(e-?\d+)?/g)];
    expect(long.length).toBeGreaterThan(10);
    for (const [text] of long) {
      const [mantissa, exponent = '0'] = text.split('e');
      const kept = mantissa.slice(0, 21); // 20 digits and the point
      const up = `${BigInt(kept.replace('.', '')) + 1n}e${Number(exponent) - 19}`;
      expect([Number(`${kept}e${exponent}`), Number(up)]).toEqual([Number(text), Number(text)]);
    }
  });
});

const decode = (text: string): Uint8Array => Uint8Array.from(Buffer.from(text, 'base64'));

describe('WebAssembly', () => {
  test.each(['shared', 'unshared'] as const)('the %s kernels have exact instructions only', async (name) => {
    const binary = decode(await wasmBinaries[name]());
    expect(instructionCounts(binary).get('fd 228')).toBeGreaterThan(100); // f32x4.add: the walk came through the code
    expect(inexactInstructions(binary)).toEqual([]);
    expect(inexactInstructions(decode(jpegBinaries.simd))).toEqual([]);
  });

  test.each(['sharedRelaxed', 'unsharedRelaxed'] as const)(
    'the %s kernels have others, which the walk finds',
    async (name) => {
      expect(inexactInstructions(decode(await wasmBinaries[name]()))).toContain('fd 261'); // f32x4.relaxed_madd
    },
  );

  test('kernels that are put together at run time have exact instructions only', () => {
    const generated = new Set<GeneratedFunction>();
    for (const { kernel, sample } of kernels) {
      const { inputs, attributes } = sample(new Random(1, RandomStream.synthetic));
      const given = inputs.map(({ shape }) => shape);
      const shapes = { inputs: given, outputs: kernel.outputs(given, attributes as never).map(({ shape }) => shape) };
      const plan = kernel.wasm?.(shapes, attributes as never);
      for (const call of plan?.steps({ inputs: given.map(() => 0), outputs: [0, 0, 0] }, [0, 0, 0, 0]) ?? [])
        if (typeof call.function !== 'string') generated.add(call.function);
    }
    const x = Expression.operand(0, 'element');
    generated.add(generateFunction(2, [x.exp().add(x.log()).multiply(x.tanh())], [1]));
    expect(generated.size).toBeGreaterThan(20);
    for (const each of generated) {
      for (const shared of [true, false]) {
        const binary = each.bytes(shared, false);
        expect(instructionCounts(binary).size).toBeGreaterThan(10);
        expect(inexactInstructions(binary)).toEqual([]);
      }
    }
  });
});
