// What the person is making, before it is sent.
import type { Request } from "../../api/types";

export interface Draft {
  text: string;
  own: boolean; // an own recording instead of the text
  language: string;
  voice: string; // id of a voice, "profile:<id>" for a cloned one, "" for the standard voice
  emotion: string;
  emotionTouched: boolean; // chosen by hand: proposals keep out
  pitch: number;
  speed: number;
  energy: number;
  music: string;
  volume: number;
  background: string; // "own" for a picture of one's own
  aspect: string;
  captions: string;
  subject: string;
  face: number; // 0 chooses
  consent: boolean;
}

export const empty: Draft = {
  text: "", own: false, language: "ja", voice: "", emotion: "neutral", emotionTouched: false, pitch: 0, speed: 1, energy: 1,
  music: "calm", volume: 0.3, background: "soft", aspect: "1:1", captions: "none", subject: "", face: 0, consent: false,
};

const key = "videomsg.draft";

// The draft survives a reload of this tab and ends with it.
export function loadDraft(language: string): Draft {
  const fresh = { ...empty, language };
  try {
    const kept: unknown = JSON.parse(sessionStorage.getItem(key) ?? "null");
    return kept && typeof kept === "object" ? { ...fresh, ...kept, own: false, face: 0, consent: false } : fresh;
  } catch {
    return fresh;
  }
}

export function keepDraft(d: Draft) {
  sessionStorage.setItem(key, JSON.stringify(d));
}

export function dropDraft() {
  sessionStorage.removeItem(key);
}

export function prosodyOf(d: Pick<Draft, "emotion" | "pitch" | "speed" | "energy">): Record<string, unknown> {
  return { emotion: d.emotion, pitch_shift: d.pitch, time_stretch: d.speed, energy_boost: d.energy };
}

export function unchanged(d: Pick<Draft, "emotion" | "pitch" | "speed" | "energy">): boolean {
  return d.emotion === "neutral" && d.pitch === 0 && d.speed === 1 && d.energy === 1;
}

// A task whose events are gone has this request.
export const noRequest: Request = { kind: "video", prosody: {}, bgm: {}, image: {}, video: {} };

// fromRequest is the draft that a finished task was made from.
export function fromRequest(r: Request, text: string, subject: string): Draft {
  return {
    ...empty,
    text, subject,
    language: r.language ?? "ja",
    voice: r.voice_profile ? `profile:${r.voice_profile}` : r.voice ?? "",
    emotion: r.prosody?.emotion || "neutral",
    emotionTouched: true,
    pitch: r.prosody?.pitch_shift ?? 0,
    speed: r.prosody?.time_stretch ?? 1,
    energy: r.prosody?.energy_boost ?? 1,
    music: r.bgm?.type || "calm",
    volume: r.bgm?.volume ?? 0.3,
    background: r.image?.background || "soft",
    aspect: r.image?.aspect || "1:1",
    captions: r.video?.captions || "none",
  };
}

const hints: [string, RegExp][] = [
  ["celebration", /誕生日|おめでと|お祝い|祝|birthday|congratulat/i],
  ["encouraging", /頑張|がんば|応援|ファイト|合格|good luck|you can do/i],
  ["grateful", /ありがと|感謝|お世話|thank|grateful/i],
];

// propose is the emotion that a text asks for, "" when it asks for none.
export function propose(text: string): string {
  return hints.find(([, re]) => re.test(text))?.[0] ?? "";
}

const charsPerSecond: Record<string, number> = { ja: 6.8, zh: 4.5, ko: 6 };

// spoken is the text as it is read: {漢字|よみ} counts as its reading.
export function speechSeconds(text: string, language: string): number {
  const read = text.replace(/\{[^{}|]*\|([^{}|]*)\}/g, "$1");
  const pauses = (read.match(/[。！？!?\n]/g)?.length ?? 0) * 0.45 + (read.match(/[、,]/g)?.length ?? 0) * 0.3;
  return read.length / (charsPerSecond[language.slice(0, 2)] ?? 14) + pauses;
}

export function length(text: string): number {
  return [...text].length;
}
