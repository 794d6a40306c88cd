// One thing sounds at a time: whatever is played stops what was playing.
import { useSyncExternalStore } from "react";

export interface Playing { key: string; state: "idle" | "loading" | "playing" | "failed" }

let now: Playing = { key: "", state: "idle" };
let audio: HTMLAudioElement | undefined;
let made = "";
let turn = 0;
const listeners = new Set<() => void>();

function set(p: Playing) {
  now = p;
  listeners.forEach((f) => f());
}

export function stop() {
  turn++;
  audio?.pause();
  set({ key: "", state: "idle" });
}

// play starts src under key; src may still have to be made. volume is 0..1.
export async function play(key: string, src: string | (() => Promise<Blob | string>), volume = 1) {
  const mine = ++turn;
  audio ??= new Audio();
  const a = audio;
  a.pause();
  set({ key, state: "loading" });
  try {
    const got = typeof src === "string" ? src : await src();
    if (mine !== turn) return;
    if (made) URL.revokeObjectURL(made);
    made = typeof got === "string" ? "" : URL.createObjectURL(got);
    a.src = typeof got === "string" ? got : made;
    a.volume = volume;
    a.onended = () => mine === turn && set({ key: "", state: "idle" });
    await a.play();
    if (mine === turn) set({ key, state: "playing" });
  } catch {
    if (mine === turn) set({ key, state: "failed" });
  }
}

export function setVolume(key: string, volume: number) {
  if (audio && now.key === key) audio.volume = volume;
}

export function usePlaying(): Playing {
  return useSyncExternalStore(
    (f) => {
      listeners.add(f);
      return () => listeners.delete(f);
    },
    () => now,
    () => now,
  );
}
