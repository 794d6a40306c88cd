import { useState } from "react";
import type { Profile, Voice as VoiceEntry } from "../../api/types";
import { useI18n } from "../../i18n";
import { Choice } from "../../ui/Choice";
import { Icon } from "../../ui/Icon";
import { Play } from "../../ui/Play";

interface Props {
  voices: VoiceEntry[];
  failed: boolean;
  loading: boolean;
  profiles: Profile[];
  value: string;
  language: string;
  onChange: (v: string) => void;
  children?: React.ReactNode;
}

const shownAtFirst = 6;

export function Voice({ voices, failed, loading, profiles, value, language, onChange }: Props) {
  const { t } = useI18n();
  const [sentence, setSentence] = useState("");
  const [all, setAll] = useState(false);
  const mine = voices.filter((v) => v.language.slice(0, 2).toLowerCase() === language.slice(0, 2).toLowerCase());
  const text = sentence.trim();
  const query = text ? `?text=${encodeURIComponent(text)}` : "";
  const usable = profiles.filter((p) => p.status !== "revoked" && p.status !== "failed");
  // Makeshift voices are offered where there is nothing better, or on demand.
  const better = mine.filter((v) => v.quality !== "robotic");
  const list = all ? mine : (better.length ? better : mine).slice(0, shownAtFirst);
  const current = value || mine[0]?.id || "";
  const options = [
    ...usable.map((p) => ({
      value: `profile:${p.profile_id}`,
      label: p.name,
      hint: t.create.cloned,
      extra: <Play id={`profile:${p.profile_id}:${text}`} label={t.create.listen(p.name)} src={`/api/voice-clone/profiles/${p.profile_id}/preview${query}`} />,
    })),
    ...list.map((v) => ({
      value: v.id,
      label: v.name,
      hint: t.create.quality[v.quality ?? ""] ?? v.engine,
      extra: <Play id={`voice:${v.id}:${text}`} label={t.create.listen(v.name)} src={`${v.preview_url ?? `/api/voices/${encodeURIComponent(v.id)}/preview`}${query}`} />,
    })),
  ];
  return (
    <section className="card stack" aria-labelledby="h-voice">
      <h2 id="h-voice"><Icon name="mic" />{t.create.voice}</h2>
      {loading ? (
        <div className="waiting" role="status"><span className="visually-hidden">{t.loading}</span>{[1, 2, 3, 4].map((i) => <span key={i} aria-hidden="true" />)}</div>
      ) : failed || options.length === 0 ? (
        <p className="muted">{t.create.noVoices}</p>
      ) : (
        <>
          <p className="muted">{t.create.voiceHelp}</p>
          <Choice name="voice" legend={t.create.voice} hideLegend look="cards" options={options} value={current} onChange={onChange} />
          {list.length < mine.length && <button type="button" className="ghost" onClick={() => setAll(true)}>{t.history.more}（{mine.length - list.length}）</button>}
          <div>
            <label className="label" htmlFor="sentence">{t.create.testSentence}</label>
            <input id="sentence" type="text" maxLength={100} lang={language} placeholder={t.create.testDefault} value={sentence} onChange={(e) => setSentence(e.target.value)} />
          </div>
        </>
      )}
    </section>
  );
}
