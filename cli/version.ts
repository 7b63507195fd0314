/** What wrote a run: for `--version` and its configuration. */
import { createRequire } from 'node:module';

interface Manifest {
  readonly version: string;
}

/** The package's version; asked of the package by name, which works from its source and from dist. */
export function version(): string {
  return (createRequire(import.meta.url)('beltnet/package.json') as Manifest).version;
}

/** Versions and platform, for `config.json`. */
export function versions(): { beltnet: string; node: string; platform: string } {
  return { beltnet: version(), node: process.version, platform: `${process.platform} ${process.arch}` };
}
