import { useEffect, useRef, useState } from "react";
import { call } from "../../api/client";
import { explain, useI18n } from "../../i18n";
import { Choice } from "../../ui/Choice";
import { Icon } from "../../ui/Icon";
import { Slider } from "../../ui/Slider";
import { Waveform } from "../../ui/Waveform";
import { type Draft, propose, prosodyOf, unchanged } from "./draft";
import { runOnce } from "./photo";

interface Props {
  draft: Draft;
  dictionary: number; // another one: words are read in another way
  set: (d: Partial<Draft>) => void;
}

type Sound = { state: "none" | "busy" | "done" | "failed"; blob?: Blob; key?: string; error?: unknown };

// speak makes the plain speech of a text; the last one is kept, since sliders
// change only what comes after it.
async function speak(d: Draft, signal: AbortSignal): Promise<Blob> {
  const profile = d.voice.startsWith("profile:") ? d.voice.slice(8) : undefined;
  const r = await call(profile ? "/api/voice-clone/synthesize" : "/api/voices/synthesize", {
    json: { text: d.text, language: d.language, voice: profile ? undefined : d.voice || undefined, profile_id: profile },
    headers: { Accept: "audio/wav", Prefer: "wait=30" }, signal,
  });
  return r.blob();
}

async function colour(speech: Blob, d: Draft, signal: AbortSignal): Promise<Blob> {
  if (unchanged(d)) return speech;
  const form = new FormData();
  form.set("audio", new File([speech], "speech.wav", { type: "audio/wav" }));
  form.set("prosody_params", JSON.stringify(prosodyOf(d)));
  const { blob, task } = await runOnce("/api/audio/prosody", form, (t) => {
    const all = t.stages.flatMap((s) => s.artifacts ?? []);
    return (all.find((a) => a.name === "prosody") ?? all.find((a) => a.name === "speech"))?.url;
  }, signal);
  if (!blob) throw new Error(task.error?.detail ?? "prosody gave no sound");
  return blob;
}

export function Feeling({ draft, dictionary, set }: Props) {
  const { t } = useI18n();
  const [sound, setSound] = useState<Sound>({ state: "none" });
  const base = useRef<{ key: string; speech: Blob } | null>(null);
  const abort = useRef<AbortController>(undefined);
  const proposed = propose(draft.text);
  useEffect(() => {
    if (!draft.emotionTouched && draft.emotion !== (proposed || "neutral")) set({ emotion: proposed || "neutral" });
  }, [proposed, draft.emotionTouched, draft.emotion, set]);
  useEffect(() => () => abort.current?.abort(), []);

  const baseKey = JSON.stringify([draft.text, draft.language, draft.voice, dictionary]);
  const key = baseKey + JSON.stringify(prosodyOf(draft));

  async function listen() {
    abort.current?.abort();
    const a = new AbortController();
    abort.current = a;
    setSound((s) => ({ ...s, state: "busy" }));
    try {
      if (base.current?.key !== baseKey) base.current = { key: baseKey, speech: await speak(draft, a.signal) };
      const blob = await colour(base.current.speech, draft, a.signal);
      if (!a.signal.aborted) setSound({ state: "done", blob, key });
    } catch (error) {
      if (!a.signal.aborted) setSound({ state: "failed", error });
    }
  }
  const emotions = Object.entries(t.create.emotions).map(([value, name]) => ({
    value,
    label: <>{name}{value === proposed && <span className="dot" title={t.create.proposed}><span className="visually-hidden">（{t.create.proposed}）</span></span>}</>,
  }));
  const stale = sound.state === "done" && sound.key !== key;
  return (
    <section className="card stack" aria-labelledby="h-feeling">
      <h2 id="h-feeling"><Icon name="heart" />{t.create.feeling}</h2>
      <Choice name="emotion" legend={t.create.feeling} hideLegend options={emotions} value={draft.emotion} onChange={(emotion) => set({ emotion, emotionTouched: true })} />
      {proposed && <p className="muted"><small><span className="dot" aria-hidden="true" /> {t.create.proposed}</small></p>}
      <details>
        <summary>{t.create.fine}</summary>
        <div className="stack">
          <Slider label={t.create.speed} min={0.5} max={2} step={0.05} value={draft.speed} show={t.create.times} onChange={(speed) => set({ speed })} />
          <Slider label={t.create.pitch} min={-12} max={12} step={0.5} value={draft.pitch} show={t.create.pitchValue} onChange={(pitch) => set({ pitch })} />
          <Slider label={t.create.energy} min={0.5} max={1.5} step={0.05} value={draft.energy} show={t.create.times} onChange={(energy) => set({ energy })} />
        </div>
      </details>
      {!draft.own && sound.blob && <Waveform blob={sound.blob} autoplay />}
      {!draft.own && <button type="button" className="secondary" disabled={!draft.text.trim() || sound.state === "busy"} onClick={() => void listen()}>
        {sound.state === "busy" ? <span className="spin" aria-hidden="true" /> : <Icon name="wave" size={20} />}
        {sound.state === "busy" ? t.create.drafting : stale ? t.create.draftAgain : t.create.draft}
      </button>}
      {sound.state === "failed" && <p className="error" role="alert">{explain(t, sound.error)}</p>}
    </section>
  );
}
