// What the service says, as far as the app uses it. The names are those of the
// API; every field that an older or newer service may leave out is optional.

export type StageState = "pending" | "running" | "ready" | "skipped" | "failed";
export type TaskStatus =
  | "queued" | "processing" | "image_ready" | "voice_ready" | "audio_ready"
  | "completed" | "failed" | "canceled";

export interface Artifact { name: string; url: string; content_type: string; size: number; sha256?: string }
export interface Fallback { engine: string; reason: string }

export interface Stage {
  name: string;
  state: StageState;
  engine?: string;
  attempt?: number;
  percent?: number;
  fallback?: boolean;
  fallback_from?: Fallback[];
  cache?: string;
  remarks?: string[];
  started_at?: string;
  finished_at?: string;
  retry_at?: string;
  seconds?: number;
  artifacts?: Artifact[];
}

export interface TaskError { code: string; detail: string; stage?: string; retryable?: boolean }

export interface Task {
  task_id: string;
  kind: string;
  status: TaskStatus;
  percent: number;
  created_at: string;
  updated_at: string;
  finished_at?: string;
  parent?: string;
  stages: Stage[];
  credits?: string[];
  video_url?: string;
  error?: TaskError | null;
  subject?: string;
  user_data?: string;
  revision?: number;
}

export interface Accepted { task_id: string; status: string; status_url: string }

export interface Prosody {
  pitch_shift?: number;
  time_stretch?: number;
  energy_boost?: number;
  emotion?: string;
  intensity?: number;
  pauses?: Record<string, number>;
}

// The request as events carry it.
export interface Request {
  kind: string;
  owner?: string;
  parent?: string;
  language?: string;
  voice?: string;
  voice_profile?: string;
  prosody?: Prosody;
  bgm?: { type?: string; volume?: number; duck?: boolean; accessible?: boolean };
  image?: { steps?: string[]; background?: string; aspect?: string; face?: number };
  video?: { captions?: string; style?: string; label?: string; motion?: number; mouth?: string };
  require?: Record<string, string>;
  consent?: boolean;
}

export interface Blob { key: string; type: string; sha256: string; size: number }

export interface Note {
  stage: string;
  engine?: string;
  attempt?: number;
  skipped?: boolean;
  fallback?: Fallback[];
  cache?: string;
  started?: string;
  seconds?: number;
  artifacts?: string[];
  credit?: string;
  remarks?: string[];
  problem?: { code: string; detail: string; retryable?: boolean };
}

export interface Job { request: Request; blobs?: Record<string, Blob>; notes?: Note[] }

export interface CloudEvent {
  specversion: string;
  id: string;
  type: string;
  source: string;
  subject: string;
  time: string;
  slip?: string;
  traceparent?: string;
  data: Job;
}

export interface Recorded { seq: number; event: CloudEvent }

export interface Progress { stage: string; attempt: number; started: string; done: number; waiting?: string }

export interface Voice {
  id: string;
  language: string;
  name: string;
  engine?: string;
  quality?: string;
  credit?: string;
  policy?: string;
  preview_url?: string;
}

export interface Track { id: string; name?: string; name_ja?: string; name_en?: string; mood?: string; seconds?: number; preview_url?: string; credit?: string; licence?: string; own?: boolean }
export interface Background { id: string; name?: string; name_ja?: string; name_en?: string; preview_url?: string }

export interface Profile {
  profile_id: string;
  name: string;
  language?: string;
  status?: string; // processing, ready, failed, revoked
  reason?: string;
  engine?: string;
  samples?: number;
  created_at?: string;
  preview_url?: string;
  consent?: { speaker?: string; basis?: string; statement?: string; scope?: string[]; expires?: string; given_at?: string; withdrawn?: string };
}
