/** What is kept of projects and of their pictures. */
import type { PictureUse } from '../../../src/index.js';
import type { ProjectSettings } from './protocol.js';

export interface ProjectRecord {
  readonly name: string;
  readonly changed: number;
  readonly settings: ProjectSettings;
  readonly run: string | null;
}

export interface PictureRecord {
  /** With its class folder; unique among the pictures of its part. */
  readonly file: string;
  readonly class: string;
  /** Null: by the split's rule. */
  readonly part: PictureUse | null;
  readonly width: number;
  readonly height: number;
  readonly bytes: number;
  readonly digest: Uint8Array;
  readonly facts: Uint8Array;
}
