/**
 * Two projects: `node` runs every test, on Dawn's WebGPU and on the cpu device; `browser` runs the kernel tests again in
 * headless Chromium. Test files that only a browser can run are named `*.browser.test.ts`.
 */
import { fileURLToPath } from 'node:url';
import { playwright } from '@vitest/browser-playwright';
import { defineConfig } from 'vitest/config';
import { findChromium } from './scripts/machine.mjs';
import DevicesReporter from './test/setup/devices-reporter.js';
import LongestFirst from './test/setup/longest-first.js';

const source = (path: string) => fileURLToPath(new URL(path, import.meta.url));

export default defineConfig({
  test: {
    testTimeout: 120_000,
    hookTimeout: 120_000,
    maxWorkers: 2,
    sequence: { sequencer: LongestFirst },
    reporters: ['default', new DevicesReporter()],
    projects: [
      {
        extends: true, // the settings above
        resolve: { alias: { beltnet: source('src/index.node.ts') } },
        test: {
          name: 'node',
          include: ['test/**/*.test.ts'],
          exclude: ['test/**/*.browser.test.ts', 'test/pytorch/**', 'test/long/**'],
          pool: 'forks',
          globalSetup: 'test/setup/machine-node.ts',
          setupFiles: ['test/setup/node-gpu.ts', 'test/setup/note-devices.ts', 'test/setup/equal-bytes.ts'],
        },
      },
      // What is too slow for every day: `npm run test:long`, which sets the variable.
      ...(process.env['BELTNET_LONG']
        ? [
            {
              extends: true as const,
              resolve: { alias: { beltnet: source('src/index.node.ts') } },
              test: {
                name: 'long',
                include: ['test/long/**/*.test.ts'],
                pool: 'forks' as const,
                testTimeout: 1_800_000,
                globalSetup: 'test/setup/machine-node.ts',
                setupFiles: ['test/setup/node-gpu.ts', 'test/setup/note-devices.ts', 'test/setup/equal-bytes.ts'],
              },
            },
          ]
        : []),
      // Only where the environment names a Python with torch; `npm run test:pytorch` looks for one.
      ...(process.env['BELTNET_PYTHON']
        ? [
            {
              extends: true as const,
              test: {
                name: 'pytorch',
                include: ['test/pytorch/*.test.ts'],
                pool: 'forks' as const,
                setupFiles: ['test/setup/note-devices.ts', 'test/setup/equal-bytes.ts'],
              },
            },
          ]
        : []),
      {
        extends: true,
        resolve: { alias: { beltnet: source('src/index.ts') } },
        // Pages get shared memory, and with it threads, only when they are isolated from others.
        server: {
          headers: { 'Cross-Origin-Opener-Policy': 'same-origin', 'Cross-Origin-Embedder-Policy': 'require-corp' },
        },
        test: {
          name: 'browser',
          include: [
            'test/kernels/**/*.test.ts',
            'test/tensor/{random,cpu-threads}.test.ts',
            'test/**/*.browser.test.ts',
          ],
          globalSetup: 'test/setup/machine-browser.ts',
          setupFiles: ['test/setup/note-devices.ts', 'test/setup/equal-bytes.ts'],
          browser: {
            enabled: true,
            headless: true,
            screenshotFailures: false,
            provider: playwright({
              launchOptions: {
                executablePath: findChromium() ?? '',
                args: [
                  '--no-sandbox', // Chromium refuses to start as root with it
                  '--enable-unsafe-webgpu', // WebGPU on the software adapter too
                  // no traffic of the browser's own
                  '--disable-background-networking',
                  '--disable-component-update',
                  '--disable-default-apps',
                  '--disable-domain-reliability',
                  '--disable-sync',
                  '--metrics-recording-only',
                  '--no-first-run',
                  '--no-pings',
                ],
              },
            }),
            instances: [{ browser: 'chromium' }],
          },
        },
      },
    ],
  },
});
