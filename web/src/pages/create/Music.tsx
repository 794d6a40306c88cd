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
  const file = useRef<HTMLInputElement>(null);
  const [error, setError] = useState("");
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
  async function add(f: File | undefined) {
    if (!f) return;
    const form = new FormData();
    form.set("name", f.name.replace(/\.\w+$/, "").slice(0, 60));
    form.set("audio", f);
    try {
      const track = (await (await call("/api/bgm", { form })).json()) as Track;
      setError("");
      onAdded(track);
    } catch (e) {
      setError(explain(t, e));
    }
  }
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
      {tracks.length > 0 && (
        <div>
          <button type="button" className="ghost" onClick={() => file.current?.click()}><Icon name="plus" size={20} />{t.create.ownMusic}</button>
          <input ref={file} type="file" accept="audio/*" className="visually-hidden" tabIndex={-1} aria-label={t.create.ownMusic} onChange={(e) => void add(e.target.files?.[0])} />
          <p className="muted"><small>{t.create.ownMusicHelp}</small></p>
          {error && <p className="error" role="alert">{error}</p>}
        </div>
      )}
    </section>
  );
}
