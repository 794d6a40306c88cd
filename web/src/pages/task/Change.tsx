import { useEffect, useState } from "react";
import { call, getJSON } from "../../api/client";
import type { Background, Recorded, Request, Task, Track, Voice } from "../../api/types";
import { explain, useI18n } from "../../i18n";
import { navigate } from "../../router";
import { Choice } from "../../ui/Choice";
import { Icon } from "../../ui/Icon";
import { Slider } from "../../ui/Slider";
import { Backdrop } from "../create/Backdrop";
import { nameIn, useCatalogue } from "../create/catalogue";
import { noRequest } from "../create/draft";

type Changes = Record<string, unknown>;

// The earliest stage that a changed option touches decides where to start.
const stageOf: Record<string, string> = {
  background: "image", aspect: "image", voice: "voice", prosody_params: "prosody", bgm_type: "bgm", bgm_volume: "bgm", captions: "video",
};
const order = ["image", "voice", "prosody", "bgm", "video"];

export function startOf(changes: Changes): string {
  const touched = Object.keys(changes).map((k) => order.indexOf(stageOf[k] ?? "image"));
  return order[Math.min(...touched, order.length - 1)] ?? "video";
}

export function Change({ task }: { task: Task }) {
  const { t } = useI18n();
  const [open, setOpen] = useState(false);
  return (
    <section className="card" aria-label={t.task.change}>
      <details onToggle={(e) => setOpen(e.currentTarget.open)}>
        <summary className="big-summary">{t.task.change}</summary>
        {open && <Form task={task} />}
      </details>
    </section>
  );
}

function Form({ task }: { task: Task }) {
  const { t, lang } = useI18n();
  const [request, setRequest] = useState<Request | null>(null);
  const [changes, setChanges] = useState<Changes>({});
  const [problem, setProblem] = useState("");
  const [busy, setBusy] = useState(false);
  const tracks = useCatalogue<Track>("/api/bgm");
  const voices = useCatalogue<Voice>("/api/voices");
  const backgrounds = useCatalogue<Background>("/api/backgrounds");
  useEffect(() => {
    getJSON<{ events: Recorded[] }>(`/api/tasks/${task.task_id}/events`).then(
      (r) => setRequest(r.events[0]?.event.data.request ?? noRequest),
      (e: unknown) => setProblem(explain(t, e)),
    );
  }, [task.task_id, t]);
  if (!request) return <p className="muted">{problem || t.loading}</p>;

  const set = (c: Changes) => setChanges((old) => ({ ...old, ...c }));
  const prosody = (changes.prosody_params as Request["prosody"]) ?? request.prosody ?? {};
  const language = (request.language ?? "ja").slice(0, 2);
  const same = voices.items.filter((v) => v.language.slice(0, 2) === language);
  const trackOptions = (tracks.items.length ? tracks.items : Object.keys(t.create.tracks).filter((x) => x !== "none").map((id): Track => ({ id, name: id, name_ja: id, own: false, preview_url: "" }))).map((x) => ({ value: x.id, label: t.create.tracks[x.id] ?? nameIn(lang, x) }));
  async function go() {
    setBusy(true);
    try {
      const r = await call(`/api/tasks/${task.task_id}/rerun`, { json: { from: startOf(changes), changes } });
      navigate(`/t/${((await r.json()) as { task_id: string }).task_id}`);
    } catch (e) {
      setProblem(explain(t, e));
      setBusy(false);
    }
  }
  return (
    <div className="stack">
      <p className="muted">{t.task.changeHelp}</p>
      <Choice name="c-emotion" legend={t.task.changeFeeling} value={prosody.emotion || "neutral"} onChange={(emotion) => set({ prosody_params: { ...prosody, emotion } })} options={Object.entries(t.create.emotions).map(([value, label]) => ({ value, label }))} />
      <Slider label={t.create.speed} min={0.5} max={2} step={0.05} value={prosody.time_stretch ?? 1} show={t.create.times} onChange={(time_stretch) => set({ prosody_params: { ...prosody, time_stretch } })} />
      <Choice name="c-music" legend={t.task.changeMusic} value={String(changes.bgm_type ?? (request.bgm?.type || "calm"))} onChange={(v) => set({ bgm_type: v })} options={[...trackOptions, { value: "none", label: t.create.tracks.none }]} />
      <Slider label={t.create.volume} min={0} max={1} step={0.05} value={Number(changes.bgm_volume ?? request.bgm?.volume ?? 0.3)} show={(v) => `${Math.round(v * 100)}%`} onChange={(v) => set({ bgm_volume: v })} />
      {same.length > 1 && (
        <Choice name="c-voice" legend={t.task.changeVoice} value={String(changes.voice ?? request.voice ?? same[0]?.id)} onChange={(voice) => set({ voice })} options={same.map((v) => ({ value: v.id, label: v.name }))} />
      )}
      <Backdrop items={backgrounds.items} value={String(changes.background ?? request.image?.background ?? "soft")} onChange={(background) => set({ background })} ownURL="" photoURL="" />
      <Choice name="c-captions" legend={t.task.changeCaptions} look="segments" value={String(changes.captions ?? request.video?.captions ?? "none")} onChange={(captions) => set({ captions })} options={Object.entries(t.create.captionChoices).map(([value, label]) => ({ value, label }))} />
      {problem && <p className="error" role="alert">{problem}</p>}
      <button type="button" className="primary big" disabled={busy || Object.keys(changes).length === 0} onClick={() => void go()}>
        <Icon name="redo" size={20} />{t.task.apply}
      </button>
    </div>
  );
}
