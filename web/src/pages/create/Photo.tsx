import { type DragEvent, useRef, useState } from "react";
import { explain, useI18n } from "../../i18n";
import { Icon } from "../../ui/Icon";
import { fit, type Look } from "./photo";

interface Props {
  photo: File | null;
  url: string;
  look: Look;
  face: number;
  onPhoto: (f: File) => void;
  onFace: (n: number) => void;
  error?: string;
}

const types = ["image/jpeg", "image/png", "image/webp"];

export function Photo({ photo, url, look, face, onPhoto, onFace, error }: Props) {
  const { t } = useI18n();
  const pick = useRef<HTMLInputElement>(null);
  const [over, setOver] = useState(false);
  const [wrong, setWrong] = useState("");

  async function take(f: File | undefined | null) {
    if (!f) return;
    if (!types.includes(f.type)) return setWrong(t.errors.UNSUPPORTED_MEDIA_TYPE ?? "");
    setWrong("");
    try {
      onPhoto(await fit(f));
    } catch {
      setWrong(t.errors.IMAGE_UNREADABLE ?? "");
    }
  }
  async function sample() {
    const r = await fetch("/sample.jpg");
    await take(new File([await r.blob()], "sample.jpg", { type: "image/jpeg" }));
  }
  const drop = {
    onDragOver: (e: DragEvent) => {
      e.preventDefault();
      setOver(true);
    },
    onDragLeave: () => setOver(false),
    onDrop: (e: DragEvent) => {
      e.preventDefault();
      setOver(false);
      void take(e.dataTransfer.files[0]);
    },
  };
  const a = look.analysis;
  // That there are several is said in words of its own.
  const reasons = a?.reasons.filter((r) => r !== "several_faces") ?? [];
  const shown = wrong || error || (look.state === "failed" ? explain(t, look.error) : "");
  return (
    <section className="card stack" aria-labelledby="h-photo">
      <h2 id="h-photo"><Icon name="camera" />{t.create.photo}</h2>
      <div className={`drop${over ? " over" : ""}${photo ? " has" : ""}`} {...drop}>
        {photo && url ? (
          <div className={`photo-view${a && a.faces.length > 1 ? " many" : ""}`}>
            <div className="photo-box">
              <img src={url} alt={t.create.photo} />
              {a?.faces.map((f) => {
                const chosen = (face || 1) === f.number;
                const style = {
                  left: `${(f.box.x / a.width) * 100}%`, top: `${(f.box.y / a.height) * 100}%`,
                  width: `${(f.box.width / a.width) * 100}%`, height: `${(f.box.height / a.height) * 100}%`,
                };
                return a.faces.length > 1 ? (
                  <button key={f.number} type="button" className={`face-box${chosen ? " on" : ""}`} style={style} aria-pressed={chosen} aria-label={t.create.faceNo(f.number)} onClick={() => onFace(f.number)} />
                ) : (
                  <span key={f.number} className="face-box on" style={style} />
                );
              })}
            </div>
            <div className="photo-side">
              <p role="status" className="face-state">
                {look.state === "busy" && <span className="chip"><span className="spin" /> {t.create.analysing}</span>}
                {look.state === "done" && a && a.faces.length === 1 && <span className="chip ok"><Icon name="check" size={16} />{t.create.faceFound}</span>}
                {look.state === "done" && a && a.faces.length > 1 && <span className="notice ok">{t.create.facesFound(a.faces.length)}</span>}
                {look.state === "done" && a && a.faces.length === 0 && <span className="notice warn"><Icon name="alert" size={20} />{t.create.noFace}</span>}
              </p>
              {look.state === "done" && a && a.faces.length > 0 && reasons.length > 0 && (
                <ul className="reasons">
                  {reasons.map((r) => <li key={r}>{t.create.reasons[r] ?? r}</li>)}
                </ul>
              )}
              <button type="button" className="secondary" onClick={() => pick.current?.click()}><Icon name="redo" size={20} />{t.create.change}</button>
            </div>
          </div>
        ) : (
          <div className="drop-empty">
            <div className="hello" aria-hidden="true">
              <img src="/hello.jpg" alt="" width={112} height={112} />
              <span className="hello-says">{t.create.hello}</span>
            </div>
            <p className="drop-hint">{t.create.drop}</p>
            <div className="row drop-actions">
              <button type="button" className="primary" onClick={() => pick.current?.click()}><Icon name="image" size={20} />{t.create.choose}</button>
              <label className="secondary take">
                <Icon name="camera" size={20} />{t.create.take}
                <input type="file" accept="image/*" capture="user" className="visually-hidden" onChange={(e) => void take(e.target.files?.[0])} />
              </label>
            </div>
            <button type="button" className="ghost" onClick={() => void sample()}>{t.create.sample}</button>
            <p className="muted"><small>{t.create.photoHelp}<br />{t.create.photoTypes}</small></p>
          </div>
        )}
        <input ref={pick} id="photo" type="file" accept={types.join(",")} className="visually-hidden" tabIndex={-1} aria-label={t.create.choose} onChange={(e) => void take(e.target.files?.[0])} />
      </div>
      {shown && <p className="error" role="alert">{shown}</p>}
    </section>
  );
}
