import { createContext, type ReactNode, useContext, useEffect, useMemo, useState } from "react";
import { ApiError, setApiLanguage } from "../api/client";
import { en } from "./en";
import { keep, kept } from "../kept";
import { ja, type Words } from "./ja";

export type Lang = "ja" | "en";

interface I18n {
  lang: Lang;
  t: Words;
  setLang: (l: Lang) => void;
}

const words: Record<Lang, Words> = { ja, en };
const Context = createContext<I18n>({ lang: "ja", t: ja, setLang: () => {} });
const key = "videomsg.lang";

export function I18nProvider({ initial, children }: { initial?: Lang; children: ReactNode }) {
  const [lang, setLang] = useState<Lang>(() => initial ?? (kept(key) === "en" ? "en" : "ja"));
  setApiLanguage(lang);
  useEffect(() => {
    document.documentElement.lang = lang;
    keep(key, lang);
  }, [lang]);
  const value = useMemo(() => ({ lang, t: words[lang], setLang }), [lang]);
  return <Context.Provider value={value}>{children}</Context.Provider>;
}

export function useI18n(): I18n {
  return useContext(Context);
}

// explain puts an error into the reader's words, with the service's detail where
// we have none of our own.
export function explain(t: Words, e: unknown): string {
  if (e instanceof ApiError) {
    const own = t.errors[e.code];
    if (own) return own;
    const fields = e.errors.map((f) => `${f.field}: ${f.detail}`).join(" / ");
    return [e.title, fields || e.detail].filter(Boolean).join(" — ");
  }
  return t.errors.INTERNAL ?? String(e);
}

export function formatSeconds(n: number): string {
  if (n < 10) return n.toFixed(1);
  if (n < 100) return String(Math.round(n));
  return `${Math.floor(n / 60)}:${String(Math.round(n % 60)).padStart(2, "0")}`;
}

export function formatDate(lang: Lang, iso: string): string {
  if (!iso) return "";
  const d = new Date(iso);
  return d.toLocaleString(lang === "ja" ? "ja-JP" : "en-GB", { month: "short", day: "numeric", hour: "2-digit", minute: "2-digit", year: d.getFullYear() === new Date().getFullYear() ? undefined : "numeric" });
}
