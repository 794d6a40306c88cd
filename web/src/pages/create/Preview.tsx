import type { Analysis, Box } from "../../api/types";
import { useI18n } from "../../i18n";
import type { Cut } from "./photo";

interface Props {
  url: string;
  analysis?: Analysis;
  aspect: string;
  background: string;
  backgroundURL: string;
  cut: Cut;
  captions: string;
  text: string;
}

const ratios: Record<string, number> = { "1:1": 1, "9:16": 9 / 16, "16:9": 16 / 9 };

// place puts the crop of a picture exactly into its frame.
function place(a: Analysis | undefined, crop: Box | undefined): React.CSSProperties {
  if (!a || !crop) return { width: "100%", height: "100%", objectFit: "cover" };
  return {
    position: "absolute",
    width: `${(a.width / crop.width) * 100}%`,
    height: `${(a.height / crop.height) * 100}%`,
    left: `${(-crop.x / crop.width) * 100}%`,
    top: `${(-crop.y / crop.height) * 100}%`,
    maxWidth: "none",
  };
}

function firstSentence(text: string): string {
  const plain = text.replace(/\{([^{}|]*)\|[^{}|]*\}/g, "$1").trim();
  const m = /^.{1,40}?[。！？!?.\n]/u.exec(plain);
  return (m ? m[0] : plain.slice(0, 32)).trim();
}

export function Preview({ url, analysis, aspect, background, backgroundURL, cut, captions, text }: Props) {
  const { t } = useI18n();
  const crop = analysis?.crops[aspect];
  const ratio = crop ? crop.width / crop.height : ratios[aspect] ?? 1;
  const replaced = background !== "original" && cut.state === "done";
  return (
    <figure className="preview">
      <div className="frame" style={{ "--ratio": ratio } as React.CSSProperties}>
        {!url && background.startsWith("#") && <span className="fill" style={{ background }} />}
        {!url && !background.startsWith("#") && !["original", "blur"].includes(background) && backgroundURL && <img src={backgroundURL} alt="" className="fill" />}
        {!url && (
          <svg className="silhouette" viewBox="0 0 100 100" aria-hidden="true">
            <path d="M50 22c-11 0-18 8.500-18 19.500S40 63 50 63s18-10 18-21.500S61 22 50 22zM14 104c1-24 15-34 36-34s35 10 36 34z" />
          </svg>
        )}
        {!url && captions === "burn" && <span className="caption">{firstSentence(text) || t.create.captionSample}</span>}
        {url && !replaced && <img src={url} alt={t.create.preview} style={place(analysis, crop)} />}
        {url && replaced && (
          <>
            {background === "blur" ? (
              <img src={url} alt="" className="blurred" style={place(analysis, crop)} />
            ) : background.startsWith("#") ? (
              <span className="fill" style={{ background }} />
            ) : (
              <img src={backgroundURL} alt="" className="fill" />
            )}
            <img src={cut.url} alt={t.create.preview} className="fill" />
          </>
        )}
        {url && <span className="ai-label">AI生成</span>}
        {url && captions === "burn" && <span className="caption">{firstSentence(text) || t.create.captionSample}</span>}
        {cut.state === "busy" && <span className="frame-busy"><span className="spin" /> {t.create.cutting}</span>}
      </div>
    </figure>
  );
}
