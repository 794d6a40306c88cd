import { useEffect, useMemo, useRef, useState } from "react";
import { ApiError, call } from "../../api/client";
import type { Artifact, Task } from "../../api/types";
import { explain, formatSeconds, useI18n } from "../../i18n";
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

const week = 7 * 24 * 3600;

// linkTo makes an address at which whoever has it can watch, for a week, without
// being known here.
async function linkTo(task: string, signal?: AbortSignal): Promise<string> {
  const r = await call(`/api/tasks/${task}/links`, { json: { expires_in: week }, signal });
  const { url } = (await r.json()) as { url: string };
  return new URL(url, location.origin).href;
}

// shared is what the browser's own sheet passes on.
async function shared(task: string, address: string, name: string, title: string, signal?: AbortSignal): Promise<ShareData> {
  const type = name.endsWith(".mp4") ? "video/mp4" : "";
  if (!navigator.canShare?.({ files: [new File([], name, { type })] })) return { title, url: await linkTo(task, signal) };
  const b = await (await call(address, { signal })).blob();
  return { title, files: [new File([b], name, { type: b.type || type })] };
}

export function Result({ task }: { task: Task }) {
  const { t, lang } = useI18n();
  const [link, setLink] = useState("");
  const [problem, setProblem] = useState("");
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
  const file = `${(task.subject || "videomsg").replace(/[\\/:*?"<>|]/g, "")}.${isVideo ? "mp4" : extension((sound ?? find("image"))?.content_type ?? "")}`;

  const canShare = typeof navigator.share === "function";
  const prepared = useRef<ShareData | null>(null);
  useEffect(() => {
    // Sharing must follow the tap at once, or iOS refuses; so what is shared is
    // there before anybody taps: the file where a browser passes files on, else a
    // link to it.
    if (!canShare) return;
    const abort = new AbortController();
    shared(task.task_id, main, file, title, abort.signal).then(
      (data) => (prepared.current = data),
      () => {
        // it is made when it is wanted
      },
    );
    return () => {
      prepared.current = null;
      abort.abort();
    };
  }, [canShare, task.task_id, main, file, title]);

  async function share() {
    setSharing(true);
    try {
      await navigator.share(prepared.current ?? (await shared(task.task_id, main, file, title)));
    } catch (e) {
      // Who closes the sheet changes their mind; that is no error.
      if (!(e instanceof DOMException && e.name === "AbortError")) setProblem(explain(t, e));
    } finally {
      setSharing(false);
    }
  }
  async function copy() {
    try {
      const url = await linkTo(task.task_id);
      setLink(url);
      setProblem("");
      await navigator.clipboard?.writeText(url);
    } catch (e) {
      // A clipboard that is closed to us leaves the link to be copied by hand.
      if (e instanceof ApiError) setProblem(explain(t, e));
    }
  }
  return (
    <section className="card stack result" aria-labelledby="h-task">
      <div className="result-head">
        <h1 id="h-task">{t.task.doneTitle}</h1>
        {took > 0 && <span className="chip ok"><Icon name="check" size={16} />{t.task.made(t.seconds(formatSeconds(took)))}</span>}
      </div>
      {task.subject && <p className="muted">{task.subject}</p>}
      {isVideo ? (
        <video id="result-video" controls playsInline preload="metadata" src={main} poster={poster?.url} aria-label={title} onLoadedMetadata={(e) => {
          const v = e.currentTarget;
          if (v.videoWidth) v.style.setProperty("--ratio", String(v.videoWidth / v.videoHeight));
        }}>
          {vtt && <track kind="captions" src={vtt.url} srcLang={lang} label={t.task.captions} default />}
        </video>
      ) : sound ? (
        <audio controls src={sound.url} />
      ) : find("image") ? (
        <img src={find("image")?.url} alt={t.create.photo} className="result-image" />
      ) : null}
      {task.user_data && <p className="message-text">{task.user_data}</p>}
      <div className="row result-actions">
        {canShare && <button type="button" id="share" className="primary" disabled={sharing} onClick={() => void share()}><Icon name="share" size={20} />{t.task.share}</button>}
        <a className={canShare ? "secondary" : "primary"} href={main} download={file}><Icon name="download" size={20} />{t.task.download}</a>
        <button type="button" className="secondary" onClick={() => void copy()}><Icon name="link" size={20} />{t.task.copyLink}</button>
        <Link className="secondary" to={`/?from=${task.task_id}`}><Icon name="edit" size={20} />{t.task.reuse}</Link>
      </div>
      {link && (
        <div className="notice ok link-made">
          <Icon name="check" size={20} />
          <div className="grow">
            <p role="status">{t.task.copied}</p>
            <input type="text" id="link" readOnly aria-label={t.task.link} value={link} onFocus={(e) => e.target.select()} />
          </div>
        </div>
      )}
      {problem && <p className="error" role="alert">{problem}</p>}
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
