// What the service says, in names that the app uses. The shapes are generated from
// the service's own OpenAPI document (schema.ts); only what that document says
// loosely, such as a state that is one of five words, is said more exactly here.
import type { components } from "./schema";

type Schemas = components["schemas"];

export type StageState = "pending" | "running" | "ready" | "skipped" | "failed";
export type TaskStatus =
  | "queued" | "processing" | "image_ready" | "voice_ready" | "audio_ready"
  | "completed" | "failed" | "canceled";

type ServedTask = Schemas["Task"];
type ServedStage = ServedTask["stages"][number];

export type Artifact = NonNullable<ServedStage["artifacts"]>[number];
export type Stage = Omit<ServedStage, "state"> & { state: StageState };
export type Task = Omit<ServedTask, "stages" | "status"> & { stages: Stage[]; status: TaskStatus };

export type Recorded = Schemas["Timeline"]["events"][number];
export type CloudEvent = Recorded["event"];
export type Job = CloudEvent["data"];
export type Request = Job["request"];
export type Note = NonNullable<Job["notes"]>[number];
export type Blob = NonNullable<Job["blobs"]>[string];

// Progress travels beside the events and is in no document: it is not kept.
export interface Progress { stage: string; attempt: number; started: string; done: number; waiting?: string }

export type Accepted = Schemas["Accepted"];
export type Analysis = Schemas["Analysis"];
export type Box = Analysis["crops"][string];
export type Voice = Schemas["VoiceList"]["items"][number];
export type Word = Schemas["WordList"]["items"][number];
export type Track = Schemas["Music"];
export type Background = Schemas["BackgroundList"]["items"][number];
export type Profile = Schemas["Profile"];
export type Session = Schemas["Session"];
export type Worker = Schemas["WorkerList"]["items"][number];
export type Minute = Schemas["Throughput"]["items"][number];
export type OpsStage = Schemas["StageState"];
export type EngineState = Schemas["EngineStateList"]["items"][number];
export type DeadLetter = Omit<Schemas["DeadLetter"], "state"> & { state: "open" | "redriven" | "discarded" };
