import { useEffect, useMemo, useRef, useState } from "react";
import type { Artifact, Task } from "../../api/types";
import { formatSeconds, useI18n } from "../../i18n";
import { Link } from "../../router";
import { downloadURL } from "../../task/fold";
import { Icon } from "../../ui/Icon";
import { Fallbacks, Steps } from "./Steps";

export function artifactsOf(task: Task): Artifact[] {
  return task.stages.flatMap((s) => s.artifacts ?? []);
}

// extension is what a saved file is called after its name.
function extension(type: string): string {
  const known: Record<string, string> = { "video/mp4": "mp4", "audio/wav": "wav", "audio/mpeg": "mp3", "image/png": "png", "image/jpeg": "jpg", "text/vtt": "vtt", "application/json": "json", "application/x-subrip": "srt" };
  return known[type.split(";")[0] ?? ""] ?? "bin";
}

export function Result({ task }: { task: Task }) {
  const { t, lang } = useI18n();
  const [copied, setCopied] = useState(false);
  const [sharing, setSharing] = useState(false);
  const artifacts = useMemo(() => artifactsOf(task), [task]);
  const find = (name: string) => artifacts.find((a) => a.name === name);
  const vtt = find("captions-vtt");
  const poster = find("poster");
  const main = task.video_url ?? downloadURL(task.task_id);
  const isVideo = !!task.video_url;
  const sound = find("mp3") ?? find("mix") ?? find("prosody") ?? find("speech");
  const took = task.finished_at ? (Date.parse(task.finished_at) - Date.parse(task.created_at)) / 1000 : 0;
  const title = task.subject || t.task.shareTitle;
  const file = `${(task.subject || "videomsg").replace(/[\\/:*?"<>|]/g, "")}.mp4`;

  // Sharing must follow the tap at once, or iOS refuses; so the file is fetched
  // before anybody taps.
  const ready = useRef<Promise<File> | null>(null);
  useEffect(() => {
    if (typeof navigator.share !== "function") return;
    const abort = new AbortController();
    const p = fetch(main, { signal: abort.signal }).then((r) => r.blob()).then((b) => new File([b], file, { type: b.type || "video/mp4" }));
    p.catch(() => {
      ready.current = null; // it is fetched when it is wanted
    });
    ready.current = p;
    return () => abort.abort();
  }, [main, file]);

  async function share() {
    setSharing(true);
    try {
      const f = await (ready.current ?? fetch(main).then((r) => r.blob()).then((b) => new File([b], file, { type: b.type || "video/mp4" })));
      if (navigator.canShare?.({ files: [f] })) await navigator.share({ files: [f], title });
      else if (navigator.share) await navigator.share({ title, url: location.href });
      else await copy();
    } catch {
      // the person closed the sheet
    } finally {
      setSharing(false);
    }
  }
  async function copy() {
    await navigator.clipboard.writeText(location.href);
    setCopied(true);
    setTimeout(() => setCopied(false), 2500);
  }
  const canShare = typeof navigator.share === "function";
  return (
    <section className="card stack result" aria-labelledby="h-task">
      <div className="result-head">
        <h1 id="h-task">{t.task.doneTitle}</h1>
        {took > 0 && <span className="chip ok"><Icon name="check" size={16} />{t.task.made(t.seconds(formatSeconds(took)))}</span>}
      </div>
      {task.subject && <p className="muted">{task.subject}</p>}
      {isVideo ? (
        <video id="result-video" controls playsInline preload="metadata" src={main} poster={poster?.url} aria-label={title}>
          {vtt && <track kind="captions" src={vtt.url} srcLang={lang} label={t.task.captions} default />}
        </video>
      ) : sound ? (
        <audio controls src={sound.url} />
      ) : find("image") ? (
        <img src={find("image")?.url} alt={t.create.photo} className="result-image" />
      ) : null}
      {task.user_data && <p className="message-text">{task.user_data}</p>}
      <div className="row result-actions">
        {canShare && <button type="button" className="primary" disabled={sharing} onClick={() => void share()}><Icon name="share" size={20} />{t.task.share}</button>}
        <a className={canShare ? "secondary" : "primary"} href={main} download={file}><Icon name="download" size={20} />{t.task.download}</a>
        {!canShare && <button type="button" className="secondary" onClick={() => void copy()}><Icon name="link" size={20} />{copied ? t.task.copied : t.task.copyLink}</button>}
        <Link className="secondary" to={`/?from=${task.task_id}`}><Icon name="edit" size={20} />{t.task.reuse}</Link>
      </div>
      <Fallbacks task={task} />
      <p className="muted"><small>{t.task.synthetic}{task.credits?.length ? t.task.credits(task.credits.join(lang === "ja" ? "、" : ", ")) : ""}</small></p>
      <details>
        <summary>{t.task.details}</summary>
        <Steps task={task} live={false} />
      </details>
      <details>
        <summary>{t.task.more}</summary>
        <ul className="files">
          {artifacts.map((a) => (
            <li key={a.name}>
              <a href={a.url} download={`videomsg-${a.name}.${extension(a.content_type)}`}>{t.task.artifacts[a.name] ?? a.name}</a>
              <span className="muted">{size(a.size)}</span>
            </li>
          ))}
        </ul>
      </details>
    </section>
  );
}

export function size(n: number): string {
  return n < 1000 ? `${n} B` : n < 1e6 ? `${Math.round(n / 1000)} kB` : `${(n / 1e6).toFixed(1)} MB`;
}
