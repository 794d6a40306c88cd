import { useRef } from "react";
import type { Background } from "../../api/types";
import { useI18n } from "../../i18n";
import { Choice } from "../../ui/Choice";
import { Icon } from "../../ui/Icon";
import { nameIn } from "./catalogue";
import { fit } from "./photo";

interface Props {
  items: Background[];
  value: string;
  onChange: (v: string) => void;
  ownURL: string;
  onOwn?: (f: File) => void;
  photoURL: string;
}

const plain = ["#ffffff", "#dfe9f3"];

export function Backdrop({ items, value, onChange, ownURL, onOwn, photoURL }: Props) {
  const { t, lang } = useI18n();
  const file = useRef<HTMLInputElement>(null);
  const pic = (content: React.ReactNode, name: string) => (
    <>
      <span className="pic">{content}</span>
      {name}
    </>
  );
  const presets = items.filter((b) => b.preview_url);
  const options = [
    ...presets.map((b) => ({ value: b.id, label: pic(<img src={`${b.preview_url}?width=160&height=160`} alt="" loading="lazy" width={80} height={80} />, nameIn(lang, b)) })),
    { value: "original", label: pic(photoURL ? <img src={photoURL} alt="" /> : <Icon name="image" />, t.create.originalBackground) },
    { value: "blur", label: pic(photoURL ? <img src={photoURL} alt="" className="blurred" /> : <Icon name="image" />, t.create.blurBackground) },
    ...plain.map((c) => ({ value: c, label: pic(<span className="fill" style={{ background: c }} />, c === "#ffffff" ? t.create.white : t.create.paleBlue) })),
    ...(onOwn ? [{ value: "own", label: pic(ownURL ? <img src={ownURL} alt="" /> : <Icon name="plus" />, t.create.ownBackground) }] : []),
  ];
  return (
    <div>
      <Choice name="background" legend={t.create.background} look="swatches" options={options} value={value} onChange={(v) => {
        if (v === "own" && !ownURL) file.current?.click();
        else onChange(v);
      }} />
      {onOwn && (
        <input ref={file} type="file" accept="image/jpeg,image/png,image/webp" className="visually-hidden" tabIndex={-1} aria-label={t.create.ownBackground} onChange={(e) => {
          const f = e.target.files?.[0];
          if (f) void fit(f).then((g) => { onOwn(g); onChange("own"); });
        }} />
      )}
    </div>
  );
}
