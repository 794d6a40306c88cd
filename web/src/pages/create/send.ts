// Sends the draft. XMLHttpRequest tells how much has gone up, fetch does not.
import { ApiError } from "../../api/client";
import type { Accepted } from "../../api/types";
import { type Draft, prosodyOf } from "./draft";

export interface Files { photo: File; backdrop: File | null; audio: File | null }

export function formOf(d: Draft, f: Files): FormData {
  const form = new FormData();
  form.set("image", f.photo);
  if (f.audio) form.set("audio", f.audio);
  else form.set("text", d.text.trim());
  form.set("language", d.language);
  if (d.voice.startsWith("profile:")) form.set("voice_profile", d.voice.slice(8));
  else if (d.voice) form.set("voice", d.voice);
  form.set("prosody_params", JSON.stringify(prosodyOf(d)));
  form.set("bgm_type", d.music);
  if (d.music !== "none") form.set("bgm_volume", String(d.volume));
  if (d.background === "own" && f.backdrop) form.set("background_image", f.backdrop);
  else form.set("background", d.background === "own" ? "soft" : d.background);
  form.set("aspect", d.aspect);
  form.set("captions", d.captions);
  if (d.face) form.set("face", String(d.face));
  if (d.subject.trim()) form.set("subject", d.subject.trim());
  form.set("user_data", d.text.trim().slice(0, 300));
  form.set("consent", "true");
  return form;
}

// newKey names one press of the button, so that a repeat on a bad connection
// makes no second video.
export function newKey(): string {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (b) => b.toString(16).padStart(2, "0")).join("");
}

export function send(form: FormData, key: string, language: string, onProgress: (percent: number) => void): Promise<Accepted> {
  return new Promise((resolve, reject) => {
    const x = new XMLHttpRequest();
    x.open("POST", "/api/video/generate");
    x.setRequestHeader("Idempotency-Key", key);
    x.setRequestHeader("Accept-Language", language);
    x.responseType = "json";
    x.upload.onprogress = (e) => e.lengthComputable && onProgress(Math.round((e.loaded / e.total) * 100));
    x.onerror = () => reject(new ApiError(0, "OFFLINE", "offline", ""));
    x.onload = () => {
      const b = x.response ?? {};
      if (x.status >= 200 && x.status < 300) resolve(b as Accepted);
      else reject(new ApiError(x.status, b.code ?? `HTTP_${x.status}`, b.title ?? `HTTP ${x.status}`, b.detail ?? "", b.errors ?? [], Number(x.getResponseHeader("Retry-After")) || 0));
    };
    x.send(form);
  });
}
