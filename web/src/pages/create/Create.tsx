import { type FormEvent, useCallback, useEffect, useMemo, useRef, useState } from "react";
import { ApiError, call, getJSON } from "../../api/client";
import type { Background, Profile, Recorded, Task, Track, Voice as VoiceEntry } from "../../api/types";
import { explain, useI18n } from "../../i18n";
import { navigate } from "../../router";
import { downloadURL } from "../../task/fold";
import { Choice } from "../../ui/Choice";
import { Icon } from "../../ui/Icon";
import { stop } from "../../ui/player";
import { Backdrop } from "./Backdrop";
import { previewOf, useCatalogue } from "./catalogue";
import { type Draft, dropDraft, fromRequest, keepDraft, length, loadDraft, noRequest } from "./draft";
import { Feeling } from "./Feeling";
import { Message } from "./Message";
import { Music } from "./Music";
import { Photo } from "./Photo";
import { useAnalysis, useCutout, useObjectURL } from "./photo";
import { Preview } from "./Preview";
import { formOf, newKey, send } from "./send";
import { Voice } from "./Voice";
import "../../styles/create.css";

type Problems = { photo?: string; text?: string; consent?: string; other?: string };

// Pixels of the preview's background by aspect.
const frames: Record<string, [number, number]> = { "1:1": [480, 480], "9:16": [360, 640], "16:9": [640, 360] };

// restore fills the page from a task that was made before.
async function restore(id: string): Promise<{ draft: Draft; photo: File | null }> {
  const [task, log] = await Promise.all([
    getJSON<Task>(`/api/video/status/${id}`),
    getJSON<{ events: Recorded[] }>(`/api/tasks/${id}/events`),
  ]);
  const first = log.events[0]?.event.data;
  const fetchBlob = async (name: string) => (await call(downloadURL(id, name))).blob();
  const text = first?.blobs?.text ? await fetchBlob("text").then((b) => b.text(), () => "") : "";
  const picture = first?.blobs?.portrait ? await fetchBlob("portrait").catch(() => null) : null;
  const photo = picture && new File([picture], `portrait.${picture.type.split("/")[1] ?? "jpg"}`, { type: picture.type });
  return { draft: fromRequest(first?.request ?? noRequest, text, task.subject ?? ""), photo };
}

