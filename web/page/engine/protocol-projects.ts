/** Projects and their pictures: what the page can ask of them. */
import type { AuditReport, EpochRecord, Finding, PictureUse } from '../../../src/index.js';
import type { TrainingOptions, TrainingStatus } from './protocol-training.js';

export interface Projects {
  /** The newest first. */
  list(): Promise<ProjectSummary[]>;
  /** Makes a project and opens it. */
  create(name: string): Promise<ProjectState>;
  /** Opens a project. A training that a closed or reloaded page left is there, paused: `training.resume()` goes on with it. */
  open(id: ProjectId): Promise<ProjectState>;
  /** The open one; null before one is opened. */
  current(): Promise<ProjectState | null>;
  rename(id: ProjectId, name: string): Promise<void>;
  /** Takes a project away with all that is in it. */
  remove(id: ProjectId): Promise<void>;
  /** All of a project as one zip: class folders that the command line trains on, and the run folders. */
  saveFile(id: ProjectId): Promise<NamedBlob>;
  /** A project of such a file, under a new id; it is opened. */
  openFile(file: Blob): Promise<ProjectState>;
  /** Makes the synthetic belt as a project: its pictures are those of `beltnet synth` with the same seed. */
  createExample(options?: { readonly pictures?: number; readonly seed?: number }): Promise<ProjectState>;
  /** How the open project prepares and divides pictures; a new training takes these. */
  configure(settings: Partial<ProjectSettings>): Promise<ProjectState>;
  /** Looks at another run: trial, proof, files and report speak of it then. */
  selectRun(name: string): Promise<ProjectState>;
  removeRun(name: string): Promise<ProjectState>;
}

export type ProjectId = number;

export interface ProjectSummary {
  readonly id: ProjectId;
  readonly name: string;
  readonly pictures: number;
  readonly runs: number;
  /** Milliseconds since 1970. */
  readonly changed: number;
}

export interface ProjectState {
  readonly id: ProjectId;
  readonly name: string;
  readonly settings: ProjectSettings;
  /** Sorted by name, with their numbers of pictures. */
  readonly classes: readonly { readonly name: string; readonly pictures: number }[];
  readonly runs: readonly RunSummary[];
  /** The run that is looked at; null without any. */
  readonly run: string | null;
  readonly training: TrainingStatus;
}

export interface ProjectSettings {
  /** Part of each picture that is looked at, in its own pixels; null for all of it. */
  readonly region: { readonly x: number; readonly y: number; readonly width: number; readonly height: number } | null;
  /** Turn pictures as their EXIF orientation says. */
  readonly exif: boolean;
  /** The class that raises the alarm; null for the second by name. */
  readonly alertClass: string | null;
}

export interface RunSummary {
  readonly name: string;
  readonly started: string;
  /** In words: "mission, 64×64, 10 epochs". */
  readonly what: string;
  readonly epochs: number;
  readonly best: EpochRecord | null;
  /** Whether it came from a file rather than from a training here. */
  readonly imported: boolean;
  readonly hasModel: boolean;
}

// --- pictures

export interface Pictures {
  /**
   * Decodes and keeps files. A file's class is the given one, else the folder that it is in; folders named train, val and test (and
   * training_set, …) above it say its part. Files that cannot be used are refused, each with its reason; the others are kept.
   * Each file that is kept is on the disk when this resolves; where the room ends, the rest is refused by name.
   */
  add(files: readonly GivenFile[], className?: string): Promise<Added>;
  /** As `add`, of files that a server has: each is fetched when it is its turn. */
  addFrom(files: readonly { readonly url: string; readonly path: string }[]): Promise<Added>;
  /** Keeps a frame of the camera as a JPEG (quality 92). The frame is closed. */
  addFrame(frame: ImageData | ImageBitmap | VideoFrame, className: string): Promise<Added>;
  list(): Promise<PictureEntry[]>;
  move(ids: readonly PictureId[], className: string): Promise<void>;
  /** @param part null: by the split's own rule */
  setPart(ids: readonly PictureId[], part: PictureUse | null): Promise<void>;
  renameClass(from: string, to: string): Promise<void>;
  remove(ids: readonly PictureId[]): Promise<void>;
  /** Takes back the last `remove`, as long as the project is open. */
  restore(): Promise<number>;
  /** Small pictures, longest side at most 128, in the order of the ids; null for one that is gone. Ask for what is on the screen. */
  thumbnails(ids: readonly PictureId[]): Promise<(ImageBitmap | null)[]>;
  /** The file as it was given. */
  file(id: PictureId): Promise<NamedBlob>;
  /** What is wrong with the pictures, by the same looks as `beltnet audit`; badges of `list` come from the last one. */
  audit(): Promise<Audited>;
  /** Eight augmented pictures side by side, as the training would see them with these options. */
  preview(options: TrainingOptions): Promise<ImageBitmap>;
}

export type PictureId = number;

export interface GivenFile {
  readonly file: Blob;
  /** With its folders, such as `belt/training_set/gap/1.jpg`. */
  readonly path: string;
}

export interface Added {
  readonly ids: readonly PictureId[];
  readonly refused: readonly { readonly path: string; readonly reason: string }[];
}

export interface PictureEntry {
  readonly id: PictureId;
  /** `class/name.jpg`: unique in its part of the project. */
  readonly file: string;
  readonly class: string;
  /** What the next training would do with it. */
  readonly part: PictureUse;
  /** Whether the user said so; else it is the split's rule (15 % of a class with 20 pictures or more is held back). */
  readonly partIsGiven: boolean;
  readonly width: number;
  readonly height: number;
  readonly bytes: number;
  readonly badges: readonly Badge[];
}

export type Badge = Pick<Finding, 'kind' | 'severity' | 'message' | 'advice'>;

export interface Audited extends AuditReport {
  /** The pictures of each finding: groups of ids in place of files. */
  readonly ids: readonly (readonly (readonly PictureId[])[])[];
}

export interface NamedBlob {
  readonly name: string;
  readonly blob: Blob;
}
