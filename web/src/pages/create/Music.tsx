import { useRef, useState } from "react";
import { call } from "../../api/client";
import type { Track } from "../../api/types";
import { explain, useI18n } from "../../i18n";
import { Choice } from "../../ui/Choice";
import { Icon } from "../../ui/Icon";
import { Play } from "../../ui/Play";
import { setVolume, usePlaying } from "../../ui/player";
import { Slider } from "../../ui/Slider";
import { nameIn } from "./catalogue";

interface Props {
  tracks: Track[];
  value: string;
  volume: number;
  onChange: (v: string) => void;
  onVolume: (v: number) => void;
  onAdded: (t: Track) => void;
}

// split takes the instrument out of a name: "Calm (piano)".
function split(name: string): { label: string; hint?: string } {
  const m = /^(.*?)\s*[（(](.*)[）)]$/.exec(name);
  return m ? { label: m[1] ?? name, hint: m[2] } : { label: name };
}

// gain is what the service makes of a volume: -20·(1-v) dB, and silence at 0.
function gain(v: number): number {
  return v === 0 ? 0 : 10 ** (-(1 - v));
}

export function Music({ tracks, value, volume, onChange, onVolume, onAdded }: Props) {
  const { t, lang } = useI18n();
  const playing = usePlaying();
  const ids = tracks.length ? tracks : Object.keys(t.create.tracks).filter((id) => id !== "none").map((id): Track => ({ id, name: id, name_ja: id, own: false, preview_url: "" }));
  const name = (x: Track) => t.create.tracks[x.id] ?? nameIn(lang, x);
  const options = [
    ...ids.map((x) => ({
      value: x.id,
      ...split(name(x)),
      extra: x.preview_url ? <Play id={`music:${x.id}`} label={t.create.hearMusic(name(x))} src={x.preview_url} volume={gain(volume)} /> : undefined,
    })),
    { value: "none", label: t.create.tracks.none },
  ];
  return (
    <section className="card stack" aria-labelledby="h-music">
      <h2 id="h-music"><Icon name="note" />{t.create.music}</h2>
      <Choice name="music" legend={t.create.music} hideLegend look="cards two" options={options} value={value} onChange={onChange} />
      {value !== "none" && (
        <Slider label={t.create.volume} min={0} max={1} step={0.05} value={volume} show={(v) => `${Math.round(v * 100)}%`} onChange={(v) => {
          onVolume(v);
          setVolume(playing.key, playing.key.startsWith("music:") ? gain(v) : 1);
        }} />
      )}
      {tracks.length > 0 && <OwnMusic onAdded={onAdded} />}
    </section>
  );
}

// licences are what own music most often comes with; any other words will do.
const licences = ["CC0-1.0", "CC-BY-4.0", "CC-BY-SA-4.0"];

// OwnMusic takes a file, asks for its name, who made it, on what terms and for the
// right to use it, and adds it.
function OwnMusic({ onAdded }: { onAdded: (t: Track) => void }) {
  const { t } = useI18n();
  const input = useRef<HTMLInputElement>(null);
  const [file, setFile] = useState<File | null>(null);
  const [name, setName] = useState("");
  const [credit, setCredit] = useState("");
  const [licence, setLicence] = useState("");
  const [rights, setRights] = useState(false);
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState("");
  function take(f: File | undefined) {
    if (!f) return;
    setFile(f);
    setName(f.name.replace(/\.\w+$/, "").slice(0, 100));
    setCredit("");
    setLicence("");
    setRights(false);
    setError("");
  }
  async function add() {
    if (!file) return;
    setBusy(true);
    const form = new FormData();
    form.set("name", name.trim() || file.name);
    form.set("credit", credit.trim());
    form.set("licence", licence.trim());
    form.set("rights", "true");
    form.set("audio", file);
    try {
      onAdded((await (await call("/api/bgm", { form })).json()) as Track);
      setFile(null);
      setError("");
    } catch (e) {
      setError(explain(t, e));
    } finally {
      setBusy(false);
    }
  }
  return (
    <div className="stack">
      <button type="button" className="ghost" onClick={() => input.current?.click()}><Icon name="plus" size={20} />{t.create.ownMusic}</button>
      <input ref={input} id="own-music" type="file" accept="audio/*" className="visually-hidden" tabIndex={-1} aria-label={t.create.ownMusic} onChange={(e) => take(e.target.files?.[0])} />
      {file && (
        <div className="own-music stack" role="group" aria-label={t.create.ownMusic}>
          <div>
            <label className="label" htmlFor="music-name">{t.create.musicName}</label>
            <input id="music-name" type="text" maxLength={100} value={name} onChange={(e) => setName(e.target.value)} />
          </div>
          <div>
            <label className="label" htmlFor="music-credit">{t.create.musicCredit}</label>
            <input id="music-credit" type="text" maxLength={200} value={credit} onChange={(e) => setCredit(e.target.value)} />
          </div>
          <div>
            <label className="label" htmlFor="music-licence">{t.create.musicLicence}</label>
            <input id="music-licence" type="text" maxLength={100} list="music-licences" value={licence} onChange={(e) => setLicence(e.target.value)} />
            <datalist id="music-licences">{[t.create.musicMine, ...licences].map((x) => <option key={x} value={x} />)}</datalist>
          </div>
          <label className="check">
            <input id="music-rights" type="checkbox" checked={rights} onChange={(e) => setRights(e.target.checked)} />
            <span>{t.create.musicRights}</span>
          </label>
          <div className="row">
            <button type="button" className="secondary" disabled={!rights || !credit.trim() || !licence.trim() || busy} onClick={() => void add()}>{busy && <span className="spin" aria-hidden="true" />}{t.create.musicAdd}</button>
            <button type="button" className="ghost" onClick={() => setFile(null)}>{t.cancel}</button>
          </div>
        </div>
      )}
      {error && <p className="error" role="alert">{error}</p>}
    </div>
  );
}
