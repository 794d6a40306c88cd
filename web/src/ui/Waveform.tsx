// Draws sound and plays it from where it is pressed.
import { useEffect, useRef, useState } from "react";
import { formatSeconds, useI18n } from "../i18n";
import { Icon } from "./Icon";

export async function peaksOf(blob: Blob, n: number): Promise<number[]> {
  const ctx = new OfflineAudioContext(1, 1, 48000);
  const audio = await ctx.decodeAudioData(await blob.arrayBuffer());
  const data = audio.getChannelData(0);
  const size = Math.max(1, Math.floor(data.length / n));
  const peaks: number[] = [];
  for (let i = 0; i < n; i++) {
    let max = 0;
    const end = Math.min(data.length, (i + 1) * size);
    // A few hundred samples show the shape; all of them cost time on a phone.
    const step = Math.max(1, Math.floor(size / 200));
    for (let j = i * size; j < end; j += step) max = Math.max(max, Math.abs(data[j] ?? 0));
    peaks.push(max);
  }
  const top = Math.max(...peaks, 0.05);
  return peaks.map((p) => p / top);
}

const bars = 96;

export function Waveform({ blob, autoplay }: { blob: Blob; autoplay?: boolean }) {
  const { t } = useI18n();
  const audio = useRef<HTMLAudioElement>(null);
  const [peaks, setPeaks] = useState<number[]>([]);
  const [at, setAt] = useState(0);
  const [length, setLength] = useState(0);
  const [playing, setPlaying] = useState(false);
  const [url, setURL] = useState("");

  useEffect(() => {
    const u = URL.createObjectURL(blob);
    setURL(u);
    setAt(0);
    let current = true;
    peaksOf(blob, bars).then((p) => current && setPeaks(p), () => current && setPeaks([]));
    return () => {
      current = false;
      URL.revokeObjectURL(u);
    };
  }, [blob]);
  useEffect(() => {
    if (!playing) return;
    let frame = 0;
    const tick = () => {
      setAt(audio.current?.currentTime ?? 0);
      frame = requestAnimationFrame(tick);
    };
    tick();
    return () => cancelAnimationFrame(frame);
  }, [playing]);

  const done = length ? at / length : 0;
  return (
    <div className="wave">
      <button type="button" className="play" aria-label={playing ? t.stop : t.play} onClick={() => (playing ? audio.current?.pause() : void audio.current?.play())}>
        <Icon name={playing ? "pause" : "play"} size={20} />
      </button>
      <div className="wave-body">
        <svg viewBox={`0 0 ${bars * 4} 40`} preserveAspectRatio="none" aria-hidden="true">
          {peaks.map((p, i) => {
            const h = Math.max(2, p * 38);
            return <rect key={i} x={i * 4 + 0.75} y={20 - h / 2} width={2.5} height={h} rx={1.2} className={i / bars < done ? "past" : ""} />;
          })}
        </svg>
        <input type="range" className="wave-seek" min={0} max={length || 1} step={0.01} value={at} aria-label={t.create.waveform} aria-valuetext={`${formatSeconds(at)} / ${formatSeconds(length)}`} onChange={(e) => {
          const v = Number(e.target.value);
          setAt(v);
          if (audio.current) audio.current.currentTime = v;
        }} />
      </div>
      <span className="wave-time muted">{t.seconds(formatSeconds(length))}</span>
      {url && (
        <audio ref={audio} src={url} autoPlay={autoplay} preload="auto" onLoadedMetadata={(e) => setLength(e.currentTarget.duration)} onPlay={() => setPlaying(true)} onPause={() => setPlaying(false)} onEnded={() => setPlaying(false)} />
      )}
    </div>
  );
}