export function Create({ from }: { from: string | null }) {
  const { t, lang } = useI18n();
  const [draft, setDraft] = useState<Draft>(() => loadDraft(lang));
  const [photo, setPhoto] = useState<File | null>(null);
  const [backdrop, setBackdrop] = useState<File | null>(null);
  const [audio, setAudio] = useState<File | null>(null);
  const [problems, setProblems] = useState<Problems>({});
  const [sending, setSending] = useState<number | null>(null);
  const [restored, setRestored] = useState(false);
  const [added, setAdded] = useState<Track[]>([]);
  const [dictionary, setDictionary] = useState(0); // changes with it
  const key = useRef("");
  const set = useCallback((d: Partial<Draft>) => setDraft((old) => ({ ...old, ...d })), []);

  const voices = useCatalogue<VoiceEntry>("/api/voices");
  const profiles = useCatalogue<Profile>("/api/voice-clone/profiles");
  const tracks = useCatalogue<Track>("/api/bgm");
  const backgrounds = useCatalogue<Background>("/api/backgrounds");
  const languages = useMemo(() => {
    const all = new Set(voices.items.map((v) => v.language.slice(0, 2)));
    return ["ja", "en", ...[...all].filter((l) => l !== "ja" && l !== "en").sort()];
  }, [voices.items]);

  const photoURL = useObjectURL(photo);
  const ownURL = useObjectURL(backdrop);
  const look = useAnalysis(photo, draft.face);
  const cut = useCutout(photo, draft.face, draft.aspect, draft.background !== "original");

  useEffect(() => {
    key.current = ""; // whatever changes, it is another request
    const timer = setTimeout(() => keepDraft(draft), 300);
    return () => clearTimeout(timer);
  }, [draft, photo, backdrop, audio]);
  useEffect(() => {
    if (!from) return;
    let current = true;
    restore(from).then(
      (r) => {
        if (!current) return;
        setDraft(r.draft);
        setPhoto(r.photo);
        setRestored(true);
      },
      (e: unknown) => current && setProblems({ other: explain(t, e) }),
    );
    return () => {
      current = false;
    };
    // Once per task: later changes of language must not undo what was typed.
    // eslint-disable-next-line
  }, [from]);
  useEffect(() => () => stop(), []);
  // Who writes in the other language is heard in it, until they choose.
  const lastLang = useRef(lang);
  useEffect(() => {
    if (lastLang.current !== lang && !draft.text) set({ language: lang, voice: "" });
    lastLang.current = lang;
  }, [lang, draft.text, set]);

  async function submit(e: FormEvent) {
    e.preventDefault();
    const p: Problems = {};
    if (!photo) p.photo = t.create.needPhoto;
    if (draft.own && !audio) p.text = t.create.needAudio;
    else if (!draft.own && !draft.text.trim()) p.text = t.create.needText;
    else if (length(draft.text) > 1000) p.text = t.errors.TEXT_TOO_LONG;
    if (!draft.consent) p.consent = t.create.needConsent;
    setProblems(p);
    const first = p.photo ? "h-photo" : p.text ? "h-message" : p.consent ? "consent" : "";
    if (first || !photo) {
      const el = document.getElementById(first);
      el?.scrollIntoView({ block: "center", behavior: "smooth" });
      (el as HTMLElement | null)?.focus({ preventScroll: true });
      return;
    }
    stop();
    setSending(0);
    key.current ||= newKey();
    try {
      const a = await send(formOf(draft, { photo, backdrop, audio: draft.own ? audio : null }), key.current, lang, setSending);
      dropDraft();
      navigate(`/t/${a.task_id}`);
    } catch (err) {
      setSending(null);
      const said = explain(t, err);
      const field = err instanceof ApiError ? err.errors[0]?.field : undefined;
      setProblems(field === "image" ? { photo: said } : field === "text" || field === "audio" ? { text: said } : { other: said });
      if (err instanceof ApiError && err.status !== 0) key.current = "";
    }
  }
  const voice = draft.voice || voices.items.find((v) => v.language.slice(0, 2) === draft.language.slice(0, 2))?.id || "";
  const sampleURL = (text: string) => `${previewOf(voice)}?text=${encodeURIComponent(text)}`;
  const [w, h] = frames[draft.aspect] ?? frames["1:1"]!;
  const backgroundURL = draft.background === "own" ? ownURL : `/api/backgrounds/${draft.background}/preview?width=${w}&height=${h}`;
  const preview = (
    <Preview url={photoURL} analysis={look.analysis} aspect={draft.aspect} background={draft.background} backgroundURL={backgroundURL} cut={cut} captions={draft.captions} text={draft.text} />
  );
  const looks = (
    <>
      <Choice name="aspect" legend={t.create.aspect} look="segments" value={draft.aspect} onChange={(aspect) => set({ aspect })} options={Object.entries(t.create.aspects).map(([value, label]) => ({ value, label: <><span className={`shape shape-${value.replace(":", "-")}`} aria-hidden="true" />{label}</> }))} />
      <Backdrop items={backgrounds.items} value={draft.background} onChange={(background) => set({ background })} ownURL={ownURL} onOwn={setBackdrop} photoURL={photoURL} />
      {cut.state === "failed" && draft.background !== "original" && <p className="notice warn"><Icon name="alert" size={20} /><span>{t.create.noCut}{cut.reason && <small> {cut.reason}</small>}</span></p>}
    </>
  );
  return (
    <main id="main" className="page" tabIndex={-1}>
      <form className="create" onSubmit={submit} noValidate>
        <div className="create-form">
          <div className="page-head">
            <h1>{t.create.title}</h1>
            <p className="muted">{t.create.lead}</p>
          </div>
          {restored && <p className="notice ok" role="status">{t.create.rerunNotice}</p>}
          <Photo photo={photo} url={photoURL} look={look} face={draft.face} error={problems.photo} onPhoto={(f) => { setPhoto(f); set({ face: 0 }); setProblems((p) => ({ ...p, photo: undefined })); }} onFace={(face) => set({ face })} />
          <Message text={draft.text} language={draft.language} languages={languages} error={problems.text} own={draft.own} audio={audio} onOwn={(own) => set({ own })} onAudio={(a) => { setAudio(a); if (a) setProblems((p) => ({ ...p, text: undefined })); }} onText={(text) => { set({ text }); if (problems.text) setProblems((p) => ({ ...p, text: undefined })); }} onLanguage={(language) => set({ language, voice: "" })} sampleURL={sampleURL} onWords={() => setDictionary((n) => n + 1)} />
          {!draft.own && <Voice voices={voices.items} failed={voices.failed} loading={voices.loading} profiles={profiles.items} value={draft.voice} language={draft.language} onChange={(voice) => set({ voice })} />}
          <Feeling draft={draft} dictionary={dictionary} set={set} />
          <Music tracks={[...tracks.items, ...added]} value={draft.music} volume={draft.volume} onChange={(music) => set({ music })} onVolume={(volume) => set({ volume })} onAdded={(x) => { setAdded((a) => [...a, x]); set({ music: x.id }); }} />
          <section className="card stack" aria-labelledby="h-extras">
            <h2 id="h-extras"><Icon name="list" />{t.create.extras}</h2>
            <Choice name="captions" legend={t.create.captions} look="segments" value={draft.captions} onChange={(captions) => set({ captions })} options={Object.entries(t.create.captionChoices).map(([value, label]) => ({ value, label }))} />
            <div>
              <label className="label" htmlFor="subject">{t.create.to}</label>
              <input id="subject" type="text" maxLength={200} placeholder={t.create.toHint} value={draft.subject} onChange={(e) => set({ subject: e.target.value })} />
            </div>
          </section>
        </div>
        <div className="create-side">
          <section className="card stack" aria-labelledby="h-finish">
            <h2 id="h-finish"><Icon name="sparkle" />{t.create.finish}</h2>
            {preview}
            {looks}
            <div className="go">
              <label className="check">
                <input id="consent" type="checkbox" checked={draft.consent} aria-describedby="consent-error" onChange={(e) => { set({ consent: e.target.checked }); setProblems((p) => ({ ...p, consent: undefined })); }} />
                <span>{t.create.consent}</span>
              </label>
              <p id="consent-error" className="error" role={problems.consent ? "alert" : undefined}>{problems.consent}</p>
              <button className="primary big" disabled={sending !== null}>
                {sending === null ? <><Icon name="sparkle" />{t.create.go}</> : <><span className="spin" aria-hidden="true" />{sending < 100 ? t.create.sendingPercent(sending) : t.create.sending}</>}
              </button>
              <p className="muted fine">{t.create.aiLabel}</p>
              {problems.other && <p className="notice bad" role="alert"><Icon name="alert" size={20} />{problems.other}</p>}
            </div>
          </section>
        </div>
      </form>
    </main>
  );
}
