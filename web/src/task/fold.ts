// A task is a fold over its events. The app folds them itself so that an event is
// on the screen as soon as it arrives, and so that the debugging page can show
// the task as it was at any of them.
import type { CloudEvent, Note, Progress, Recorded, Stage, Task, TaskStatus } from "../api/types";

const share: Record<string, number> = { image: 20, voice: 45, prosody: 55, bgm: 65, video: 100 };

export function verbOf(e: CloudEvent): { stage: string; verb: string } {
  const [, stage = "", verb = ""] = e.type.split(".");
  return { stage, verb };
}

export function emptyTask(id: string): Task {
  return { task_id: id, kind: "video", status: "queued", percent: 0, created_at: "", updated_at: "", stages: [], revision: 0 };
}

function noteOf(e: CloudEvent, stage: string): Note | undefined {
  return e.data.notes?.findLast((n) => n.stage === stage);
}

export function downloadURL(task: string, artifact = ""): string {
  return `/api/video/download/${task}${artifact ? `?artifact=${artifact}` : ""}`;
}

function outcome(task: string, e: CloudEvent, name: string, verb: string): Stage {
  const n = noteOf(e, name);
  const s: Stage = { name, state: verb === "failed" ? "failed" : n?.skipped ? "skipped" : "ready", fallback: false, finished_at: e.time };
  if (!n) return s;
  s.engine = n.engine;
  s.attempt = n.attempt;
  s.fallback_from = n.fallback ?? [];
  s.fallback = s.fallback_from.length > 0;
  s.cache = n.cache;
  s.remarks = n.remarks;
  s.started_at = n.started;
  s.seconds = n.seconds;
  s.artifacts = (n.artifacts ?? []).flatMap((a) => {
    const b = e.data.blobs?.[a];
    return b ? [{ name: a, url: downloadURL(task, a), content_type: b.type, size: b.size, sha256: b.sha256 }] : [];
  });
  return s;
}

function failure(p: Note["problem"], stage?: string): Task["error"] {
  return { code: p?.code ?? "INTERNAL", detail: p?.detail ?? "", retryable: p?.retryable ?? false, stage };
}

// apply gives the task after one more event. Seen events change nothing.
export function apply(t: Task, seq: number, e: CloudEvent): Task {
  if (seq <= (t.revision ?? 0)) return t;
  const { stage, verb } = verbOf(e);
  const next: Task = { ...t, revision: seq, updated_at: e.time };
  if (t.stages.length === 0) {
    const plan = (e.slip ?? "").split(" ").filter(Boolean);
    if (stage !== "task") plan.unshift(stage);
    next.created_at = e.time;
    next.kind = e.data.request.kind;
    next.parent = e.data.request.parent;
    next.stages = plan.map((name) => ({ name, state: "pending", fallback: false }));
    // A rerun starts in the middle; its first event says so by what is left.
  }
  if (stage === "task") {
    if (verb === "completed" || verb === "failed" || verb === "canceled") {
      next.status = verb;
      next.finished_at = e.time;
      if (verb === "completed") {
        next.percent = 100;
        if (e.data.blobs?.video) next.video_url = downloadURL(t.task_id);
      }
      next.stages = next.stages.map((s) => (s.state === "running" ? { ...s, state: "pending", percent: undefined } : s));
      const p = e.data.notes?.at(-1)?.problem;
      if (verb === "failed" && !next.error) next.error = failure(p);
    }
    return next;
  }
  const settled = (s: Stage) => s.state === "ready" || s.state === "skipped" || s.state === "failed";
  next.stages = next.stages.map((s) => {
    if (s.name !== stage || settled(s)) return s;
    if (verb === "ready" || verb === "failed") return outcome(t.task_id, e, stage, verb);
    if (verb === "requested" || verb === "retry") return { ...s, started_at: s.started_at ?? e.time };
    return s;
  });
  if (verb === "failed") {
    const p = noteOf(e, stage)?.problem;
    next.error = failure(p, stage);
  }
  const credits = next.credits ?? [];
  const credit = noteOf(e, stage)?.credit;
  if (credit && !credits.includes(credit)) next.credits = [...credits, credit];
  if (!next.finished_at) {
    next.percent = Math.max(t.percent, percentOf(next.stages));
    next.status = statusOf(next.stages);
  }
  return next;
}

// progress shows what the running stage says of itself.
export function progress(t: Task, p: Progress): Task {
  if (t.finished_at) return t;
  const waiting = p.waiting && !p.waiting.startsWith("0001");
  const stages = t.stages.map((s): Stage => {
    if (s.name !== p.stage || s.state === "ready" || s.state === "skipped" || s.state === "failed") return s;
    return {
      ...s, state: waiting ? "pending" : "running", attempt: p.attempt, started_at: p.started,
      percent: Math.round(p.done * 1000) / 10, retry_at: waiting ? p.waiting : undefined,
    };
  });
  const status = t.status === "queued" ? "processing" : t.status;
  return { ...t, stages, status, percent: Math.max(t.percent, percentOf(stages)) };
}

function percentOf(stages: Stage[]): number {
  let done = 0;
  let before = 0;
  const top = stages.length ? share[stages.at(-1)!.name] ?? 100 : 100;
  for (const s of stages) {
    const to = ((share[s.name] ?? 100) / top) * 100;
    if (s.state === "ready" || s.state === "skipped") done = to;
    else {
      if (s.state === "running" && s.percent) done = before + ((to - before) * s.percent) / 100;
      break;
    }
    before = to;
  }
  return Math.min(100, Math.round(done * 10) / 10);
}

function statusOf(stages: Stage[]): TaskStatus {
  const did = (n: string) => stages.some((s) => s.name === n && (s.state === "ready" || s.state === "skipped"));
  if (did("bgm")) return "audio_ready";
  if (did("voice")) return "voice_ready";
  if (did("image")) return "image_ready";
  return stages.some((s) => s.state !== "pending" || s.started_at) ? "processing" : "queued";
}

// foldAll is the task after the first n of its recorded events.
export function foldAll(id: string, events: Recorded[], n = events.length): Task {
  return events.slice(0, n).reduce((t, r) => apply(t, r.seq, r.event), emptyTask(id));
}

export function terminal(t: Task): boolean {
  return t.status === "completed" || t.status === "failed" || t.status === "canceled";
}
